import type { EventHub } from "../core/events.ts";
import type { Secret } from "../core/secret.ts";
import { waitFor } from "../core/wait-for.ts";
import type { KeysOptions } from "../ports/token-store.ts";
import type { FailureRow } from "./backoff.ts";
import { type Credential, isRenewable, type SessionKey, storeKey } from "./credential.ts";
import { EndedSessions } from "./ended-sessions.ts";
import { freshnessOf, wakeAt } from "./freshness.ts";
import { PolicyWatch } from "./policy-watch.ts";
import type { RefreshContext, RefreshStep } from "./refresh-transaction.ts";
import { Refresher, signInRequired } from "./refresher.ts";
import { Schedule } from "./schedule.ts";
import { type BeforeRemoval, type LoadedSession, StoredSessions } from "./stored-sessions.ts";

export interface CoordinatorOptions extends Omit<RefreshContext, "remember" | "onStep"> {
  readonly events: EventHub;
  readonly onRefreshStep?: (step: RefreshStep) => void | Promise<void>;
  /** How long a request to an authorization server may take. Default 30,000. */
  readonly requestTimeoutMs?: number;
}

/**
 * The only writer of sessions. It keeps them in memory, refreshes each at most once at a time however many ask, wakes up
 * for those that are due, and never lets go of a session for a fault that may pass.
 */
export class TokenCoordinator {
  readonly #options: CoordinatorOptions;
  readonly #sessions: StoredSessions;
  readonly #ended: EndedSessions;
  readonly #refresher: Refresher;
  readonly #policies: PolicyWatch;
  readonly #schedule: Schedule;
  /** The sessions that somebody uses; those that were only looked at are not kept alive. */
  readonly #used = new Set<string>();
  #closed = false;

  constructor(options: CoordinatorOptions) {
    const { clock, events, onRefreshStep } = options;
    this.#options = options;
    this.#schedule = new Schedule(clock, (name) => this.#wake(name));
    const sessions = new StoredSessions({ ...options, onChange: (name, session) => this.#reschedule(name, session) });
    const ended = new EndedSessions(events);
    this.#sessions = sessions;
    this.#ended = ended;
    this.#policies = new PolicyWatch({ clock, sessions, ended });
    this.#refresher = new Refresher({
      ...options,
      sessions,
      ended,
      onRetryAt: (name, retryAt) => this.#setWake(name, retryAt),
      onStep: onRefreshStep,
    });
  }

  /** The session if it is in memory: no I/O, no waiting. */
  loaded(key: SessionKey): LoadedSession | undefined {
    return this.#sessions.loaded(storeKey(key));
  }

  /** The session, from memory or else from the store; `undefined` when there is none. */
  load(key: SessionKey): Promise<LoadedSession | undefined> {
    return this.#sessions.load(storeKey(key));
  }

  /**
   * Reads a session that will be asked for soon, and begins the refresh that whoever asks would wait for. One under a policy
   * is only read: it is used by those who ask.
   *
   * @throws what those who ask will meet as well.
   */
  async prepare(key: SessionKey): Promise<void> {
    const session = await this.load(key);
    const { credential, policy } = session ?? {};
    if (session === undefined || credential === undefined || policy !== undefined || !isRenewable(credential)) return;
    if (freshnessOf(session.moments, this.#options.clock.now()) === "expired")
      await this.#refresher.refresh(key, credential);
  }

  /** The session as the store has it now. */
  reload(key: SessionKey): Promise<LoadedSession | undefined> {
    return this.#sessions.reload(storeKey(key));
  }

  /** All sessions in the store, or those that it can tell. */
  list(options?: KeysOptions): Promise<SessionKey[]> {
    return this.#sessions.list(options);
  }

  /** The credential that {@link TokenCoordinator.credential} would give, if that needs nothing but a look at the clock. */
  freshCredential(name: string, minTtlMs: number): Credential | undefined {
    const session = this.#sessions.loaded(name);
    // Its first use is noted, and so is each one under a policy.
    if (session === undefined || session.policy !== undefined || !this.#used.has(name)) return undefined;
    const isFresh = freshnessOf(session.moments, this.#options.clock.now(), minTtlMs) === "fresh";
    return isFresh ? session.credential : undefined;
  }

  /**
   * A credential that can be used now. A fresh one comes at once; one that is due comes at once and is refreshed in the
   * background; for an expired one everybody waits for the same refresh, which no caller's abort aborts.
   *
   * @returns `undefined` when there is no session.
   * @throws `sign_in_required`, `refresh_failed`, `store_unreadable`, `store_failed`, `aborted`, `closed`.
   */
  async credential(
    key: SessionKey,
    options: { minTtlMs?: number; signal?: AbortSignal } = {},
  ): Promise<Credential | undefined> {
    const name = storeKey(key);
    const found = this.#sessions.loaded(name) ?? (await waitFor(this.#sessions.load(name), options.signal));
    if (found?.credential === undefined) return undefined;
    this.#noteUse(name, found);
    const session = await this.#withinPolicy(key, found, found.credential);
    const { credential, moments } = session;
    if (credential === undefined) return undefined;
    const freshness = freshnessOf(moments, this.#options.clock.now(), options.minTtlMs);
    if (freshness === "fresh") return credential;
    if (freshness === "expired") return this.#refreshed(key, credential, options.signal);
    this.#refreshInBackground(key, session, credential);
    return credential;
  }

  /**
   * A credential other than the one that a server refused: the one that somebody else has got meanwhile, or the result
   * of one forced refresh.
   *
   * @throws as {@link TokenCoordinator.credential}; `sign_in_required` when there is nothing to refresh with.
   */
  async renew(key: SessionKey, refused: Secret, signal?: AbortSignal): Promise<Credential> {
    const session = await waitFor(this.load(key), signal);
    const credential = session?.credential;
    if (session === undefined || credential === undefined) throw signInRequired(key, "there is no session");
    this.#noteUse(storeKey(key), session);
    const isOther = credential.accessToken.reveal() !== refused.reveal();
    if (isOther && freshnessOf(session.moments, this.#options.clock.now()) !== "expired") return credential;
    return this.#refreshed(key, credential, signal);
  }

  /** Writes what a sign-in gave and makes it the credential in use. */
  async save(key: SessionKey, credential: Credential): Promise<void> {
    this.#used.add(storeKey(key));
    await this.#sessions.save(key, credential);
    this.#startOver(key);
  }

  /** Forgets what earlier sign-ins asked for, at an authorization server that does not know it any more. */
  async forgetRequestedScope(key: SessionKey): Promise<void> {
    await this.#sessions.rewrite(storeKey(key), ({ requestedScope: _unknown, ...record }) => record);
  }

  /**
   * Removes a session from the store and from memory, whatever state it is in.
   *
   * @param beforehand gets all that the session holds, while nobody can refresh it; the session is removed whatever comes
   * of that.
   */
  async remove(key: SessionKey, beforehand?: BeforeRemoval): Promise<void> {
    await this.#sessions.remove(key, beforehand);
    this.#used.delete(storeKey(key));
    this.#startOver(key);
  }

  /** The present row of refresh failures, if there is one. */
  failures(key: SessionKey): FailureRow | undefined {
    const credential = this.loaded(key)?.credential;
    return credential === undefined ? undefined : this.#refresher.failures(key, credential);
  }

  /** Stops the timer and waits for refreshes under way, so that no rotated token is lost. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#schedule.clear();
    await this.#refresher.close();
    await this.#policies.close();
    await this.#sessions.writeAllUnwritten();
  }

  #startOver(key: SessionKey): void {
    this.#refresher.forget(key);
    this.#ended.forget(key);
  }

  /** Whoever has given up already begins nothing. */
  #refreshed(key: SessionKey, stale: Credential, signal: AbortSignal | undefined): Promise<Credential> {
    const refreshing = signal?.aborted === true ? Promise.resolve(stale) : this.#refresher.refresh(key, stale);
    return waitFor(refreshing, signal);
  }

  #noteUse(name: string, session: LoadedSession): void {
    if (this.#used.has(name)) return;
    this.#used.add(name);
    this.#reschedule(name, session);
  }

  #reschedule(name: string, session: LoadedSession | undefined): void {
    const isKeptAlive = session?.credential !== undefined && isRenewable(session.credential) && this.#used.has(name);
    this.#setWake(name, isKeptAlive ? wakeAt(session.moments) : Number.POSITIVE_INFINITY);
  }

  #setWake(name: string, at: number): void {
    if (!this.#closed) this.#schedule.set(name, at);
  }

  /** One that has expired meanwhile, because the machine slept, waits until somebody needs it. */
  #wake(name: string): void {
    const session = this.#sessions.loaded(name);
    const credential = session?.credential;
    if (session === undefined || credential === undefined) return;
    const freshness = freshnessOf(session.moments, this.#options.clock.now());
    // What was received and could not be written must not wait until somebody needs it: it is kept nowhere else.
    const isToBeTried = freshness === "due" || this.#sessions.hasUnwritten(name);
    if (isToBeTried) this.#refreshInBackground(session.record, session, credential);
    // Woken for another try of somebody who wanted more of it than there was to have.
    else if (freshness === "fresh") this.#reschedule(name, session);
  }

  #withinPolicy(
    key: SessionKey,
    session: LoadedSession,
    credential: Credential,
  ): LoadedSession | Promise<LoadedSession> {
    const { policy } = session;
    return policy === undefined ? session : this.#policies.require(key, { session, credential, policy });
  }

  /** A session that its policy has ended is not kept alive; the next caller is told. */
  #refreshInBackground({ server, account }: SessionKey, session: LoadedSession, credential: Credential): void {
    const { policy } = session;
    if (!isRenewable(credential)) return;
    if (policy !== undefined && !this.#policies.allows({ session, credential, policy })) return;
    this.#refresher.refreshInBackground({ server, account }, credential);
  }
}
