import type { Clock } from "../../core/clock.ts";
import type { Http } from "../../core/http.ts";
import { Secret } from "../../core/secret.ts";
import { validateAuthorizationResponse } from "../../endpoint/authorization-response.ts";
import type { DpopKey } from "../../endpoint/dpop-key.ts";
import { requestToken, type TokenResponse } from "../../endpoint/token-request.ts";
import type { AuthorizationRequest } from "../request.ts";

/**
 * Checks an authorization response against its request and redeems the code (RFC 6749 section 4.1.3). Nothing goes to
 * a token endpoint before the checks have passed, and a code is redeemed once: when the answer is lost, the sign-in
 * starts anew.
 *
 * @throws what {@link validateAuthorizationResponse} and {@link requestToken} throw.
 */
export async function redeemAuthorizationResponse(
  context: { readonly http: Http; readonly clock: Clock; readonly signal?: AbortSignal; readonly dpopKey?: DpopKey },
  request: AuthorizationRequest,
  parameters: URLSearchParams,
): Promise<TokenResponse> {
  const { authorizationServer, client, server, redirectUri, resource, codeVerifier } = request;
  const code = new Secret(
    await validateAuthorizationResponse(parameters, {
      authorizationServer,
      clientId: client.clientId,
      state: request.state,
      server,
    }),
  );
  return requestToken(
    { ...context, server, authorizationServer, client },
    {
      type: "authorization_code",
      parameters: {
        code: code.reveal(),
        redirect_uri: redirectUri,
        code_verifier: codeVerifier.reveal(),
        ...(resource !== undefined && { resource }),
      },
      secrets: [code, codeVerifier],
    },
  );
}
