import { join } from "node:path";
import { type Clock, systemClock } from "../../core/clock.ts";
import { McpOAuthError, type McpOAuthErrorCode } from "../../core/errors.ts";
import type { LockHandle, LockOptions, StoredRecord, TokenStore } from "../../ports/token-store.ts";
import { FileLocks } from "../file-lock/file-lock.ts";
import { fileNameFor } from "../file-lock/file-name.ts";
import { defaultStateDirectory } from "../file-lock/state-directory.ts";
import type { KeychainBackend, KeytarLike } from "./backend.ts";
import { Canary } from "./canary.ts";
import { defaultDeadlineMs } from "./deadline.ts";
import { KeychainFailure, toKeychainFailure } from "./failure.ts";
import { defaultHelperProgram } from "./helper-program.ts";
import { inProcessBackend } from "./in-process-backend.ts";
import { KeychainItems } from "./items.ts";
import { KeyIndex, parseJson } from "./key-index.ts";
import { toAsciiJson } from "./manifest.ts";
import { nativeBackend } from "./native-backend.ts";
import { checkedOptions, type KeychainStoreOptions } from "./options.ts";

/** What {@link keychainStore} makes. */
export interface KeychainStore extends TokenStore {
  /**
   * Writes, reads and deletes an item, to see whether the keychain works here. The first use does so by itself.
   *
   * @throws `store_unavailable` with what to do.
   */
  probe(): Promise<void>;
}

/** Windows limits a value to 2,560 bytes, and one of the libraries writes two bytes a character. */
const LONGEST_ON_WINDOWS = 1200;
const LONGEST_ELSEWHERE = 65_536;

/** What tests replace. */
export interface KeychainStoreParts {
  backend?: KeychainBackend;
  clock?: Clock;
  longest?: number;
}

/** {@link KeychainStore} over any backend. */
export class SystemKeychainStore implements KeychainStore {
  readonly kind = "keychain";
  readonly #backend: KeychainBackend;
  readonly #items: KeychainItems;
  readonly #canary: Canary;
  readonly #locks: FileLocks;
  readonly #index: KeyIndex;
  #proof: Promise<void> | undefined;

  constructor(options: KeychainStoreOptions, parts: KeychainStoreParts = {}) {
    const service = options.service ?? "mcp-oauth-client";
    const clock = parts.clock ?? systemClock;
    this.#backend = parts.backend ?? makeBackend(options, service, clock);
    const directory = join(options.directory ?? defaultStateDirectory(), "keychain", fileNameFor(service));
    this.#canary = new Canary(this.#backend, join(directory, `used-by-${this.#backend.family}`));
    this.#items = new KeychainItems({
      backend: this.#backend,
      clock,
      longest: parts.longest ?? (process.platform === "win32" ? LONGEST_ON_WINDOWS : LONGEST_ELSEWHERE),
      confirmsAbsence: () => this.#canary.confirmsAbsence(),
    });
    this.#locks = new FileLocks({ clock, directory: join(directory, "locks") });
    this.#index = new KeyIndex(this.#items, new FileLocks({ clock, directory: join(directory, "index-locks") }));
  }

  async probe(): Promise<void> {
    try {
      await this.#canary.prove();
      this.#proof = Promise.resolve();
    } catch (error) {
      throw this.#worded("store_unavailable", "The system keychain cannot be used here.", error);
    }
  }

  async get(key: string): Promise<StoredRecord | undefined> {
    await this.#proven();
    try {
      const found = await this.#items.read(nameOf(key));
      return found && { value: readValue(found.payload, key), fence: found.fence };
    } catch (error) {
      throw this.#worded("store_unreadable", "The credentials in the system keychain cannot be read.", error);
    }
  }

  async set(key: string, value: string, lock: LockHandle): Promise<void> {
    await this.#write(key, lock, async (mayWrite) => {
      const name = nameOf(key);
      // First the index: an entry without record is harmless, a record without entry would never be found again.
      if (!this.#index.hasSeen(key) || !(await this.#items.has(name))) await this.#index.add(key);
      await this.#items.write(name, toAsciiJson({ key, value }), lock.fence, mayWrite);
    });
  }

  async delete(key: string, lock: LockHandle): Promise<void> {
    await this.#write(key, lock, async (mayWrite) => {
      await this.#items.remove(nameOf(key), mayWrite);
      await this.#index.remove(key);
    });
  }

  async keys(): Promise<string[]> {
    await this.#proven();
    try {
      const keys: string[] = [];
      for (const key of await this.#index.list()) if (await this.#items.has(nameOf(key))) keys.push(key);
      return keys;
    } catch (error) {
      throw this.#worded("store_unreadable", "The list of credentials in the system keychain cannot be read.", error);
    }
  }

  lock(key: string, options: LockOptions = {}): Promise<LockHandle> {
    // A keychain that cannot be read says so when the record is read, with better words.
    const floor = (): Promise<number> => this.#items.fenceOf(nameOf(key)).catch(() => 0);
    return this.#locks.lock(key, { ...options, floor });
  }

  async close(): Promise<void> {
    this.#backend.close();
  }

  /** The first use proves the keychain, unless it is known to have worked: then its own errors say what is wrong. */
  #proven(): Promise<void> {
    this.#proof ??= this.#prove().catch((error: unknown) => {
      this.#proof = undefined;
      throw error;
    });
    return this.#proof;
  }

  async #prove(): Promise<void> {
    if (!(await this.#canary.isProven())) await this.probe();
  }

  async #write(
    key: string,
    lock: LockHandle,
    work: (mayWrite: (newest: number) => void) => Promise<void>,
  ): Promise<void> {
    const mayWrite = (newest: number): void => this.#assertMayWrite(key, lock, newest);
    mayWrite(0);
    try {
      await this.#proven();
      await work(mayWrite);
    } catch (error) {
      if (error instanceof McpOAuthError && error.code === "store_failed") throw error;
      throw this.#worded("store_failed", "The system keychain was not changed.", error);
    }
    // Whoever lost the lock meanwhile must not go on as if the record were certainly theirs.
    mayWrite(0);
  }

  #assertMayWrite(key: string, lock: LockHandle, newest: number): void {
    if (!this.#locks.isLockOf(lock, key)) {
      throw new McpOAuthError(
        "store_failed",
        "The record was not written: the lock handed in is not one that this store gave out for this key.",
      );
    }
    lock.assertHeld();
    if (newest <= lock.fence) return;
    throw new McpOAuthError(
      "store_failed",
      "The record was not written: the keychain has a newer one, by a program with another lock folder. Give all programs that share entries the same `directory`.",
    );
  }

  #worded(code: McpOAuthErrorCode, what: string, error: unknown): McpOAuthError {
    if (error instanceof McpOAuthError) {
      return error.code === code ? error : new McpOAuthError(code, `${what} ${error.message}`, { cause: error.cause });
    }
    const failure = toKeychainFailure(error);
    return new McpOAuthError(code, `${what} ${failure.message}`, { cause: failure });
  }
}

function nameOf(key: string): string {
  return `record-${fileNameFor(key)}`;
}

function readValue(payload: string, key: string): string {
  const record = parseJson(payload);
  if (typeof record !== "object" || record === null) throw new KeychainFailure("unreadable");
  const { key: storedKey, value } = record as Record<string, unknown>;
  if (storedKey !== key || typeof value !== "string") throw new KeychainFailure("unreadable");
  return value;
}

function makeBackend(options: KeychainStoreOptions, service: string, clock: Clock): KeychainBackend {
  const deadlineMs = options.deadlineMs ?? defaultDeadlineMs();
  const { keytar, helper } = options;
  if (keytar !== undefined) {
    const load = async (): Promise<KeytarLike> => keytar;
    return inProcessBackend({ service, clock, deadlineMs, family: "keytar", load });
  }
  const program = helper === false ? undefined : (helper ?? defaultHelperProgram());
  return nativeBackend({ service, clock, deadlineMs, program });
}

/**
 * The operating system's keychain: Keychain on macOS, Credential Manager on Windows, Secret Service (gnome-keyring,
 * KWallet, KeePassXC) on Linux.
 *
 * The first use writes, reads and deletes an item. Values over the platform's limit are split. Nothing secret is written
 * anywhere else.
 *
 * @throws `invalid_configuration` for options that contradict one another. Its methods: `store_unavailable` where there is
 * no keychain that can be used, `store_unreadable` when it is locked, hangs, or has something else in its place,
 * `store_failed` when it was not changed, `lock_timeout`; each says what to do.
 */
export function keychainStore(options: KeychainStoreOptions = {}): KeychainStore {
  return new SystemKeychainStore(checkedOptions(options));
}
