import type { Clock } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { Http, HttpAnswer } from "../core/http.ts";
import { isJsonObject, parseJsonObject } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import { formEncoded } from "../core/url.ts";
import type { AuthorizationServerMetadata } from "./authorization-server.ts";
import { authenticateClient } from "./client-authentication.ts";
import type { DpopKey } from "./dpop-key.ts";
import { type OAuthClient, wireClient } from "./oauth-client.ts";
import { invalidResponse, refusalOf } from "./oauth-error.ts";
import { wireFetch } from "./wire.ts";

/** Everything a request to an authorization server's endpoint needs. */
export interface EndpointContext {
  readonly http: Http;
  readonly clock: Clock;
  readonly server: string;
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly client: OAuthClient;
  /** Binds the tokens to a key. */
  readonly dpopKey?: DpopKey;
  readonly signal?: AbortSignal;
}

/** A grant: its type and parameters (RFC 6749 section 4), and which of the values are secret. */
export interface Grant {
  readonly type: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly secrets: readonly Secret[];
}

/** A validated token response (RFC 6749 section 5.1). */
export interface TokenResponse {
  readonly accessToken: Secret;
  readonly tokenType: "Bearer" | "DPoP";
  readonly refreshToken?: Secret;
  /** A positive number of seconds; absent when the server did not give a usable one: the token then holds until a 401. */
  readonly expiresInSeconds?: number;
  /** What was granted; absent means "as requested". */
  readonly scope?: string;
}

/** Ten years: what is longer was not meant as a lifetime. */
const LONGEST_LIFETIME_SECONDS = 10 * 365 * 86_400;

/**
 * Whether a request header can carry an access token (RFC 9110 section 5.5). Any other would arrive as something else, or
 * the failure to send it would show it.
 */
export function isSendableToken(accessToken: string): boolean {
  return /^(?! )[\x20-\x7e\x80-\xff]+(?<! )$/.test(accessToken);
}

/** Seconds as a number or as a text of digits; zero, negative and absurd values mean nothing (they are only a hint). */
export function parseExpiresIn(value: unknown): number | undefined {
  const seconds = typeof value === "string" && /^\s*\d+(?:\.\d+)?\s*$/.test(value) ? Number(value) : value;
  if (typeof seconds !== "number" || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return seconds > LONGEST_LIFETIME_SECONDS ? undefined : seconds;
}

/**
 * Smooths what servers get wrong without harm, so that the validation that follows is about what matters: members
 * that are null or empty, a lifetime that is no number, a missing content type. An ID token is dropped unread: it is
 * never used here.
 */
export function tidyTokenAnswer(answer: HttpAnswer): HttpAnswer {
  const body = parseJsonObject(answer.text);
  if (body === undefined || !isJsonObject(body)) return answer;
  const { id_token: _unused, expires_in: expiresIn, ...rest } = body;
  const kept = Object.entries(rest).filter(([, value]) => value !== null && value !== "");
  const seconds = parseExpiresIn(expiresIn);
  const tidied = { ...Object.fromEntries(kept), ...(seconds !== undefined && { expires_in: seconds }) };
  const headers = new Headers(answer.headers);
  headers.set("content-type", "application/json");
  headers.delete("www-authenticate");
  // Some servers answer 201 here.
  return { status: answer.status === 201 ? 200 : answer.status, headers, text: JSON.stringify(tidied) };
}

/** Some servers do not decode what comes by Basic as RFC 6749 section 2.3.1 wants it, and know the client only by post. */
function adviceFor({ authenticationMethod, clientId, clientSecret }: OAuthClient): string {
  const credentials = `${clientId}${clientSecret?.reveal() ?? ""}`;
  const usual = "See oauthError and status.";
  if (authenticationMethod !== "client_secret_basic" || formEncoded(credentials) === credentials) return usual;
  return `${usual} If the client is right, the server may not decode its credentials: try authenticationMethod "client_secret_post".`;
}

/** What the answer of one attempt was: tokens, or a refusal that has been read but not thrown yet. */
type Attempt = { readonly tokens: TokenResponse } | { readonly refusal: McpOAuthError };

async function attempt(context: EndpointContext, grant: Grant, what: string): Promise<Attempt> {
  const oauth = await import("oauth4webapi");
  const { authorizationServer, client, http, clock, server, signal, dpopKey } = context;
  const details = { server, issuer: client.issuer };
  let refusal: McpOAuthError | undefined;
  const read = (answer: HttpAnswer): HttpAnswer => {
    refusal = refusalOf(answer, {
      code: "token_request_failed",
      what,
      details,
      secrets: client.clientSecret === undefined ? grant.secrets : [...grant.secrets, client.clientSecret],
      nowMs: clock.now(),
      advice: adviceFor(client),
    });
    return tidyTokenAnswer(answer);
  };
  const response = await oauth.genericTokenEndpointRequest(
    authorizationServer,
    wireClient(client),
    await authenticateClient(client, authorizationServer),
    grant.type,
    grant.parameters,
    {
      // Checked before, with loopback as the only exception (requireSecureUrl).
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: wireFetch({ http, what, details, read, ...(signal !== undefined && { signal }) }),
      ...(dpopKey !== undefined && { DPoP: dpopKey.atAuthorizationServer }),
    },
  );
  if (refusal !== undefined) return { refusal };
  const answer = await oauth.processGenericTokenEndpointResponse(authorizationServer, wireClient(client), response);
  if (!isSendableToken(answer.access_token)) {
    const message = `${what} answered with an access token that no request header can carry (RFC 9110 section 5.5). Report it to the authorization server's operator.`;
    throw new McpOAuthError("invalid_response", message, details);
  }
  return { tokens: toTokenResponse(answer) };
}

/**
 * Sends a token request and validates the answer. With a DPoP key every request carries a fresh proof, and a server that
 * asks for a nonce gets it once (RFC 9449 section 8).
 *
 * @throws `token_request_failed` with the server's `oauthError` and `status`, `invalid_response`, `network_failed`,
 * `timeout`, `aborted`, `insecure_url`, `invalid_configuration`.
 */
export async function requestToken(context: EndpointContext, grant: Grant): Promise<TokenResponse> {
  const { authorizationServer, client, server, dpopKey } = context;
  const { issuer } = client;
  const what = `The token endpoint of ${issuer}`;
  const details = { server, issuer };
  if (authorizationServer.token_endpoint === undefined) {
    const message = `The metadata of ${issuer} has no token endpoint, so no token can be had. Report it to its operator.`;
    throw new McpOAuthError("invalid_response", message, details);
  }
  try {
    let outcome = await attempt(context, grant, what);
    const nonceWanted =
      "refusal" in outcome && outcome.refusal.oauthError === "use_dpop_nonce" && dpopKey !== undefined;
    if (nonceWanted) outcome = await attempt(context, grant, what);
    if ("refusal" in outcome) throw outcome.refusal;
    if (outcome.tokens.tokenType === "DPoP" && dpopKey === undefined) {
      const message = `${what} answered with a DPoP-bound token though no key was offered; it cannot be used.`;
      throw new McpOAuthError("invalid_response", message, details);
    }
    return outcome.tokens;
  } catch (error) {
    throw invalidResponse(error, what, details);
  }
}

function toTokenResponse(wire: {
  access_token: string;
  token_type: string;
  refresh_token?: string;
  expires_in?: number;
  scope?: string;
}): TokenResponse {
  return {
    accessToken: new Secret(wire.access_token),
    tokenType: wire.token_type === "dpop" ? "DPoP" : "Bearer",
    ...(wire.refresh_token !== undefined && { refreshToken: new Secret(wire.refresh_token) }),
    ...(wire.expires_in !== undefined && { expiresInSeconds: wire.expires_in }),
    ...(wire.scope !== undefined && { scope: wire.scope }),
  };
}
