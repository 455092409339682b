import { randomToken } from "../core/entropy.ts";
import { McpOAuthError } from "../core/errors.ts";
import { scopesOf } from "../core/scope.ts";
import type { Secret } from "../core/secret.ts";
import { requireSecureUrl } from "../core/url.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import { createPkcePair } from "./pkce.ts";

/**
 * One authorization request, kept in memory only, until its response has come: what the response is checked against,
 * and what its code is redeemed with.
 */
export interface AuthorizationRequest {
  readonly url: string;
  /** What the request consists of, for servers that take it by another way than the browser. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly state: string;
  readonly codeVerifier: Secret;
  readonly redirectUri: string;
  /** Absent where the server refuses the parameter. */
  readonly resource?: string;
  readonly client: OAuthClient;
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly server: string;
  readonly scope?: string;
}

export interface AuthorizationRequestOptions {
  readonly server: string;
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly client: OAuthClient;
  readonly redirectUri: string;
  readonly resource?: string;
  /** Further parameters that the issuer wants. */
  readonly extraParameters?: Readonly<Record<string, string>>;
  readonly scope?: string;
  /** The thumbprint of the key that the code is to be bound to (RFC 9449 section 10). */
  readonly dpopThumbprint?: string;
}

/** OpenID Connect providers issue refresh tokens for `offline_access` only after asking (OpenID Connect Core section 11). */
function needsConsentPrompt(authorizationServer: AuthorizationServerMetadata, scope: string | undefined): boolean {
  const isOpenIdProvider = authorizationServer.id_token_signing_alg_values_supported !== undefined;
  const prompts = authorizationServer.prompt_values_supported;
  const allowed = !Array.isArray(prompts) || prompts.includes("consent");
  return isOpenIdProvider && allowed && scopesOf(scope).includes("offline_access");
}

function withoutEmpty(parameters: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept = Object.entries(parameters).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return Object.fromEntries(kept);
}

/**
 * Builds an authorization request (RFC 6749 section 4.1.1) with PKCE, state and resource. The endpoint's own query is
 * kept, no parameter comes twice, none is empty.
 *
 * @throws `invalid_response` when the server has no authorization endpoint, `insecure_url`.
 */
export function createAuthorizationRequest(options: AuthorizationRequestOptions): AuthorizationRequest {
  const { authorizationServer, client, redirectUri, resource, scope, server } = options;
  const { issuer, authorization_endpoint: endpoint } = authorizationServer;
  if (endpoint === undefined) {
    const message = `The metadata of ${issuer} has no authorization endpoint, so nobody can sign in with a browser. Report it to its operator.`;
    throw new McpOAuthError("invalid_response", message, { server, issuer });
  }
  const url = requireSecureUrl(endpoint, `The authorization endpoint of ${issuer}`, { server, issuer });
  const { verifier, challenge } = createPkcePair();
  const state = randomToken(32);
  const wanted: Record<string, string | undefined> = {
    ...options.extraParameters,
    response_type: "code",
    client_id: client.clientId,
    redirect_uri: redirectUri,
    scope,
    state,
    code_challenge: challenge,
    code_challenge_method: "S256",
    resource,
    dpop_jkt: options.dpopThumbprint,
    prompt: needsConsentPrompt(authorizationServer, scope) ? "consent" : options.extraParameters?.prompt,
  };
  const parameters = withoutEmpty(wanted);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return {
    url: url.href,
    parameters,
    state,
    codeVerifier: verifier,
    redirectUri,
    client,
    authorizationServer,
    server,
    ...(resource !== undefined && { resource }),
    ...(scope !== undefined && { scope }),
  };
}
