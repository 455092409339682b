import { grantFor } from "../authorization/machine-grants.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { configuredClient } from "../endpoint/configured-client.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import { type RevocableToken, revokeToken } from "../endpoint/revocation-request.ts";
import { type Credential, isMachineCredential, type SessionKey } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";
import { type ClientRemovalOutcome, removeClient } from "./remove-client.ts";

/**
 * What became of a session's tokens at the authorization server.
 *
 * `revoked`: it confirmed. `unsupported`: it has no revocation endpoint. `unreachable`: it did not answer in time, or not
 * now. `refused`: it answered with an error. `unreadable`: the session could not be read, so its tokens are unknown and
 * may still live; `error` says why. `no_session`: there was nothing to revoke.
 */
export type RevocationOutcome = "revoked" | "unsupported" | "unreachable" | "refused" | "unreadable" | "no_session";

/** The result of signing out of one account on one server. The local copy is gone, except where nobody can tell whose it is. */
export interface SignOutResult {
  /** Empty, like the account, where not even this can be read: the local copy is left as it is, and `error` says where. */
  readonly server: string;
  readonly account: string;
  readonly issuer?: string;
  readonly revocation: RevocationOutcome;
  /** Why the tokens may still live at the authorization server. */
  readonly error?: McpOAuthError;
  /** What became of the client's registration, where it was to be removed as well. */
  readonly registration?: ClientRemovalOutcome;
  /** Why the client may still be registered. */
  readonly registrationError?: McpOAuthError;
}

/** A sign-out must not hang on a server that does not answer. */
const REVOCATION_TIMEOUT_MS = 10_000;

interface Attempt {
  readonly outcome: Exclude<RevocationOutcome, "no_session" | "unreadable" | "unsupported">;
  readonly error?: McpOAuthError;
}

function failed(error: unknown): Attempt {
  const typed =
    error instanceof McpOAuthError
      ? error
      : new McpOAuthError("revocation_failed", "The revocation failed.", { cause: error });
  const answered =
    typed.code === "revocation_failed" && typed.status !== undefined && typed.status < 500 && typed.status !== 429;
  return { outcome: answered ? "refused" : "unreachable", error: typed };
}

/** The client as it is configured now: keys are never stored. */
function presentClient({ registry, grants }: FlowContext, { server }: SessionKey, credential: Credential): OAuthClient {
  const { client, authorizationServer } = credential;
  if (!isMachineCredential(credential)) return registry.complete(client, authorizationServer);
  const grant = grantFor(grants, server);
  const configured = grant?.type === "client_credentials" ? grant : grant?.client;
  const usesIt = configured?.clientId === client.clientId;
  return usesIt ? configuredClient(configured, authorizationServer) : client;
}

async function revokeCredential(
  context: FlowContext,
  key: SessionKey,
  credential: Credential,
  signal: AbortSignal,
): Promise<Attempt> {
  const endpoint = {
    ...context,
    server: key.server,
    authorizationServer: credential.authorizationServer,
    client: presentClient(context, key, credential),
    signal,
  };
  const revoke = async (token: Secret, hint: RevocableToken): Promise<Attempt> => {
    const startedAt = context.clock.now();
    const attempt = await revokeToken(endpoint, token, hint).then((): Attempt => ({ outcome: "revoked" }), failed);
    context.events.emit("token_revoked", {
      ...key,
      issuer: credential.issuer,
      token: hint,
      outcome: attempt.outcome,
      durationMs: context.clock.now() - startedAt,
    });
    return attempt;
  };
  // The refresh token first: with it goes, at most servers, everything that came from it (RFC 7009 section 2.1).
  const refresh =
    credential.refreshToken === undefined ? undefined : await revoke(credential.refreshToken, "refresh_token");
  const access = await revoke(credential.accessToken, "access_token");
  // Self-contained access tokens cannot be revoked one by one; with the refresh token gone, the session is over.
  if (access.error?.oauthError === "unsupported_token_type" && refresh?.outcome === "revoked") return refresh;
  return refresh !== undefined && refresh.outcome !== "revoked" ? refresh : access;
}

/** The outcome of one issuer's part of a session. */
type Part = Pick<SignOutResult, "issuer" | "revocation" | "error" | "registration" | "registrationError">;

async function revocationOf(
  context: FlowContext,
  key: SessionKey,
  credential: Credential,
  signal: AbortSignal,
): Promise<Part> {
  const { issuer, authorizationServer } = credential;
  if (authorizationServer.revocation_endpoint === undefined) return { issuer, revocation: "unsupported" };
  const { outcome, error } = await revokeCredential(context, key, credential, signal);
  return { issuer, revocation: outcome, ...(error !== undefined && { error }) };
}

async function removalOf(
  context: FlowContext,
  key: SessionKey,
  { client }: Credential,
  signal: AbortSignal,
): Promise<Part> {
  const { outcome, error } = await removeClient(context, key, client, signal);
  return {
    revocation: "no_session",
    registration: outcome,
    ...(error !== undefined && { registrationError: error }),
  };
}

/** What is told of a record that is removed without having been read. */
function unreadPart({ server }: SessionKey, cause: unknown): Part {
  const message = `The session on ${server} could not be read, so its tokens could not be revoked: they stay good until they expire.`;
  return { revocation: "unreadable", error: new McpOAuthError("store_unreadable", message, { cause, server }) };
}

/** Of several issuers the one is told of that did not do its part; a session mostly has but one. */
function worstOf<Outcome>(parts: readonly Outcome[], isGood: (part: Outcome) => boolean): Outcome | undefined {
  return parts.find((part) => !isGood(part)) ?? parts.at(-1);
}

/**
 * Revokes what a session holds, at every issuer, and removes the local copy whatever comes of that. No refresh can come in
 * between and leave new tokens behind.
 */
export async function signOutSession(
  context: FlowContext,
  key: SessionKey,
  { signal, unregister = false }: { signal?: AbortSignal; unregister?: boolean } = {},
): Promise<SignOutResult> {
  const { coordinator, clock, events } = context;
  const deadline = new AbortController();
  let cancel = (): void => undefined;
  const within = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
  const held: Credential[] = [];
  const revocations: Part[] = [];
  const removals: Part[] = [];
  try {
    await coordinator.remove(key, async (credentials, unread) => {
      cancel = clock.schedule(() => deadline.abort(), REVOCATION_TIMEOUT_MS);
      held.push(...credentials);
      if (unread !== undefined) revocations.push(unreadPart(key, unread));
      for (const credential of credentials) revocations.push(await revocationOf(context, key, credential, within));
    });
    if (revocations.length > 0) events.emit("signed_out", { ...key });
    for (const credential of unregister ? held : []) removals.push(await removalOf(context, key, credential, within));
  } finally {
    cancel();
  }
  const { registration, registrationError } =
    worstOf(removals, (part) => part.registration === "removed") ?? ({} as Partial<Part>);
  return {
    ...key,
    revocation: "no_session",
    ...worstOf(revocations, (part) => part.revocation === "revoked"),
    ...(registration !== undefined && { registration }),
    ...(registrationError !== undefined && { registrationError }),
  };
}
