import type { Clock } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { Http } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import type { IssuerProfiles } from "../endpoint/issuer-profile.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import { prepareTokenRequest } from "../endpoint/prepare-token-request.ts";
import type { LockHandle, TokenStore } from "../ports/token-store.ts";
import { isDefiniteRefusal } from "./backoff.ts";
import {
  type Credential,
  isRenewable,
  type RefreshJournal,
  type SessionRecord,
  withCredential,
  withoutCredential,
} from "./credential.ts";
import { freshnessOf, momentsOf } from "./freshness.ts";
import { readSession } from "./read-session.ts";
import { type SessionPolicyOption, usableCredential } from "./session-policy.ts";
import { serializeSession } from "./session-record.ts";

/** The steps of the transaction, in their order, for tests that kill the process at each of them. */
export type RefreshStep = "locked" | "read" | "journaled" | "answered" | "persisted" | "released";

export interface RefreshContext {
  readonly store: TokenStore;
  readonly clock: Clock;
  readonly http: Http;
  readonly refreshAt: number;
  readonly profiles?: IssuerProfiles;
  readonly sessionPolicy?: SessionPolicyOption;
  /** The client as it should be used now: keys are never stored. */
  readonly completeClient: (client: OAuthClient, authorizationServer: AuthorizationServerMetadata) => OAuthClient;
  /** Gets a machine's credential anew, where a grant is configured for it. */
  readonly renewByGrant?: (session: SessionRecord, credential: Credential) => Promise<Credential> | undefined;
  /** Called when the server no longer knows a dynamic client. */
  readonly onClientForgotten: (client: OAuthClient, server: string) => Promise<void>;
  /**
   * Takes the outcome into memory, while the lock is still held: what a sign-in or a sign-out that waits for the lock does
   * next must come after it.
   */
  readonly remember: (key: string, record: SessionRecord) => void;
  readonly onStep?: ((step: RefreshStep) => void | Promise<void>) | undefined;
}

export interface RefreshOrder {
  readonly key: string;
  /** The access token that is due, expired or refused: if the store has another one, somebody was faster. */
  readonly stale: Secret;
}

export interface RefreshOutcome {
  readonly how: "adopted" | "refreshed";
  readonly record: SessionRecord;
  readonly rotated: boolean;
}

/** What was received and could not be written: it is kept in memory until it can be. */
export interface Unwritten {
  readonly credential: Credential;
  readonly journal: RefreshJournal;
  /** The access token in whose place it was received. */
  readonly replaced: Secret;
}

/** Tells that tokens were received and could not be written. */
export class UnwrittenError extends Error {
  readonly unwritten: Unwritten;
  readonly error: McpOAuthError;

  constructor(unwritten: Unwritten, error: McpOAuthError) {
    super(error.message);
    this.unwritten = unwritten;
    this.error = error;
  }
}

const BREAKER_WINDOW_MS = 60_000;
const MOST_REQUESTS_PER_WINDOW = 10;

/** The journal for a request that is about to be sent, or an error when too many were sent in the last minute. */
function nextJournal(record: SessionRecord, issuer: string, nowMs: number): RefreshJournal {
  const recent = (record.journal?.recent ?? []).filter((at) => at > nowMs - BREAKER_WINDOW_MS && at <= nowMs);
  const [oldest] = recent;
  if (oldest === undefined || recent.length < MOST_REQUESTS_PER_WINDOW)
    return { sentAt: nowMs, recent: recent.concat(nowMs) };
  throw new McpOAuthError(
    "refresh_failed",
    `A token for ${record.server} was asked for ${recent.length} times within a minute, so refreshing pauses. ` +
      "If its server refuses even fresh tokens, report it to the operator.",
    { server: record.server, issuer, retryAfterMs: Math.max(oldest + BREAKER_WINDOW_MS - nowMs, 1000) },
  );
}

/**
 * Ends a session whose refresh token the server has refused for good; what else is known of the server stays.
 *
 * @returns the record of somebody who was faster, if the refused token is no longer the stored one: the loser of a race
 * must not wipe the winner's tokens.
 */
async function endSession(
  context: RefreshContext,
  key: string,
  sent: Refreshable,
  lock: LockHandle,
): Promise<SessionRecord | undefined> {
  const record = await readSession(context.store, key);
  const current = record?.credentials[sent.issuer];
  if (record === undefined || current === undefined) return undefined;
  if (current.refreshToken?.reveal() !== sent.refreshToken.reveal()) return record;
  await context.store.set(key, serializeSession(withoutCredential(record, sent.issuer)), lock);
  return undefined;
}

type Refreshable = Credential & { readonly refreshToken: Secret };

function isRefreshable(credential: Credential): credential is Refreshable {
  return credential.refreshToken !== undefined;
}

interface Sending {
  readonly context: RefreshContext;
  readonly key: string;
  readonly record: SessionRecord;
  readonly credential: Refreshable;
  readonly lock: LockHandle;
}

/** Sends the refresh, or for a machine asks for new tokens as it did the first time. */
async function renewed(
  sending: Omit<Sending, "credential"> & { readonly credential: Credential },
): Promise<Credential | { winner: SessionRecord }> {
  const { context, record, credential } = sending;
  const byGrant = context.renewByGrant?.(record, credential);
  if (byGrant !== undefined) return byGrant;
  if (isRefreshable(credential)) return send({ ...sending, credential });
  const message = `The session at ${record.server} has expired, and no grant is configured any more to get another. Sign in again.`;
  throw new McpOAuthError("sign_in_required", message, { server: record.server, issuer: credential.issuer });
}

/** Sends the refresh. Answers with another's record when the refusal turns out to concern a token of the past. */
async function send({
  context,
  key,
  record,
  credential,
  lock,
}: Sending): Promise<Credential | { winner: SessionRecord }> {
  const { server } = record;
  const { issuer } = credential;
  try {
    const { refreshCredential } = await import("./refresh.ts");
    const client = context.completeClient(credential.client, credential.authorizationServer);
    return await refreshCredential({ ...context, server }, { ...credential, client });
  } catch (error) {
    // Only what a server definitely said can end a session, not what it said in a bad moment.
    if (!(error instanceof McpOAuthError) || !isDefiniteRefusal(error)) throw error;
    const over = (reason: string): McpOAuthError =>
      new McpOAuthError("sign_in_required", `The session at ${server} has ended: ${reason}. Sign in again.`, {
        server,
        issuer,
        cause: error,
      });
    if (error.oauthError === "invalid_grant") {
      const winner = await endSession(context, key, credential, lock);
      if (winner !== undefined) return { winner };
      throw over(`${issuer} no longer accepts its refresh token`);
    }
    if (error.oauthError === "invalid_client" && credential.client.how === "dynamic") {
      await context.onClientForgotten(credential.client, server);
      throw over(`${issuer} no longer knows the client that it was made with`);
    }
    throw error;
  }
}

/**
 * Writes down why a refresh failed, for whoever looks from outside (a status, a command line). What ended the session has
 * been written already. That it cannot be written changes nothing.
 */
async function noteFailure(
  { store }: RefreshContext,
  key: string,
  record: SessionRecord & { readonly journal: RefreshJournal },
  error: unknown,
  lock: LockHandle,
): Promise<void> {
  if (!(error instanceof McpOAuthError) || error.code === "sign_in_required") return;
  const { code, message } = error;
  const journal: RefreshJournal = { ...record.journal, failure: { code, message } };
  await store.set(key, serializeSession({ ...record, journal }), lock).catch(() => undefined);
}

/** Why there is nothing to refresh. */
function nothingToRefresh(record: SessionRecord | undefined, credential: Credential | undefined): McpOAuthError {
  if (record === undefined || credential === undefined) {
    const message = "The session has been signed out or has ended elsewhere. Sign in again.";
    return new McpOAuthError("sign_in_required", message);
  }
  const message = `The session at ${record.server} has expired and has no refresh token. Sign in again.`;
  return new McpOAuthError("sign_in_required", message, { server: record.server, issuer: credential.issuer });
}

/**
 * One refresh as a transaction: take the lock, re-read, adopt what somebody else got, journal, send, write, release. Only
 * then may the caller hand out the result.
 *
 * @throws `sign_in_required` when the session is over or gone; {@link UnwrittenError} when tokens were received and
 * could not be written; otherwise what the request and the store throw. Nothing is deleted for a fault that may pass.
 */
export async function refreshTransaction(context: RefreshContext, order: RefreshOrder): Promise<RefreshOutcome> {
  const { store, clock, refreshAt, remember } = context;
  const { key, stale } = order;
  const step = async (name: RefreshStep): Promise<void> => context.onStep?.(name);
  const adopt = (record: SessionRecord): RefreshOutcome => {
    remember(key, record);
    return { how: "adopted", record, rotated: false };
  };
  // What sends it is loaded meanwhile; should that fail, the sending meets the error.
  import("./refresh.ts").catch(() => undefined);
  prepareTokenRequest();
  const lock = await store.lock(key);
  try {
    await step("locked");
    const record = await readSession(store, key);
    await step("read");
    const credential = record && usableCredential(context.sessionPolicy, record);
    if (record === undefined || credential === undefined) throw nothingToRefresh(record, credential);
    const freshness = freshnessOf(momentsOf(credential, refreshAt), clock.now());
    if (credential.accessToken.reveal() !== stale.reveal() && freshness !== "expired") return adopt(record);
    if (!isRenewable(credential)) throw nothingToRefresh(record, credential);
    const journal = nextJournal(record, credential.issuer, clock.now());
    await store.set(key, serializeSession({ ...record, journal }), lock);
    await step("journaled");
    const journaled = { ...record, journal };
    const refreshed = await renewed({ context, key, record: journaled, credential, lock }).catch(async (error) => {
      await noteFailure(context, key, journaled, error, lock);
      throw error;
    });
    if ("winner" in refreshed) return adopt(refreshed.winner);
    await step("answered");
    const next = withCredential(journaled, refreshed);
    await store.set(key, serializeSession(next), lock).catch((error: unknown) => {
      const failure = error instanceof McpOAuthError ? error : storeFailed(store, error);
      throw new UnwrittenError({ credential: refreshed, journal, replaced: credential.accessToken }, failure);
    });
    remember(key, next);
    await step("persisted");
    const rotated = refreshed.refreshToken?.reveal() !== credential.refreshToken?.reveal();
    return { how: "refreshed", record: next, rotated };
  } finally {
    await lock.release();
    await step("released");
  }
}

function storeFailed(store: TokenStore, cause: unknown): McpOAuthError {
  return new McpOAuthError(
    "store_failed",
    `The ${store.kind} store could not write a session. See cause; nothing was removed.`,
    { cause },
  );
}
