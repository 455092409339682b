import { McpOAuthError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { quoted } from "../core/text.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { chooseSecretMethod } from "../endpoint/client-authentication.ts";
import type { ClientAuthenticationMethod, OAuthClient } from "../endpoint/oauth-client.ts";
import type { PrivateKeyInput } from "../endpoint/private-key.ts";

/** A client that was registered by hand with one authorization server. */
export interface PreRegisteredClient {
  /** The issuer it was registered with, exactly as in that server's metadata. */
  issuer: string;
  clientId: string;
  /** For confidential clients. A secret shipped inside an installed app is not one (RFC 8252 section 8.5). */
  clientSecret?: string | Secret;
  /** Default: `private_key_jwt` with a key, else out of what the server supports; `none` without a secret. */
  authenticationMethod?: "none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";
  /** For `private_key_jwt` (RFC 7523), the better choice for confidential clients. Never stored. */
  privateKey?: PrivateKeyInput;
  /**
   * The redirect URI that was registered, if it has a fixed port or another host than the default. The listener then
   * uses its host, port and path.
   */
  redirectUri?: string;
}

/**
 * Checks what a host configured.
 *
 * @throws `invalid_configuration`.
 */
export function requirePreRegisteredClients(clients: readonly PreRegisteredClient[]): void {
  for (const { issuer, clientId, clientSecret, authenticationMethod, privateKey } of clients) {
    const problem = (text: string): McpOAuthError =>
      new McpOAuthError(
        "invalid_configuration",
        `The entry of the option clients for ${quoted(String(issuer))} ${text}.`,
      );
    if (typeof issuer !== "string" || !URL.canParse(issuer)) throw problem("needs the issuer's URL in issuer");
    if (typeof clientId !== "string" || clientId === "") throw problem("needs a clientId");
    if (clientSecret === "") throw problem("has an empty clientSecret; leave it out for a public client");
    if (privateKey !== undefined && clientSecret !== undefined)
      throw problem("has a clientSecret and a privateKey; give one of them");
    if (authenticationMethod === "private_key_jwt" && privateKey === undefined)
      throw problem("asks for private_key_jwt, which needs a privateKey");
    if (clientSecret === undefined && authenticationMethod?.startsWith("client_secret") === true) {
      throw problem(`asks for ${authenticationMethod}, which needs a clientSecret`);
    }
  }
}

/** The configured client for this issuer, compared letter for letter, as one that can be used. */
export function preRegisteredClient(
  clients: readonly PreRegisteredClient[],
  { issuer, token_endpoint_auth_methods_supported: supported }: AuthorizationServerMetadata,
): OAuthClient | undefined {
  const configured = clients.find((client) => client.issuer === issuer);
  if (configured === undefined) return undefined;
  const { clientId, clientSecret, redirectUri, privateKey } = configured;
  const withoutKey = clientSecret === undefined ? "none" : chooseSecretMethod(supported);
  const method: ClientAuthenticationMethod =
    configured.authenticationMethod ?? (privateKey === undefined ? withoutKey : "private_key_jwt");
  return {
    issuer,
    clientId,
    how: "pre-registered",
    authenticationMethod: method,
    ...(clientSecret !== undefined && {
      clientSecret: typeof clientSecret === "string" ? new Secret(clientSecret) : clientSecret,
    }),
    ...(privateKey !== undefined && { privateKey }),
    ...(redirectUri !== undefined && { redirectUris: [redirectUri] }),
  };
}
