import { McpOAuthError } from "../core/errors.ts";
import type { HttpAnswer } from "../core/http.ts";
import { type JsonObject, parseJsonObject, textMember } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import { quoted } from "../core/text.ts";
import { authenticateClient } from "./client-authentication.ts";
import { invalidResponse, refusalOf } from "./oauth-error.ts";
import { type EndpointContext, parseExpiresIn } from "./token-request.ts";
import { wireFetch } from "./wire.ts";

const TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_JAG = "urn:ietf:params:oauth:token-type:id-jag";

/** An identity assertion authorization grant (ID-JAG): good for one authorization server and resource, for a short time. */
export interface IdentityAssertion {
  readonly assertion: Secret;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** What the identity provider allows; absent means what was asked for. */
  readonly scope?: string;
}

export interface IdentityAssertionOrder {
  readonly subjectToken: Secret;
  readonly subjectTokenType: "id_token" | "saml2" | "refresh_token";
  /** The issuer of the MCP server's authorization server, exactly. */
  readonly audience: string;
  readonly resource: string;
  readonly scope?: string;
}

/** For providers that do not say: short, since the assertion is only a step. */
const DEFAULT_LIFETIME_SECONDS = 60;

function requireAssertion(body: JsonObject, what: string, nowMs: number, details: object): IdentityAssertion {
  const invalid = (problem: string): McpOAuthError =>
    new McpOAuthError("invalid_response", `${what} ${problem} (token exchange for ID-JAG).`, details);
  const assertion = textMember(body, "access_token");
  if (assertion === undefined) throw invalid("answered without a token");
  if (body.issued_token_type !== ID_JAG) {
    throw invalid(
      `issued a token of the type ${quoted(String(body.issued_token_type))}, expected was ${quoted(ID_JAG)}`,
    );
  }
  // An access token of the provider's own would be something else than what was asked for.
  if (textMember(body, "token_type")?.toLowerCase() !== "n_a") throw invalid('did not say token_type "N_A"');
  const scope = textMember(body, "scope");
  return {
    assertion: new Secret(assertion),
    expiresAt: nowMs + (parseExpiresIn(body.expires_in) ?? DEFAULT_LIFETIME_SECONDS) * 1000,
    ...(scope !== undefined && { scope }),
  };
}

/**
 * Exchanges the user's sign-on at the identity provider for an assertion that another authorization server takes (RFC 8693
 * section 2.1; MCP "enterprise-managed authorization" section 4).
 *
 * @throws `token_request_failed` with `oauthError` and `status`, `invalid_response`, `network_failed`, `timeout`, `aborted`.
 */
export async function requestIdentityAssertion(
  context: EndpointContext,
  order: IdentityAssertionOrder,
): Promise<IdentityAssertion> {
  const oauth = await import("oauth4webapi");
  const { authorizationServer, client, http, clock, server, signal } = context;
  const what = `The identity provider ${authorizationServer.issuer}`;
  const details = { server, issuer: authorizationServer.issuer };
  let body: JsonObject = {};
  const read = (answer: HttpAnswer): HttpAnswer => {
    const refusal = refusalOf(answer, {
      code: "token_request_failed",
      what,
      details,
      secrets: client.clientSecret === undefined ? [order.subjectToken] : [order.subjectToken, client.clientSecret],
      nowMs: clock.now(),
      advice: "Ask the administrator of the identity provider whether this application may use the server.",
    });
    if (refusal !== undefined) throw refusal;
    body = parseJsonObject(answer.text) ?? {};
    return { ...answer, text: "" };
  };
  try {
    await oauth.genericTokenEndpointRequest(
      authorizationServer,
      { client_id: client.clientId },
      await authenticateClient(client, authorizationServer),
      TOKEN_EXCHANGE,
      {
        requested_token_type: ID_JAG,
        subject_token: order.subjectToken.reveal(),
        subject_token_type: `urn:ietf:params:oauth:token-type:${order.subjectTokenType}`,
        audience: order.audience,
        resource: order.resource,
        ...(order.scope !== undefined && { scope: order.scope }),
      },
      {
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: wireFetch({ http, what, details, read, ...(signal !== undefined && { signal }) }),
      },
    );
    return requireAssertion(body, what, clock.now(), details);
  } catch (error) {
    throw invalidResponse(error, what, details);
  }
}
