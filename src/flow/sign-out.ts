import { McpOAuthError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { type RevocableToken, revokeToken } from "../endpoint/revocation-request.ts";
import type { Credential, SessionKey } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";

/**
 * What became of a session's tokens at the authorization server.
 *
 * `revoked`: it confirmed. `unsupported`: it has no revocation endpoint. `unreachable`: it did not answer in time, or not
 * now. `refused`: it answered with an error. `no_session`: there was nothing to revoke.
 */
export type RevocationOutcome = "revoked" | "unsupported" | "unreachable" | "refused" | "no_session";

/** The result of signing out of one account on one server. The local copy is gone in every case. */
export interface SignOutResult {
  readonly server: string;
  readonly account: string;
  readonly issuer?: string;
  readonly revocation: RevocationOutcome;
  /** Why the tokens may still live at the authorization server. */
  readonly error?: McpOAuthError;
}

/** A sign-out must not hang on a server that does not answer. */
const REVOCATION_TIMEOUT_MS = 10_000;

interface Attempt {
  readonly outcome: Exclude<RevocationOutcome, "no_session" | "unsupported">;
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
    client: context.registry.complete(credential.client, credential.authorizationServer),
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

/** Revokes what a session holds, at every issuer, and removes the local copy whatever comes of that. */
export async function signOutSession(
  context: FlowContext,
  key: SessionKey,
  signal?: AbortSignal,
): Promise<SignOutResult> {
  const { coordinator, clock, events } = context;
  const credentials = await coordinator.reload(key).then(
    (session) => Object.values(session?.record.credentials ?? {}),
    // What cannot be read cannot be revoked, but it can be removed.
    () => [],
  );
  const deadline = new AbortController();
  const cancel = clock.schedule(() => deadline.abort(), REVOCATION_TIMEOUT_MS);
  const within = signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]);
  let result: SignOutResult = { ...key, revocation: "no_session" };
  try {
    for (const credential of credentials) {
      const { issuer, authorizationServer } = credential;
      const supported = authorizationServer.revocation_endpoint !== undefined;
      const { outcome, error } = supported
        ? await revokeCredential(context, key, credential, within)
        : { outcome: "unsupported" as const, error: undefined };
      result = { ...key, issuer, revocation: outcome, ...(error !== undefined && { error }) };
    }
  } finally {
    cancel();
    await coordinator.remove(key);
  }
  if (credentials.length > 0) events.emit("signed_out", { ...key });
  return result;
}
