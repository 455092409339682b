import { McpOAuthError } from "../../core/errors.ts";
import { Secret } from "../../core/secret.ts";
import { readSecretSource } from "../../core/secret-source.ts";
import { waitFor } from "../../core/wait-for.ts";
import { configuredClient } from "../../endpoint/configured-client.ts";
import { anonymousClient, type OAuthClient } from "../../endpoint/oauth-client.ts";
import { requestToken, type TokenResponse } from "../../endpoint/token-request.ts";
import type { JwtBearerGrant } from "../machine-grants.ts";
import { type GrantedTokens, type MachineContext, targetParameters } from "./machine-context.ts";

const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/**
 * Refuses to send an assertion to a server that says it takes none (RFC 8414 section 2, grant_types_supported).
 *
 * @param profile the kind of assertion, for servers that list kinds in `authorization_grant_profiles_supported`.
 */
export function requireJwtBearer({ authorizationServer, server }: MachineContext, profile?: string): void {
  const { grant_types_supported: supported, authorization_grant_profiles_supported: profiles } = authorizationServer;
  if (supported === undefined || supported.includes(GRANT_TYPE)) return;
  if (profile !== undefined && Array.isArray(profiles) && profiles.includes(profile)) return;
  const { issuer } = authorizationServer;
  const message = `${issuer} does not take assertions (its grant_types_supported lacks ${GRANT_TYPE}), so none was sent. Use another grant for ${server}.`;
  throw new McpOAuthError("authorization_failed", message, { server, issuer });
}

/** Exchanges an assertion for tokens (RFC 7523 section 2.1). It is sent once, whatever comes of it. */
export async function exchangeAssertion(
  context: MachineContext,
  assertion: Secret,
  client: OAuthClient,
): Promise<TokenResponse> {
  const parameters = { assertion: assertion.reveal(), ...targetParameters(context) };
  return requestToken({ ...context, client }, { type: GRANT_TYPE, parameters, secrets: [assertion] });
}

/** Gets tokens for a workload by the token that its platform gave it, read anew each time. */
export async function grantJwtBearer(context: MachineContext, grant: JwtBearerGrant): Promise<GrantedTokens> {
  requireJwtBearer(context);
  const { authorizationServer, server, resource, signal } = context;
  const { issuer, token_endpoint: tokenEndpoint = "" } = authorizationServer;
  const audience = grant.audience === "token_endpoint" ? tokenEndpoint : issuer;
  const { assertion: source } = grant;
  const reading: Promise<string | Secret> =
    typeof source === "function"
      ? Promise.resolve(source({ server, issuer, tokenEndpoint, resource, audience, signal }))
      : readSecretSource(source);
  const found = await waitFor(reading, signal);
  const assertion = typeof found === "string" ? new Secret(found) : found;
  const client =
    grant.client === undefined ? anonymousClient(issuer) : configuredClient(grant.client, authorizationServer);
  return { client, tokens: await exchangeAssertion(context, assertion, client) };
}
