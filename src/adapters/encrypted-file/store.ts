import { join, resolve } from "node:path";
import { type Clock, systemClock } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";
import type { KeysOptions, LockHandle, LockOptions, StoredRecord, TokenStore } from "../../ports/token-store.ts";
import { FileLocks, type FileLocksOptions } from "../file-lock/file-lock.ts";
import { fileNameFor } from "../file-lock/file-name.ts";
import { defaultStateDirectory, type Environment } from "../file-lock/state-directory.ts";
import { openPrivateFolder } from "./files.ts";
import { KeyChoice } from "./key-choice.ts";
import { remembered } from "./key-source.ts";
import { checkEncryptedFileOptions, type EncryptedFileStoreOptions } from "./options.ts";
import { RecordFolder } from "./record-folder.ts";

/** What `rotate()` did. */
export interface RotateResult {
  /** How many records were encrypted anew. */
  readonly rewritten: number;
}

/** What {@link encryptedFileStore} makes. */
export interface EncryptedFileStore extends TokenStore {
  /**
   * Opens the folder and fetches the key, to see whether both can be used. The first use does so by itself.
   *
   * @throws `store_unavailable`, or `store_unreadable` where there are records already; `invalid_configuration`.
   */
  probe(): Promise<void>;
  /**
   * Encrypts every record with the present key. A key that is kept in the keychain or in a key file is replaced by a new
   * one first, and stays behind it, for those who still work with it; any other key you change yourself, with the old one
   * in `previousKeys`.
   *
   * @throws `store_unreadable` when a record cannot be read, `store_unavailable` when the keychain or the key file cannot be
   * used: nothing has changed then. `store_failed` or `lock_timeout` when a record could not be written: those before it are
   * done, the others can be read as before, and it can be called again.
   */
  rotate(): Promise<RotateResult>;
}

/** Names the lock of those who make a new key. No session and no client has such a name. */
const RENEWAL = "a new key for the encrypted files";

/** What tests replace. */
export interface EncryptedFileStoreParts {
  clock?: Clock;
  environment?: Environment;
  locks?: Omit<FileLocksOptions, "directory" | "clock">;
}

/**
 * Files encrypted with AES-256-GCM, one for each record, in a folder that only this user can read.
 *
 * @throws `invalid_configuration` unless the options name exactly one source for the key. Its methods:
 * `store_unavailable` when the folder or the key cannot be used, `store_unreadable` for a file that is damaged, was
 * changed, is of a newer version or encrypted with another key (it is left as it is), `store_failed` when nothing was
 * written, `lock_timeout`; each says what to do.
 */
export function encryptedFileStore(options: EncryptedFileStoreOptions): EncryptedFileStore {
  return new FileStore(options);
}

/** {@link EncryptedFileStore} with parts that can be replaced. */
export class FileStore implements EncryptedFileStore {
  readonly kind = "encrypted-file";
  readonly #directory: string;
  readonly #records: RecordFolder;
  readonly #locks: FileLocks;
  readonly #keys: KeyChoice;
  readonly #opened: () => Promise<void>;

  constructor(options: EncryptedFileStoreOptions, parts: EncryptedFileStoreParts = {}) {
    checkEncryptedFileOptions(options);
    const environment = parts.environment ?? process.env;
    const clock = parts.clock ?? systemClock;
    this.#directory = resolve(options.directory ?? join(defaultStateDirectory(environment), "tokens"));
    const hasRecords = (): boolean => this.#records.hasRecords();
    this.#keys = new KeyChoice(options, { directory: this.#directory, environment, hasRecords });
    this.#records = new RecordFolder({ path: join(this.#directory, "records"), keys: this.#keys, clock });
    this.#locks = new FileLocks({ ...parts.locks, clock, directory: join(this.#directory, "locks") });
    this.#opened = remembered(() => this.#open()).get;
  }

  probe(): Promise<void> {
    return this.#opened();
  }

  async get(key: string): Promise<StoredRecord | undefined> {
    await this.#opened();
    const found = await this.#records.read(fileNameFor(key));
    return found && { value: found.value, fence: found.fence };
  }

  async set(key: string, value: string, lock: LockHandle): Promise<void> {
    await this.#write(key, lock, (id, mayWrite) => {
      return this.#records.write(id, { key, value, fence: lock.fence }, mayWrite);
    });
  }

  async delete(key: string, lock: LockHandle): Promise<void> {
    await this.#write(key, lock, (id, mayWrite) => this.#records.remove(id, lock.fence, mayWrite));
  }

  async keys({ onUnreadable }: KeysOptions = {}): Promise<string[]> {
    await this.#opened();
    const keys: string[] = [];
    for (const id of this.#records.ids()) {
      try {
        const found = await this.#records.read(id);
        if (found !== undefined) keys.push(found.key);
      } catch (error) {
        // The file's name is a hash: the key is in what cannot be read.
        if (onUnreadable === undefined || !(error instanceof McpOAuthError)) throw error;
        onUnreadable(error);
      }
    }
    return keys;
  }

  async lock(key: string, options: LockOptions = {}): Promise<LockHandle> {
    await this.#opened();
    // The files know the fence, too, should the locks be lost or restored from a backup.
    const floor = async (): Promise<number> => {
      try {
        return this.#records.highestFence(fileNameFor(key));
      } catch {
        return 0;
      }
    };
    return this.#locks.lock(key, { ...options, floor });
  }

  async rotate(): Promise<RotateResult> {
    await this.#opened();
    let rewritten = 0;
    for (const key of await this.#renewKey()) {
      const lock = await this.lock(key);
      try {
        const record = await this.get(key);
        if (record === undefined) continue;
        await this.set(key, record.value, lock);
        rewritten += 1;
      } finally {
        await lock.release();
      }
    }
    return { rewritten };
  }

  /**
   * Makes a new key to be the present one, one process at a time: of two that do so at once, one would lose its key.
   *
   * @returns the keys of all records, read before: one that cannot be read stops it while all is as it was.
   */
  async #renewKey(): Promise<string[]> {
    const lock = await this.#locks.lock(RENEWAL);
    try {
      const keys = await this.keys();
      await this.#keys.renew();
      return keys;
    } finally {
      await lock.release();
    }
  }

  async #open(): Promise<void> {
    openPrivateFolder(this.#directory);
    this.#records.open();
    try {
      // Before anybody signs in for nothing.
      await this.#keys.current();
    } catch (error) {
      if (!(error instanceof McpOAuthError) || error.code !== "store_unavailable") throw error;
      if (!this.#records.hasRecords()) throw error;
      const message = `There are encrypted credentials that cannot be read. ${error.message}`;
      throw new McpOAuthError("store_unreadable", message, { cause: error });
    }
  }

  /** The part that `set` and `delete` share. */
  async #write(
    key: string,
    lock: LockHandle,
    work: (id: string, mayWrite: () => void) => Promise<void>,
  ): Promise<void> {
    const id = fileNameFor(key);
    const mayWrite = (): void => this.#assertMayWrite(key, lock);
    mayWrite();
    try {
      await this.#opened();
      if (this.#records.highestFence(id) > lock.fence) {
        throw failure("there is a newer version of the record. Take the lock again and re-read it before writing.");
      }
      await work(id, mayWrite);
    } catch (error) {
      throw this.#worded(error);
    }
    // Whoever lost the lock meanwhile must not go on as if the record were certainly theirs.
    mayWrite();
  }

  #assertMayWrite(key: string, lock: LockHandle): void {
    if (!this.#locks.isLockOf(lock, key)) {
      throw failure("the lock handed in is not one that this store gave out for this key.");
    }
    lock.assertHeld();
  }

  #worded(error: unknown): McpOAuthError {
    if (error instanceof McpOAuthError) {
      return error.code === "store_failed" ? error : failure(error.message, error);
    }
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    const reasons: Record<string, string> = {
      ENOSPC: "the disk is full. Free some space and try again.",
      EROFS: `${this.#directory} is on a read-only file system. Choose another \`directory\`.`,
      EACCES: `${this.#directory} cannot be written. Make it writable for this user.`,
    };
    return failure(reasons[code] ?? `the file system refused (${code}). Try again.`, error);
  }
}

function failure(why: string, cause?: unknown): McpOAuthError {
  const details = cause === undefined ? {} : { cause };
  return new McpOAuthError("store_failed", `The encrypted file was not changed: ${why}`, details);
}
