import { type DataKey, dataKeyFrom } from "./data-key.ts";
import type { RecordHeader } from "./format.ts";
import { deriveFromPassphrase, type ScryptParameters } from "./scrypt.ts";

/** Somewhere that keys come from. */
export interface KeySource {
  /** The key that new records get. */
  current(): Promise<DataKey>;
  /** The key that a record was encrypted with, or `undefined` when it does not come from here. */
  find(header: RecordHeader): Promise<DataKey | undefined>;
  /** Makes a new key to be the current one, where keys are ours to make. */
  renew?(): Promise<void>;
}

/** Remembers what a function returned, but not that it failed. */
export function remembered<Value>(fetch: () => Promise<Value>): { get: () => Promise<Value>; forget: () => void } {
  let value: Promise<Value> | undefined;
  return {
    get: () => {
      value ??= fetch().catch((error: unknown) => {
        value = undefined;
        throw error;
      });
      return value;
    },
    forget: () => {
      value = undefined;
    },
  };
}

/** A key that somebody else keeps. */
export function secretSource(fetch: () => Promise<Uint8Array>): KeySource {
  const key = remembered(async () => dataKeyFrom(await fetch()));
  return {
    current: key.get,
    async find(header) {
      if ((await key.get()).id === header.keyId) return key.get();
      // It may have been changed since.
      key.forget();
      const fetched = await key.get();
      return fetched.id === header.keyId ? fetched : undefined;
    },
  };
}

/** A key derived from a passphrase, with the parameters of each record. */
export function passphraseSource(
  fetch: () => Promise<string>,
  currentParameters: () => Promise<ScryptParameters>,
): KeySource {
  const passphrase = remembered(fetch);
  const parametersOfNew = remembered(currentParameters);
  const derived = new Map<string, Promise<DataKey>>();
  const derive = async (parameters: ScryptParameters): Promise<DataKey> => {
    const name = JSON.stringify(parameters);
    const known = derived.get(name);
    if (known !== undefined) return known;
    const secret = await passphrase.get();
    const key = deriveFromPassphrase(secret, parameters).then((bytes) => dataKeyFrom(bytes, parameters));
    derived.set(name, key);
    // There may be enough memory the next time.
    key.catch(() => derived.delete(name));
    return key;
  };
  return {
    current: async () => derive(await parametersOfNew.get()),
    async find(header) {
      if (header.scrypt === undefined) return undefined;
      const key = await derive(header.scrypt);
      return key.id === header.keyId ? key : undefined;
    },
  };
}

/** Where keys that are ours to make are kept. The first one is the current one. */
export interface KeyRing {
  /** Reads the keys; makes the first one where there may be none yet. */
  load(): Promise<readonly Uint8Array[]>;
  /** Puts a new key in front. */
  renew(): Promise<void>;
}

/** Keys that are ours to make. */
export function ringSource(ring: KeyRing): KeySource {
  const keys = remembered(async () => (await ring.load()).map((secret) => dataKeyFrom(secret)));
  const look = async (header: RecordHeader): Promise<DataKey | undefined> =>
    (await keys.get()).find((key) => key.id === header.keyId);
  return {
    current: async () => (await keys.get())[0] as DataKey,
    async find(header) {
      const found = await look(header);
      if (found !== undefined) return found;
      // Another process may have made a new one.
      keys.forget();
      return look(header);
    },
    async renew() {
      await ring.renew();
      keys.forget();
    },
  };
}
