import { systemClock } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { LockHandle, LockOptions, StoredRecord, TokenStore } from "../ports/token-store.ts";
import { DEFAULT_LOCK_TIMEOUT_MS, WaitingLine } from "./file-lock/waiting-line.ts";

/**
 * A store that forgets everything when the process ends. Nothing touches the disk. Each call makes a store of its own.
 *
 * Its errors: `lock_timeout` from `lock`, `store_failed` for a write under a lock that is no longer held.
 */
export function memoryStore(): TokenStore {
  return new MemoryStore();
}

class MemoryStore implements TokenStore {
  readonly kind = "memory";
  readonly #records = new Map<string, StoredRecord>();
  readonly #line = new WaitingLine();
  readonly #owners = new Map<string, LockHandle>();
  // One counter for all keys: it grows for each of them, and needs no memory for keys that are gone.
  #fence = 0;

  async get(key: string): Promise<StoredRecord | undefined> {
    return this.#records.get(key);
  }

  async set(key: string, value: string, lock: LockHandle): Promise<void> {
    this.#assertOwner(key, lock);
    this.#records.set(key, { value, fence: lock.fence });
  }

  async delete(key: string, lock: LockHandle): Promise<void> {
    this.#assertOwner(key, lock);
    this.#records.delete(key);
  }

  async keys(): Promise<string[]> {
    return [...this.#records.keys()];
  }

  async lock(key: string, options: LockOptions = {}): Promise<LockHandle> {
    const timeoutMs = options.timeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS;
    const endTurn = await this.#line.take(key, timeoutMs, options.signal, systemClock);
    this.#fence += 1;
    const handle: LockHandle = {
      fence: this.#fence,
      // Nobody can take a lock away from within the same process, so this never aborts.
      lost: new AbortController().signal,
      release: async () => {
        if (this.#owners.get(key) === handle) this.#owners.delete(key);
        endTurn();
      },
    };
    this.#owners.set(key, handle);
    return handle;
  }

  #assertOwner(key: string, lock: LockHandle): void {
    if (this.#owners.get(key) === lock) return;
    throw new McpOAuthError(
      "store_failed",
      "The record was not written: the lock handed in is not, or no longer, the one that is held for this key. Take the lock again and re-read the record before writing.",
    );
  }
}
