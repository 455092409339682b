import type { Clock } from "../core/clock.ts";
import { compact } from "../core/compact.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { Http } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import { dpopKeyOf } from "../endpoint/dpop-key.ts";
import type { IssuerProfiles } from "../endpoint/issuer-profile.ts";
import { requestToken, type TokenResponse } from "../endpoint/token-request.ts";
import type { Credential } from "./credential.ts";

/** The absolute end of a lifetime that starts now. */
export function expiryOf(response: TokenResponse, nowMs: number): { expiresAt?: number } {
  return response.expiresInSeconds === undefined ? {} : { expiresAt: nowMs + response.expiresInSeconds * 1000 };
}

interface RefreshContext {
  readonly http: Http;
  readonly clock: Clock;
  readonly server: string;
  readonly profiles?: IssuerProfiles;
}

type Refreshable = Credential & { readonly refreshToken: Secret };

/** The parameters of the request; the scope is left out, which means "the same", except where an issuer wants it. */
function refreshParameters({ profiles, server }: RefreshContext, credential: Refreshable): Record<string, string> {
  const { refreshToken, resource, issuer } = credential;
  const scope = credential.scope ?? credential.requestedScope;
  const repeatScope = scope !== undefined && profiles?.use("scopeOnRefresh", issuer, server) === true;
  const omitResource = profiles?.use("omitResource", issuer, server) === true;
  return {
    refresh_token: refreshToken.reveal(),
    ...(!omitResource && { resource }),
    ...(repeatScope && { scope }),
  };
}

/**
 * Asks the issuing authorization server, as the client that the refresh token belongs to, for new tokens (RFC 6749
 * section 6).
 *
 * @returns the credential with the new tokens; the old refresh token stays where the answer has none.
 * @throws what {@link requestToken} throws.
 */
export async function refreshCredential(context: RefreshContext, credential: Refreshable): Promise<Credential> {
  const { client, authorizationServer, refreshToken, resource, expiresAt: _expiry, ...kept } = credential;
  const dpopKey = credential.dpopKey === undefined ? undefined : await dpopKeyOf(credential.dpopKey);
  const response = await requestToken(
    { ...context, authorizationServer, client, ...(dpopKey !== undefined && { dpopKey }) },
    { type: "refresh_token", parameters: refreshParameters(context, credential), secrets: [refreshToken] },
  );
  if (credential.tokenType === "DPoP" && response.tokenType !== "DPoP") {
    const message = `The refresh at ${credential.issuer} gave a token that is not bound to the key of its session (RFC 9449 section 5); it was not used.`;
    throw new McpOAuthError("invalid_response", message, { server: context.server, issuer: credential.issuer });
  }
  const nowMs = context.clock.now();
  return compact<Credential>({
    ...kept,
    client,
    authorizationServer,
    resource,
    accessToken: response.accessToken,
    tokenType: response.tokenType,
    refreshToken: response.refreshToken ?? refreshToken,
    issuedAt: nowMs,
    ...expiryOf(response, nowMs),
    ...(response.scope !== undefined && { scope: response.scope }),
  });
}
