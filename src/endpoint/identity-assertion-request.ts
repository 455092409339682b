import { McpOAuthError } from "../core/errors.ts";
import type { HttpAnswer } from "../core/http.ts";
import { type JsonObject, parseJsonObject, textMember } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import { inertText, quoted } from "../core/text.ts";
import { authenticateClient } from "./client-authentication.ts";
import { invalidResponse, refusalOf } from "./oauth-error.ts";
import { type EndpointContext, parseExpiresIn } from "./token-request.ts";
import { wireFetch } from "./wire.ts";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const TOKEN_TYPE = "urn:ietf:params:oauth:token-type:";

/** An identity assertion authorization grant (ID-JAG): good for one authorization server and resource, for a short time. */
export interface IdentityAssertion {
  readonly assertion: Secret;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** What the identity provider allows; absent means what was asked for. */
  readonly scope?: string;
}

/** What proves to the identity provider who the user is. */
export interface SubjectProof {
  readonly token: Secret;
  readonly type: "id_token" | "saml2" | "refresh_token";
}

export interface IdentityAssertionOrder {
  readonly subject: SubjectProof;
  /** The issuer of the MCP server's authorization server, exactly. */
  readonly audience: string;
  readonly resource: string;
  readonly scope?: string;
}

/** The identity provider wants the user to sign on anew before it answers (RFC 9470 section 3). */
export class SignOnWantedError extends Error {
  readonly refusal: McpOAuthError;
  readonly maxAgeSeconds?: number;
  readonly acrValues?: string;

  constructor(refusal: McpOAuthError, body: JsonObject) {
    super(refusal.message, { cause: refusal });
    this.refusal = refusal;
    const maxAge = Number(body.max_age ?? Number.NaN);
    const acrValues = textMember(body, "acr_values");
    if (maxAge >= 0) this.maxAgeSeconds = maxAge;
    if (acrValues !== undefined) this.acrValues = inertText(acrValues);
  }
}

/** For providers that do not say: short, since the assertion is only a step. */
const DEFAULT_LIFETIME_SECONDS = 60;

/** The issued token, which must be of the type that was asked for: an access token of the provider's own is something else. */
function requireIssued(body: JsonObject, type: string, what: string, details: object): Secret {
  const invalid = (problem: string): McpOAuthError =>
    new McpOAuthError("invalid_response", `${what} ${problem} (token exchange for ID-JAG).`, details);
  const token = textMember(body, "access_token");
  if (token === undefined) throw invalid("answered without a token");
  if (body.issued_token_type !== type) {
    throw invalid(`issued a token of the type ${quoted(String(body.issued_token_type))}, expected was ${quoted(type)}`);
  }
  if (textMember(body, "token_type")?.toLowerCase() !== "n_a") throw invalid('did not say token_type "N_A"');
  return new Secret(token);
}

/** One token exchange at the identity provider (RFC 8693 section 2). */
async function exchange(
  context: EndpointContext,
  subject: SubjectProof,
  requestedType: string,
  parameters: Readonly<Record<string, string>>,
): Promise<{ body: JsonObject; token: Secret }> {
  const oauth = await import("oauth4webapi");
  const { authorizationServer, client, http, clock, server, signal } = context;
  const what = `The identity provider ${authorizationServer.issuer}`;
  const details = { server, issuer: authorizationServer.issuer };
  let body: JsonObject = {};
  const read = (answer: HttpAnswer): HttpAnswer => {
    body = parseJsonObject(answer.text) ?? {};
    const refusal = refusalOf(answer, {
      code: "token_request_failed",
      what,
      details,
      secrets: client.clientSecret === undefined ? [subject.token] : [subject.token, client.clientSecret],
      nowMs: clock.now(),
      advice: "Ask the administrator of the identity provider whether this application may use the server.",
    });
    if (refusal?.oauthError === "insufficient_user_authentication") throw new SignOnWantedError(refusal, body);
    if (refusal !== undefined) throw refusal;
    return { ...answer, text: "" };
  };
  try {
    await oauth.genericTokenEndpointRequest(
      authorizationServer,
      { client_id: client.clientId },
      await authenticateClient(client, authorizationServer),
      TOKEN_EXCHANGE,
      {
        requested_token_type: requestedType,
        subject_token: subject.token.reveal(),
        subject_token_type: `${TOKEN_TYPE}${subject.type}`,
        ...parameters,
      },
      {
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: wireFetch({ http, what, details, read, ...(signal !== undefined && { signal }) }),
      },
    );
    return { body, token: requireIssued(body, requestedType, what, details) };
  } catch (error) {
    throw error instanceof SignOnWantedError ? error : invalidResponse(error, what, details);
  }
}

/**
 * Exchanges the user's sign-on at the identity provider for an assertion that another authorization server takes (RFC 8693
 * section 2.1; MCP "enterprise-managed authorization" section 4).
 *
 * @throws `token_request_failed` with `oauthError` and `status`, `invalid_response`, `network_failed`, `timeout`, `aborted`;
 * {@link SignOnWantedError}.
 */
export async function requestIdentityAssertion(
  context: EndpointContext,
  order: IdentityAssertionOrder,
): Promise<IdentityAssertion> {
  const { body, token } = await exchange(context, order.subject, `${TOKEN_TYPE}id-jag`, {
    audience: order.audience,
    resource: order.resource,
    ...(order.scope !== undefined && { scope: order.scope }),
  });
  const scope = textMember(body, "scope");
  return {
    assertion: token,
    expiresAt: context.clock.now() + (parseExpiresIn(body.expires_in) ?? DEFAULT_LIFETIME_SECONDS) * 1000,
    ...(scope !== undefined && { scope }),
  };
}

/**
 * Exchanges a SAML assertion, which ends within minutes, for a refresh token of the identity provider, which then stands for
 * the same sign-on (ID-JAG section 4.5).
 *
 * @throws as {@link requestIdentityAssertion}.
 */
export async function requestSignOnRefreshToken(context: EndpointContext, saml: SubjectProof): Promise<SubjectProof> {
  const parameters = { scope: "openid offline_access" };
  const { token } = await exchange(context, saml, `${TOKEN_TYPE}refresh_token`, parameters);
  return { token, type: "refresh_token" };
}
