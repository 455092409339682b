import type { HttpAnswer } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import { authenticateClient, chooseSecretMethod } from "./client-authentication.ts";
import { type OAuthClient, wireClient } from "./oauth-client.ts";
import { invalidResponse, refusalOf } from "./oauth-error.ts";
import type { EndpointContext } from "./token-request.ts";
import { wireFetch } from "./wire.ts";

export type RevocableToken = "refresh_token" | "access_token";

/** The client with the method that the revocation endpoint takes, which may not be the token endpoint's. */
function clientForRevocation({ client, authorizationServer }: EndpointContext): OAuthClient {
  const supported = authorizationServer.revocation_endpoint_auth_methods_supported;
  if (client.clientSecret === undefined || supported === undefined) return client;
  if (supported.includes(client.authenticationMethod)) return client;
  return { ...client, authenticationMethod: chooseSecretMethod(supported) };
}

/**
 * Revokes a token (RFC 7009 section 2). Status 200 is success, also for tokens that the server does not know.
 *
 * @throws `revocation_failed` with `oauthError`, `status` and `retryAfterMs`; `network_failed`, `timeout`, `aborted`.
 */
export async function revokeToken(context: EndpointContext, token: Secret, hint: RevocableToken): Promise<void> {
  const oauth = await import("oauth4webapi");
  const { authorizationServer, http, clock, server, signal } = context;
  const client = clientForRevocation(context);
  const what = `The revocation endpoint of ${client.issuer}`;
  const details = { server, issuer: client.issuer };
  const read = (answer: HttpAnswer): HttpAnswer => {
    const refusal = refusalOf(answer, {
      code: "revocation_failed",
      what,
      details,
      secrets: client.clientSecret === undefined ? [token] : [token, client.clientSecret],
      nowMs: clock.now(),
      advice: "The local copy of the token is removed all the same.",
    });
    if (refusal !== undefined) throw refusal;
    // RFC 7009 asks for 200; 204 and the like say the same.
    return answer.status < 300 ? { ...answer, status: 200, text: "" } : answer;
  };
  try {
    const response = await oauth.revocationRequest(
      authorizationServer,
      wireClient(client),
      await authenticateClient(client, authorizationServer),
      token.reveal(),
      {
        additionalParameters: { token_type_hint: hint },
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: wireFetch({ http, what, details, read, ...(signal !== undefined && { signal }) }),
      },
    );
    await oauth.processRevocationResponse(response);
  } catch (error) {
    throw invalidResponse(error, what, details);
  }
}
