import type { Clock } from "../core/clock.ts";
import { compact } from "../core/compact.ts";
import { DEFAULT_REQUEST_TIMEOUT_MS } from "../core/http.ts";
import type { KeysOptions, LockOptions, TokenStore } from "../ports/token-store.ts";
import {
  activeCredential,
  type Credential,
  isStaticCredential,
  parseStoreKey,
  type SessionKey,
  type SessionRecord,
  scopeRequestedAt,
  storeKey,
  withCredential,
} from "./credential.ts";
import { momentsOf, type TokenMoments } from "./freshness.ts";
import { readSession } from "./read-session.ts";
import type { Unwritten } from "./refresh-transaction.ts";
import {
  keptByPolicy,
  policyFor,
  type SessionPolicy,
  type SessionPolicyOption,
  usableCredential,
} from "./session-policy.ts";
import { serializeSession } from "./session-record.ts";

/** A session in memory, with what the hot path needs worked out. */
export interface LoadedSession {
  /** Its store key: the one text of it that is kept by whatever names this session. */
  readonly name: string;
  readonly record: SessionRecord;
  readonly credential: Credential | undefined;
  readonly moments: TokenMoments;
  /** Absent where nothing but the tokens limits the session. */
  readonly policy?: SessionPolicy;
}

export interface StoredSessionsOptions {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly refreshAt: number;
  readonly sessionPolicy?: SessionPolicyOption;
  /** How long a request to an authorization server may take. Default 30,000. */
  readonly requestTimeoutMs?: number;
  /** Told whenever a session in memory changes; `undefined` when it is gone. */
  readonly onChange: (name: string, session: LoadedSession | undefined) => void;
}

/**
 * Called with all that a session holds before it is removed.
 *
 * @param unread why the store could not say what it holds; `undefined` where it did.
 */
export type BeforeRemoval = (credentials: readonly Credential[], unread: unknown) => Promise<void>;

/** A refresh sends its request once more where the server asks for a nonce (RFC 9449 section 8). */
const REQUESTS_PER_REFRESH = 2;
/** For all else that happens under a lock: a keychain asks somebody to unlock it, or a process is frozen and is replaced. */
const LOCK_MARGIN_MS = 60_000;

const NO_MOMENTS: TokenMoments = { issuedAt: 0, dueAt: 0, expiredAt: 0 };

/** A record without its journal, which each refresh reads anew from the store; what failed is kept, to be shown. */
function keptInMemory({ journal, ...record }: SessionRecord): SessionRecord {
  const credentials = compact(record.credentials);
  return compact({ ...record, credentials, ...(journal?.failure !== undefined && { journal }) });
}

/**
 * The sessions of a store, each read once and kept in memory from then on, its absence too. Changes are made under the
 * session's lock, on what the store has at that moment.
 */
export class StoredSessions {
  readonly #options: StoredSessionsOptions;
  readonly #sessions = new Map<string, LoadedSession | null>();
  readonly #loading = new Map<string, Promise<LoadedSession | undefined>>();
  readonly #unwritten = new Map<string, Unwritten>();
  /**
   * How long a sign-in and a sign-out wait for a session's lock: longer than others hold it, since giving up would throw a
   * completed sign-in away.
   */
  readonly #patienceMs: number;

  constructor(options: StoredSessionsOptions) {
    this.#options = options;
    const { requestTimeoutMs = DEFAULT_REQUEST_TIMEOUT_MS } = options;
    this.#patienceMs = REQUESTS_PER_REFRESH * requestTimeoutMs + LOCK_MARGIN_MS;
  }

  /** The session if it is in memory: no I/O, no waiting. */
  loaded(name: string): LoadedSession | undefined {
    return this.#sessions.get(name) ?? undefined;
  }

  /** The session, from memory or else from the store; `undefined` when there is none. */
  async load(name: string): Promise<LoadedSession | undefined> {
    const known = this.#sessions.get(name);
    return known === undefined ? this.reload(name) : (known ?? undefined);
  }

  /** The session as the store has it now. */
  async reload(name: string): Promise<LoadedSession | undefined> {
    const running = this.#loading.get(name);
    if (running !== undefined) return running;
    const loading = this.#read(name).finally(() => this.#loading.delete(name));
    this.#loading.set(name, loading);
    return loading;
  }

  /** The keys of all sessions in the store, or of those that it can tell. */
  async list(options?: KeysOptions): Promise<SessionKey[]> {
    const keys = await this.#options.store.keys(options);
    return keys.map(parseStoreKey).filter((key) => key !== undefined);
  }

  /** Takes in a record that the store has. */
  remember(given: string, record: SessionRecord): LoadedSession {
    const { sessionPolicy, refreshAt } = this.#options;
    const name = this.#sessions.get(given)?.name ?? given;
    const credential = usableCredential(sessionPolicy, record);
    const session = compact<LoadedSession>({
      name,
      record: keptInMemory(record),
      credential,
      moments: credential === undefined ? NO_MOMENTS : momentsOf(credential, refreshAt),
      ...(sessionPolicy !== undefined && { policy: policyFor(sessionPolicy, record) }),
    });
    this.#sessions.set(name, session);
    this.#options.onChange(name, session);
    return session;
  }

  /** Drops a session from memory; the next load reads the store. */
  drop(name: string): void {
    this.#sessions.delete(name);
    this.#options.onChange(name, undefined);
  }

  /** Keeps in memory what could not be written, until it can be. */
  keepUnwritten(name: string, unwritten: Unwritten): void {
    this.#unwritten.set(name, unwritten);
  }

  /** Whether there is something in memory that could not be written. */
  hasUnwritten(name: string): boolean {
    return this.#unwritten.has(name);
  }

  /**
   * Writes what could not be written before, if there is such a thing. Whoever has signed in, refreshed or signed out
   * since counts more: their session is neither overwritten nor brought back.
   */
  async writeUnwritten(name: string): Promise<void> {
    const unwritten = this.#unwritten.get(name);
    if (unwritten === undefined) return;
    const { credential, journal, replaced } = unwritten;
    await this.#underLock(name, async (write) => {
      const stored = await this.#stored(name);
      const current = activeCredential(stored);
      const isOvertaken = current !== undefined && current.accessToken.reveal() !== replaced.reveal();
      if (stored !== undefined && !isOvertaken) await write({ ...withCredential(stored, credential), journal });
    });
    this.#unwritten.delete(name);
  }

  /** Tries once more, for the last time, to write what could not be written before. */
  async writeAllUnwritten(): Promise<void> {
    await Promise.allSettled([...this.#unwritten.keys()].map((name) => this.writeUnwritten(name)));
  }

  /** Changes a stored session; `undefined` when there is none. */
  async rewrite(name: string, change: (record: SessionRecord) => SessionRecord): Promise<SessionRecord | undefined> {
    return this.#underLock(name, async (write) => {
      const stored = await this.#stored(name);
      if (stored === undefined) {
        this.#markAbsent(name);
        return undefined;
      }
      const record = change(stored);
      if (record !== stored) await write(record);
      this.remember(name, record);
      return record;
    });
  }

  /** Writes what a sign-in gave and makes it the credential in use. */
  async save(key: SessionKey, credential: Credential): Promise<void> {
    const name = storeKey(key);
    const kept = keptByPolicy(policyFor(this.#options.sessionPolicy, key), credential);
    const work = async (write: (record: SessionRecord) => Promise<void>): Promise<void> => {
      const before = await this.#stored(name);
      // A key that the host has set comes from no authorization server.
      const isStatic = isStaticCredential(kept);
      const requestedBefore = isStatic ? before?.requestedScope : scopeRequestedAt(before, kept.issuer);
      const requestedScope = kept.requestedScope ?? requestedBefore;
      const lastIssuer = isStatic ? before?.lastIssuer : kept.issuer;
      const record: SessionRecord = {
        ...key,
        activeIssuer: kept.issuer,
        ...(lastIssuer !== undefined && { lastIssuer }),
        credentials: { ...before?.credentials, [kept.issuer]: kept },
        lastUsedAt: this.#options.clock.now(),
        ...(requestedScope !== undefined && { requestedScope }),
      };
      await write(record);
      this.#unwritten.delete(name);
      this.remember(name, record);
    };
    await this.#underLock(name, work, { timeoutMs: this.#patienceMs });
  }

  /**
   * Removes a session from the store and from memory, whatever state it is in.
   *
   * @param beforehand gets all that the session holds, also what could not be written yet, while nobody can refresh it.
   */
  async remove(key: SessionKey, beforehand?: BeforeRemoval): Promise<void> {
    const { store } = this.#options;
    const name = storeKey(key);
    const lock = await store.lock(name, { timeoutMs: this.#patienceMs });
    try {
      try {
        if (beforehand !== undefined) await this.#readForRemoval(name, beforehand);
      } finally {
        await store.delete(name, lock);
        this.#unwritten.delete(name);
        this.#markAbsent(name);
      }
    } finally {
      await lock.release();
    }
  }

  /** What cannot be read gives nothing here: it can be removed all the same. */
  async #readForRemoval(name: string, beforehand: BeforeRemoval): Promise<void> {
    let stored: SessionRecord | undefined;
    let unread: unknown;
    try {
      stored = await this.#stored(name);
    } catch (error) {
      unread = error;
    }
    const unwritten = this.#unwritten.get(name)?.credential;
    const kept = Object.values(stored?.credentials ?? {}).filter(({ issuer }) => issuer !== unwritten?.issuer);
    await beforehand(unwritten === undefined ? kept : [...kept, unwritten], unread);
  }

  async #read(name: string): Promise<LoadedSession | undefined> {
    const before = this.#sessions.get(name);
    // Tokens are not handed out before a crash can no longer lose them.
    await this.writeUnwritten(name);
    const record = await this.#stored(name);
    const meanwhile = this.#sessions.get(name);
    // What was written while we read is newer than what we read.
    if (meanwhile !== undefined && meanwhile !== before) return meanwhile ?? undefined;
    if (record !== undefined) return this.remember(name, record);
    this.#markAbsent(name);
    return undefined;
  }

  #stored(name: string): Promise<SessionRecord | undefined> {
    return readSession(this.#options.store, name);
  }

  #markAbsent(name: string): void {
    this.#sessions.set(name, null);
    this.#options.onChange(name, undefined);
  }

  async #underLock<Result>(
    name: string,
    work: (write: (record: SessionRecord) => Promise<void>) => Promise<Result>,
    wait: LockOptions = {},
  ): Promise<Result> {
    const { store } = this.#options;
    const lock = await store.lock(name, wait);
    try {
      return await work((record) => store.set(name, serializeSession(record), lock));
    } finally {
      await lock.release();
    }
  }
}
