import type { McpOAuthError } from "../core/errors.ts";

/**
 * One stored text and the number that its writer's lock had.
 *
 * The text is a JSON record with secrets in it: a store must never write it anywhere in the clear.
 */
export interface StoredRecord {
  readonly value: string;
  /** The {@link LockHandle.fence} under which it was written. */
  readonly fence: number;
}

/** A lock that is held. */
export interface LockHandle {
  /**
   * Grows with every acquisition of the same key, for ever and in every process: what was written under a higher
   * number is newer.
   */
  readonly fence: number;
  /** Aborts when the lock has been lost (its owner was taken for dead and another has taken over). */
  readonly lost: AbortSignal;
  /** Gives the lock up. Never rejects; calling it again does nothing. */
  release(): Promise<void>;
}

/** How long to wait for a lock. */
export interface LockOptions {
  /** How long to wait for the present owner, in milliseconds. Default 30,000. `0` tries once. */
  timeoutMs?: number;
  /** Ends the waiting. */
  signal?: AbortSignal;
}

/** How to list keys. */
export interface KeysOptions {
  /**
   * Told, with a `store_unreadable`, of each record whose key is part of what cannot be read, which is then left out.
   * Without it, such a record makes the promise reject. A store that always knows its keys need not look at this.
   */
  onUnreadable?: (error: McpOAuthError) => void;
}

/**
 * Where credentials live. Implement it to use your own vault or database, and prove the implementation with
 * `testTokenStore` from `mcp-oauth-client/testing`.
 *
 * Keys are texts of any length and with any characters (encode them, never strip: two keys must not meet). Values are
 * up to 256 KiB of text with any characters.
 *
 * Locks are part of the contract because "read, refresh, write" must be one step for everybody who shares the store.
 */
export interface TokenStore {
  /** What kind of store this is, for events and messages: `memory`, `keychain`, `encrypted-file` or a name of yours. */
  readonly kind: string;
  /**
   * Reads a record.
   *
   * @returns the record, or `undefined` only when there is none.
   * @throws `store_unreadable` when something is there that cannot be read (locked, damaged, foreign): it must not be
   * taken for absent, since that would make users sign in again and overwrite it.
   */
  get(key: string): Promise<StoredRecord | undefined>;
  /**
   * Writes a record durably: once the promise resolves, a crash cannot undo it, and a crash before leaves the old one.
   *
   * @throws `store_failed` when the lock is no longer the newest of its key (fencing), or when writing failed; the old
   * record is then still there.
   */
  set(key: string, value: string, lock: LockHandle): Promise<void>;
  /**
   * Removes a record; nothing happens when there is none.
   *
   * @throws `store_failed` as {@link TokenStore.set} does.
   */
  delete(key: string, lock: LockHandle): Promise<void>;
  /**
   * The keys of all records, in any order.
   *
   * @throws `store_unreadable` when that cannot be told of all, unless `onUnreadable` is there to be told.
   */
  keys(options?: KeysOptions): Promise<string[]>;
  /**
   * Takes the lock of a key; at most one owner exists among everybody who shares the store. The lock of an owner that
   * died is free again within five seconds.
   *
   * @throws `lock_timeout` when `timeoutMs` passed; the signal's reason when aborted.
   */
  lock(key: string, options?: LockOptions): Promise<LockHandle>;
  /** Lets go of what the store holds open. It is not used afterwards. */
  close?(): Promise<void>;
}
