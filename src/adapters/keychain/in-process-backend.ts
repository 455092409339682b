import type { Clock } from "../../core/clock.ts";
import type { KeychainBackend, KeytarLike } from "./backend.ts";
import { OneAtATime, withDeadline } from "./deadline.ts";
import { KeychainFailure, toKeychainFailure } from "./failure.ts";

/** What the backends that run in this process are made of. */
export interface InProcessOptions {
  service: string;
  clock: Clock;
  deadlineMs: number;
  family: string;
  /** Called once, on the first use. */
  load: () => Promise<KeytarLike>;
}

/**
 * A keychain library in this very process. A deadline ends the waiting, not the native call: until that one returns, no
 * other is made, because four calls that hang would take all of Node's threads for files and name look-ups.
 */
export function inProcessBackend(options: InProcessOptions): KeychainBackend {
  const { service, clock, deadlineMs } = options;
  const line = new OneAtATime();
  let library: Promise<KeytarLike> | undefined;
  let hanging = false;

  const perform = <Value>(call: (library: KeytarLike) => Promise<Value>, secret?: string): Promise<Value> =>
    line.run(async () => {
      if (hanging) throw new KeychainFailure("stuck");
      try {
        library ??= options.load();
        const work = call(await library);
        hanging = true;
        const done = (): void => {
          hanging = false;
        };
        work.then(done, done);
        return await withDeadline(work, clock, deadlineMs);
      } catch (error) {
        throw toKeychainFailure(error, secret);
      }
    });

  return {
    family: options.family,
    get: (account) => perform(async (keytar) => (await keytar.getPassword(service, account)) ?? null),
    set: (account, password) => perform(async (keytar) => keytar.setPassword(service, account, password), password),
    delete: (account) => perform(async (keytar) => keytar.deletePassword(service, account)),
    close() {},
  };
}

interface NativeEntry {
  getPassword(): Promise<string | null | undefined>;
  setPassword(password: string): Promise<void>;
  deletePassword(): Promise<boolean>;
}

/** On Linux each entry keeps a connection open until it is collected, and the session bus has 256 for all programs. */
const MOST_ENTRIES = 32;

/**
 * `@napi-rs/keyring` in keytar's shape, loaded into this process.
 *
 * @throws `KeychainFailure` `no-library` when it is not installed or not built for this system.
 */
export async function loadNativeKeyring(): Promise<KeytarLike> {
  const { AsyncEntry } = await import("@napi-rs/keyring").catch((error: unknown) => {
    throw new KeychainFailure("no-library", error);
  });
  const entries = new Map<string, NativeEntry>();
  const entryOf = (service: string, account: string): NativeEntry => {
    const name = JSON.stringify([service, account]);
    const known = entries.get(name);
    if (known !== undefined) return known;
    if (entries.size >= MOST_ENTRIES) entries.clear();
    // Without this, it falls back to the kernel's keyring without a word, which forgets everything at a restart.
    const entry = new AsyncEntry(service, account, { linux: { store: "secret-service" } });
    entries.set(name, entry);
    return entry;
  };
  return {
    getPassword: async (service, account) => (await entryOf(service, account).getPassword()) ?? null,
    setPassword: async (service, account, password) => {
      await entryOf(service, account).setPassword(password);
    },
    deletePassword: async (service, account) => entryOf(service, account).deletePassword(),
  };
}
