import { delay } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { EventHub } from "../core/events.ts";
import { afterFailure, type FailureRow, pauseLeft } from "./backoff.ts";
import { type Credential, type SessionKey, storeKey } from "./credential.ts";
import type { EndedSessions } from "./ended-sessions.ts";
import { freshnessOf } from "./freshness.ts";
import { type RefreshContext, type RefreshOutcome, refreshTransaction, UnwrittenError } from "./refresh-transaction.ts";
import { usableCredential } from "./session-policy.ts";
import type { StoredSessions } from "./stored-sessions.ts";

export interface RefresherOptions extends Omit<RefreshContext, "remember"> {
  readonly events: EventHub;
  readonly sessions: StoredSessions;
  readonly ended: EndedSessions;
  /** Told when a failed refresh can be tried again. */
  readonly onRetryAt: (name: string, retryAt: number) => void;
}

/** How often a waiting caller's refresh is tried before the caller is told. */
const ATTEMPTS_FOR_WAITERS = 3;
/** The longest pause that a waiting caller sits through. */
const LONGEST_PAUSE_MS = 5000;
/** During a pause the store is asked at most this often whether somebody else was luckier. */
const LOOK_AGAIN_MS = 1000;
const FAILURES_TO_REPORT = 3;
const REFUSALS_TO_GIVE_UP = 3;

/** A refresh under way. */
interface Run {
  /** Whether somebody waits for it, or it goes on in the background of a token that is still good. */
  awaited: boolean;
  failedAttempts: number;
}

/** A row of failures, and the access token that they concern. */
interface Row {
  readonly row: FailureRow;
  readonly accessToken: string;
  readonly lookedAt: number;
}

/**
 * Refreshes: each session at most once at a time, however many ask; with pauses between failures in which nobody sends;
 * and with a patience that depends on whether somebody waits.
 */
export class Refresher {
  readonly #options: RefresherOptions;
  readonly #runs = new Map<string, Run & { readonly outcome: Promise<Credential> }>();
  readonly #rows = new Map<string, Row>();
  /** Failures of the store. They pause the background alone: whoever waits is told by the store itself, each time. */
  readonly #storeRows = new Map<string, Row>();
  readonly #closing = new AbortController();

  constructor(options: RefresherOptions) {
    this.#options = options;
  }

  /** The refresh of a session that somebody waits for: the one under way, or a new one. */
  refresh(key: SessionKey, stale: Credential): Promise<Credential> {
    return this.#run(key, stale, true);
  }

  /** Refreshes a session whose token is still good. Failures are told by events, and met by callers when it has ended. */
  refreshInBackground(key: SessionKey, stale: Credential): void {
    const name = storeKey(key);
    const left = Math.max(this.#pauseLeft(name, stale), this.#pauseLeft(name, stale, this.#storeRows));
    if (left > 0) this.#options.onRetryAt(name, this.#options.clock.now() + left);
    else this.#run(key, stale, false).catch(() => undefined);
  }

  /** The present row of failures of a credential, if there is one. */
  failures(key: SessionKey, { accessToken }: Credential): FailureRow | undefined {
    const name = storeKey(key);
    const known = this.#rows.get(name) ?? this.#storeRows.get(name);
    return known?.accessToken === accessToken.reveal() ? known.row : undefined;
  }

  /** Forgets failures of a session that has begun anew or was removed. */
  forget(key: SessionKey): void {
    this.#rows.delete(storeKey(key));
    this.#storeRows.delete(storeKey(key));
  }

  /** Waits for refreshes under way, so that no rotated token is lost; none begins any more. */
  async close(): Promise<void> {
    this.#closing.abort(new McpOAuthError("closed", "The token manager was closed during a refresh."));
    while (this.#runs.size > 0) await Promise.allSettled([...this.#runs.values()].map(({ outcome }) => outcome));
  }

  #run(key: SessionKey, stale: Credential, awaited: boolean): Promise<Credential> {
    const name = storeKey(key);
    const running = this.#runs.get(name);
    if (running !== undefined) {
      running.awaited ||= awaited;
      return running.outcome;
    }
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason);
    const run: Run = { awaited, failedAttempts: 0 };
    const outcome = this.#tryRepeatedly(key, stale, run).finally(() => this.#runs.delete(name));
    this.#runs.set(name, Object.assign(run, { outcome }));
    return outcome;
  }

  async #tryRepeatedly(key: SessionKey, stale: Credential, run: Run): Promise<Credential> {
    for (;;) {
      const adopted = await this.#sitOutPause(key, stale, run);
      if (adopted !== undefined) return adopted;
      try {
        return await this.#tryOnce(key, stale);
      } catch (error) {
        run.failedAttempts += 1;
        this.#noteFailure(key, stale, run, error);
      }
    }
  }

  /**
   * Nobody sends while a pause after failures lasts; but somebody else may have been luckier meanwhile.
   *
   * @throws the last failure, as callers are told of it, when the pause is not sat out.
   */
  async #sitOutPause(key: SessionKey, stale: Credential, run: Run): Promise<Credential | undefined> {
    const name = storeKey(key);
    const known = this.#rows.get(name);
    if (known === undefined || this.#pauseLeft(name, stale) === 0) return undefined;
    const adopted = await this.#lookAgain(key, stale, known);
    if (adopted !== undefined) return adopted;
    const pauseMs = this.#pauseLeft(name, stale);
    const { row } = known;
    if (row.error.code === "sign_in_required") throw this.#over(key, stale, row.error);
    // A definite refusal is not asked again in the same breath.
    const isWorthWaiting = run.awaited && row.refusals === 0 && pauseMs <= LONGEST_PAUSE_MS;
    if (!isWorthWaiting || run.failedAttempts >= ATTEMPTS_FOR_WAITERS) throw this.#toldOf(key, row);
    await delay(this.#options.clock, pauseMs, this.#closing.signal);
    return undefined;
  }

  async #lookAgain(key: SessionKey, stale: Credential, known: Row): Promise<Credential | undefined> {
    const { clock, sessions } = this.#options;
    const nowMs = clock.now();
    if (Math.abs(nowMs - known.lookedAt) < LOOK_AGAIN_MS) return undefined;
    const name = storeKey(key);
    this.#rows.set(name, { ...known, lookedAt: nowMs });
    const session = await sessions.reload(name);
    const found = session?.credential;
    if (session === undefined || found === undefined) throw this.#over(key, stale, signedOutElsewhere(key));
    const isNew = found.accessToken.reveal() !== stale.accessToken.reveal();
    if (!isNew || freshnessOf(session.moments, clock.now()) === "expired") return undefined;
    return this.#succeeded(key, { how: "adopted", record: session.record, rotated: false });
  }

  async #tryOnce(key: SessionKey, stale: Credential): Promise<Credential> {
    const { sessions } = this.#options;
    const name = storeKey(key);
    await sessions.writeUnwritten(name);
    const remember: RefreshContext["remember"] = (of, record) => void sessions.remember(of, record);
    const outcome = await refreshTransaction({ ...this.#options, remember }, { key: name, stale: stale.accessToken });
    return this.#succeeded(key, outcome);
  }

  #succeeded(key: SessionKey, { how, record, rotated }: RefreshOutcome): Credential {
    const { events, clock, ended, sessionPolicy } = this.#options;
    const credential = usableCredential(sessionPolicy, record);
    if (credential === undefined) throw signedOutElsewhere(key);
    this.forget(key);
    ended.forget(key);
    const { issuer, expiresAt, scope } = credential;
    const told = { ...key, issuer, ...(expiresAt !== undefined && { expiresAt }) };
    if (how === "adopted") {
      events.emit("token_adopted", told);
    } else {
      const durationMs = Math.max(clock.now() - (record.journal?.sentAt ?? clock.now()), 0);
      events.emit("token_refreshed", { ...told, durationMs, rotated, ...(scope !== undefined && { scope }) });
    }
    return credential;
  }

  /** Notes a failure for what comes next; rethrows one that is no matter of trying again. */
  #noteFailure(key: SessionKey, stale: Credential, run: Run, thrown: unknown): void {
    const { clock, sessions } = this.#options;
    const name = storeKey(key);
    if (thrown instanceof UnwrittenError) sessions.keepUnwritten(name, thrown.unwritten);
    const error = thrown instanceof UnwrittenError ? thrown.error : thrown;
    if (!(error instanceof McpOAuthError)) throw error;
    if (error.code === "store_unreadable" || error.code === "store_failed") {
      this.#noteStoreFailure(key, stale, run, error);
      throw error.withContext(key);
    }
    const accessToken = stale.accessToken.reveal();
    const row = this.#nextRow(this.#rows.get(name), stale, error);
    // As long as nobody needs another token, the present one is used.
    const isGivenUp = row.refusals >= REFUSALS_TO_GIVE_UP && run.awaited;
    const told = isGivenUp ? signInRequired(key, `${stale.issuer} keeps refusing to refresh it`, error) : error;
    this.#rows.set(name, { row: { ...row, error: told }, accessToken, lookedAt: clock.now() });
    if (error.code !== "sign_in_required") this.#tellFailure(key, stale, row);
  }

  /** Whoever waits is told right away. What happens in the background, or was received and not written, is tried again. */
  #noteStoreFailure(key: SessionKey, stale: Credential, run: Run, error: McpOAuthError): void {
    const { clock, sessions, onRetryAt } = this.#options;
    const name = storeKey(key);
    if (run.awaited && !sessions.hasUnwritten(name)) return;
    const row = this.#nextRow(this.#storeRows.get(name), stale, error);
    this.#storeRows.set(name, { row, accessToken: stale.accessToken.reveal(), lookedAt: clock.now() });
    if (run.awaited) onRetryAt(name, row.retryAt);
    else this.#tellFailure(key, stale, row);
  }

  #nextRow(before: Row | undefined, stale: Credential, error: McpOAuthError): FailureRow {
    const isSameToken = before?.accessToken === stale.accessToken.reveal();
    return afterFailure(isSameToken ? before?.row : undefined, error, this.#options.clock.now());
  }

  #tellFailure(key: SessionKey, { issuer }: Credential, { error, failures, retryAt }: FailureRow): void {
    const { events, onRetryAt } = this.#options;
    onRetryAt(storeKey(key), retryAt);
    const told = { ...key, issuer, code: error.code, failures, retryAt };
    events.emit("refresh_failed", told);
    if (failures === FAILURES_TO_REPORT) events.emit("refresh_failing", told);
  }

  /** The session is over: said once, and the next load sees what the store has. */
  #over(key: SessionKey, stale: Credential, error: McpOAuthError): McpOAuthError {
    const { sessions, ended } = this.#options;
    const told = error.withContext({ server: key.server, issuer: stale.issuer });
    sessions.drop(storeKey(key));
    ended.tell(key, stale, told);
    return told;
  }

  #pauseLeft(name: string, stale: Credential, rows: ReadonlyMap<string, Row> = this.#rows): number {
    const known = rows.get(name);
    // Another token than the one that failed means that somebody had success.
    if (known === undefined || known.accessToken !== stale.accessToken.reveal()) return 0;
    return pauseLeft(known.row, this.#options.clock.now());
  }

  /** What a caller is told of a failure that another caller met. */
  #toldOf({ server }: SessionKey, row: FailureRow): McpOAuthError {
    const { error, failures } = row;
    const retryAfterMs = pauseLeft(row, this.#options.clock.now());
    return new McpOAuthError(
      "refresh_failed",
      `The token for ${server} could not be refreshed (${failures} in a row; last: ${error.message}) ` +
        `The session is kept; try again in ${Math.ceil(retryAfterMs / 1000)} s.`,
      {
        cause: error,
        server,
        retryAfterMs,
        ...(error.issuer !== undefined && { issuer: error.issuer }),
        ...(error.oauthError !== undefined && { oauthError: error.oauthError }),
        ...(error.status !== undefined && { status: error.status }),
      },
    );
  }
}

/** The error for a session that only a sign-in can bring back. */
export function signInRequired({ server }: SessionKey, reason: string, cause?: unknown): McpOAuthError {
  const message = `The session at ${server} cannot be used: ${reason}. Sign in again.`;
  return new McpOAuthError("sign_in_required", message, { server, ...(cause !== undefined && { cause }) });
}

function signedOutElsewhere(key: SessionKey): McpOAuthError {
  return signInRequired(key, "it was signed out elsewhere");
}
