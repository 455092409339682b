import { type Clock, delay } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { EventHub } from "../core/events.ts";
import type { Http } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import { waitFor } from "../core/wait-for.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import type { IssuerProfiles } from "../endpoint/issuer-profile.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import type { TokenStore } from "../ports/token-store.ts";
import { afterFailure, type FailureRow } from "./backoff.ts";
import {
  activeCredential,
  type Credential,
  isRenewable,
  parseStoreKey,
  type SessionKey,
  storeKey,
  withoutCredential,
} from "./credential.ts";
import { freshnessOf } from "./freshness.ts";
import {
  type RefreshOutcome,
  type RefreshStep,
  refreshTransaction,
  UnwrittenRecordError,
} from "./refresh-transaction.ts";
import { Schedule } from "./schedule.ts";
import { endedByPolicy, type SessionPolicy, type SessionPolicyOption, shouldNoteUse } from "./session-policy.ts";
import { type LoadedSession, StoredSessions } from "./stored-sessions.ts";

export interface CoordinatorOptions {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly http: Http;
  readonly events: EventHub;
  /** The share of a token's lifetime after which it is refreshed. */
  readonly refreshAt: number;
  readonly profiles?: IssuerProfiles;
  readonly sessionPolicy?: SessionPolicyOption;
  readonly completeClient: (client: OAuthClient, authorizationServer: AuthorizationServerMetadata) => OAuthClient;
  readonly renewByGrant?: (session: SessionKey, credential: Credential) => Promise<Credential> | undefined;
  readonly onClientForgotten: (client: OAuthClient, server: string) => Promise<void>;
  readonly onRefreshStep?: (step: RefreshStep) => void | Promise<void>;
}

/** How often a waiting caller's refresh is tried before the caller is told. */
const ATTEMPTS_FOR_WAITERS = 3;
/** The longest pause that a waiting caller sits through. */
const LONGEST_PAUSE_MS = 5000;
const FAILURES_TO_REPORT = 3;
const REFUSALS_TO_GIVE_UP = 3;

/**
 * The only writer of sessions. It keeps them in memory, refreshes each at most once at a time however many ask, wakes up
 * for those that are due, and never lets go of a session for a fault that may pass.
 */
export class TokenCoordinator {
  readonly #options: CoordinatorOptions;
  readonly #sessions: StoredSessions;
  readonly #refreshing = new Map<string, Promise<Credential>>();
  readonly #failures = new Map<string, FailureRow>();
  readonly #ended = new Set<string>();
  readonly #schedule: Schedule;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    this.#schedule = new Schedule(options.clock, (key) => this.#refreshInBackground(key));
    this.#sessions = new StoredSessions({ ...options, onChange: (name, session) => this.#reschedule(name, session) });
  }

  /** The session if it is in memory: no I/O, no waiting. */
  loaded(key: SessionKey): LoadedSession | undefined {
    return this.#sessions.loaded(storeKey(key));
  }

  /** The session, from memory or else from the store; `undefined` when there is none. */
  load(key: SessionKey): Promise<LoadedSession | undefined> {
    return this.#sessions.load(storeKey(key));
  }

  /** The session as the store has it now. */
  reload(key: SessionKey): Promise<LoadedSession | undefined> {
    return this.#sessions.reload(storeKey(key));
  }

  /** All sessions in the store. */
  list(): Promise<SessionKey[]> {
    return this.#sessions.list();
  }

  /**
   * A credential that can be used now. A fresh one comes at once; one that is due comes at once and is refreshed in the
   * background; for an expired one everybody waits for the same refresh, which no caller's abort aborts.
   *
   * @returns `undefined` when there is no session.
   * @throws `sign_in_required`, `refresh_failed`, `store_unreadable`, `store_failed`, `aborted`.
   */
  async credential(
    key: SessionKey,
    options: { minTtlMs?: number; signal?: AbortSignal } = {},
  ): Promise<Credential | undefined> {
    const session = this.loaded(key) ?? (await waitFor(this.load(key), options.signal));
    if (session?.credential === undefined) return undefined;
    if (session.policy !== undefined) await this.#requireWithinPolicy(key, session, session.credential, session.policy);
    const freshness = freshnessOf(session.moments, this.#options.clock.now(), options.minTtlMs);
    if (freshness === "fresh") return session.credential;
    const name = storeKey(key);
    if (freshness === "due") {
      this.#refreshInBackground(name);
      return session.credential;
    }
    return waitFor(this.#refreshOnce(name, session.credential, true), options.signal);
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
    if (credential === undefined) throw this.#signInRequired(key, "there is no session");
    if (credential.accessToken.reveal() !== refused.reveal()) return credential;
    return waitFor(this.#refreshOnce(storeKey(key), credential, true), signal);
  }

  /** Writes what a sign-in gave and makes it the credential in use. */
  async save(key: SessionKey, credential: Credential): Promise<void> {
    await this.#sessions.save(key, credential);
    this.#startOver(storeKey(key));
  }

  /** Removes a session from the store and from memory, whatever state it is in. */
  async remove(key: SessionKey): Promise<void> {
    await this.#sessions.remove(key);
    this.#startOver(storeKey(key));
  }

  /** The present row of refresh failures, if there is one. */
  failures(key: SessionKey): FailureRow | undefined {
    return this.#failures.get(storeKey(key));
  }

  /** Stops the timer and waits for refreshes under way, so that no rotated token is lost. */
  async close(): Promise<void> {
    this.#schedule.clear();
    await Promise.allSettled(this.#refreshing.values());
    this.#schedule.clear();
  }

  #startOver(name: string): void {
    this.#failures.delete(name);
    this.#ended.delete(name);
  }

  #reschedule(name: string, session: LoadedSession | undefined): void {
    const renewable = session?.credential !== undefined && isRenewable(session.credential);
    this.#schedule.set(name, renewable ? session.moments.dueAt : Number.POSITIVE_INFINITY);
  }

  /** Ends a session that the host's policy no longer allows, and otherwise notes that it is in use. */
  async #requireWithinPolicy(
    key: SessionKey,
    session: LoadedSession,
    credential: Credential,
    policy: SessionPolicy,
  ): Promise<void> {
    const nowMs = this.#options.clock.now();
    const notedAt = session.record.lastUsedAt ?? credential.issuedAt;
    const reason = endedByPolicy(policy, credential, notedAt, nowMs);
    if (reason === undefined && !shouldNoteUse(policy, notedAt, nowMs)) return;
    const name = storeKey(key);
    const record = await this.#sessions.rewrite(name, (stored) => {
      const current = activeCredential(stored);
      if (current === undefined || reason === undefined) return { ...stored, lastUsedAt: nowMs };
      if (endedByPolicy(policy, current, stored.lastUsedAt ?? current.issuedAt, nowMs) === undefined) return stored;
      return withoutCredential(stored, current.issuer);
    });
    if (record !== undefined && activeCredential(record) !== undefined) return;
    const error = this.#signInRequired(key, reason ?? "it was signed out elsewhere");
    this.#ended.add(name);
    this.#options.events.emit("sign_in_required", { ...key, issuer: credential.issuer, reason: error.message });
    throw error;
  }

  #refreshInBackground(name: string): void {
    const session = this.#sessions.loaded(name);
    const credential = session?.credential;
    if (credential === undefined || !isRenewable(credential) || this.#refreshing.has(name)) return;
    // A session that its policy has ended is not kept alive; the next caller is told.
    const lastUsedAt = session?.record.lastUsedAt ?? credential.issuedAt;
    if (
      session?.policy !== undefined &&
      endedByPolicy(session.policy, credential, lastUsedAt, this.#options.clock.now()) !== undefined
    )
      return;
    const retryAt = this.#failures.get(name)?.retryAt ?? 0;
    if (retryAt > this.#options.clock.now()) return;
    // Its failure has been told by events, and callers meet it when the token has expired.
    this.#refreshOnce(name, credential, false).catch(() => undefined);
  }

  #refreshOnce(name: string, stale: Credential, awaited: boolean): Promise<Credential> {
    const running = this.#refreshing.get(name);
    if (running !== undefined) return running;
    const refreshing = this.#refresh(name, stale, awaited).finally(() => this.#refreshing.delete(name));
    this.#refreshing.set(name, refreshing);
    return refreshing;
  }

  async #refresh(name: string, stale: Credential, awaited: boolean): Promise<Credential> {
    for (let attempt = 1; ; attempt++) {
      this.#requireNotPaused(name, awaited && attempt > 1);
      try {
        await this.#sessions.writeUnwritten(name);
        return this.#succeeded(
          name,
          await refreshTransaction(this.#transactionContext(), { key: name, stale: stale.accessToken }),
        );
      } catch (error) {
        const row = this.#failed(name, stale, error);
        const pauseMs = row.retryAt - this.#options.clock.now();
        // A definite refusal is not asked again in the same breath.
        if (!awaited || row.refusals > 0 || attempt >= ATTEMPTS_FOR_WAITERS || pauseMs > LONGEST_PAUSE_MS)
          throw this.#refreshFailed(name, row);
        await delay(this.#options.clock, pauseMs);
      }
    }
  }

  #transactionContext(): Parameters<typeof refreshTransaction>[0] {
    const { onRefreshStep, ...options } = this.#options;
    return { ...options, ...(onRefreshStep !== undefined && { onStep: onRefreshStep }) };
  }

  /** Nobody sends while a pause after failures lasts. */
  #requireNotPaused(name: string, pauseIsOver: boolean): void {
    const row = this.#failures.get(name);
    if (row === undefined || pauseIsOver || row.retryAt <= this.#options.clock.now()) return;
    throw this.#refreshFailed(name, row);
  }

  #succeeded(name: string, outcome: RefreshOutcome): Credential {
    const { events, clock } = this.#options;
    this.#failures.delete(name);
    const { credential, record } = this.#sessions.remember(name, outcome.record);
    if (credential === undefined) throw this.#signInRequired(record, "it was signed out elsewhere");
    const told = {
      server: record.server,
      account: record.account,
      issuer: credential.issuer,
      ...(credential.expiresAt !== undefined && { expiresAt: credential.expiresAt }),
    };
    if (outcome.how === "adopted") events.emit("token_adopted", told);
    else {
      events.emit("token_refreshed", {
        ...told,
        durationMs: Math.max(clock.now() - (record.journal?.sentAt ?? clock.now()), 0),
        rotated: outcome.rotated,
        ...(credential.scope !== undefined && { scope: credential.scope }),
      });
    }
    return credential;
  }

  /** Notes a failure that may pass; rethrows one that ends the session or cannot be retried. */
  #failed(name: string, stale: Credential, thrown: unknown): FailureRow {
    const { events, clock } = this.#options;
    if (thrown instanceof UnwrittenRecordError) this.#sessions.keepUnwritten(name, thrown.record);
    const error = thrown instanceof UnwrittenRecordError ? thrown.error : thrown;
    const key = parseStoreKey(name);
    if (!(error instanceof McpOAuthError) || key === undefined) throw error;
    if (error.code === "sign_in_required") throw this.#over(name, key, error);
    if (error.code === "store_unreadable" || error.code === "store_failed") throw error.withContext(key);
    const row = afterFailure(this.#failures.get(name), error, clock.now());
    this.#failures.set(name, row);
    this.#schedule.set(name, row.retryAt);
    const told = { ...key, issuer: stale.issuer, code: error.code, failures: row.failures, retryAt: row.retryAt };
    events.emit("refresh_failed", told);
    if (row.failures === FAILURES_TO_REPORT) events.emit("refresh_failing", told);
    if (row.refusals >= REFUSALS_TO_GIVE_UP) {
      throw this.#over(name, key, this.#signInRequired(key, `${stale.issuer} keeps refusing to refresh it`, error));
    }
    return row;
  }

  /** The session is over: said once, and the next load sees what the store has. */
  #over(name: string, key: SessionKey, error: McpOAuthError): McpOAuthError {
    this.#sessions.drop(name);
    const told = error.withContext({ server: key.server });
    if (!this.#ended.has(name)) {
      this.#ended.add(name);
      this.#options.events.emit("sign_in_required", { ...key, reason: told.message });
    }
    return told;
  }

  #refreshFailed(name: string, row: FailureRow): McpOAuthError {
    const server = parseStoreKey(name)?.server ?? name;
    const retryAfterMs = Math.max(row.retryAt - this.#options.clock.now(), 0);
    return new McpOAuthError(
      "refresh_failed",
      `The token for ${server} could not be refreshed (${row.failures} in a row; last: ${row.error.message}) ` +
        `The session is kept; try again in ${Math.ceil(retryAfterMs / 1000)} s.`,
      {
        cause: row.error,
        server,
        retryAfterMs,
        ...(row.error.issuer !== undefined && { issuer: row.error.issuer }),
        ...(row.error.oauthError !== undefined && { oauthError: row.error.oauthError }),
        ...(row.error.status !== undefined && { status: row.error.status }),
      },
    );
  }

  #signInRequired({ server }: SessionKey, reason: string, cause?: unknown): McpOAuthError {
    const message = `The session at ${server} cannot be used: ${reason}. Sign in again.`;
    return new McpOAuthError("sign_in_required", message, { server, ...(cause !== undefined && { cause }) });
  }
}
