import type { ClientAuth } from "oauth4webapi";
import { McpOAuthError } from "../core/errors.ts";
import { quoted } from "../core/text.ts";
import { formEncoded } from "../core/url.ts";
import { type AuthorizationServerMetadata, ownIssuer } from "./authorization-server.ts";
import { type ClientAuthenticationMethod, isAnonymous, type OAuthClient } from "./oauth-client.ts";
import { type PrivateKeyInput, signingKeyOf } from "./private-key.ts";

/** Ways that need a shared secret, in the order of RFC 6749 section 2.3.1: Basic is the one every server must support. */
const SECRET_METHODS = ["client_secret_basic", "client_secret_post"] as const;

/**
 * The method for a client with a secret, out of those the server supports (RFC 8414 section 2: Basic when it does not
 * say).
 */
export function chooseSecretMethod(supported: readonly string[] | undefined): ClientAuthenticationMethod {
  return (
    SECRET_METHODS.find((method) => (supported ?? ["client_secret_basic"]).includes(method)) ?? "client_secret_basic"
  );
}

/** Whether a method that a server named is one that we can do. */
export function isKnownMethod(method: string): method is ClientAuthenticationMethod {
  return (
    method === "none" ||
    method === "client_secret_basic" ||
    method === "client_secret_post" ||
    method === "private_key_jwt"
  );
}

/** Signs a client assertion for one request (RFC 7523 section 2.2): audience is the issuer alone, `typ` names its kind. */
async function assertionBy(
  client: OAuthClient,
  input: PrivateKeyInput,
  authorizationServer: AuthorizationServerMetadata,
): Promise<ClientAuth> {
  const { PrivateKeyJwt, modifyAssertion } = await import("oauth4webapi");
  const { key, algorithm, keyId } = await signingKeyOf(input);
  const supported = authorizationServer.token_endpoint_auth_signing_alg_values_supported;
  if (supported !== undefined && !supported.includes(algorithm)) {
    throw new McpOAuthError(
      "invalid_configuration",
      `The key of the client ${quoted(client.clientId)} signs with ${algorithm}, but ${client.issuer} takes only ${supported.join(", ")}. Use a key of one of these.`,
      { issuer: client.issuer },
    );
  }
  return PrivateKeyJwt(keyId === undefined ? key : { key, kid: keyId }, {
    [modifyAssertion]: (header: Record<string, unknown>, payload: Record<string, unknown>) => {
      // The name that the key came with and the server was found to take: Ed25519 has two (RFC 9864 section 2.2).
      header.alg = algorithm;
      header.typ = "client-authentication+jwt";
      // One text, not a list: a list could hold another server's name (RFC 7523bis section 4).
      payload.aud = ownIssuer(authorizationServer);
    },
  });
}

/**
 * HTTP Basic with form-encoded id and secret (RFC 6749 section 2.3.1). oauth4webapi's own also escapes "-", "." and "_",
 * which the encoding leaves alone: servers that skip the decoding would then know hardly any client.
 */
function basicWith(clientSecret: string): ClientAuth {
  return (_authorizationServer, { client_id }, _body, headers) => {
    headers.set("authorization", `Basic ${btoa(`${formEncoded(client_id)}:${formEncoded(clientSecret)}`)}`);
  };
}

/**
 * The client's authentication for one request: exactly one method (OAuth 2.1 section 2.4), and nothing at all for no client.
 *
 * @throws `invalid_configuration` when the client lacks what its method needs.
 */
export async function authenticateClient(
  client: OAuthClient,
  authorizationServer: AuthorizationServerMetadata,
): Promise<ClientAuth> {
  if (isAnonymous(client)) return () => undefined;
  const { ClientSecretPost, None } = await import("oauth4webapi");
  const { authenticationMethod: method, clientSecret, privateKey } = client;
  if (method === "none") return None();
  if (method === "private_key_jwt" && privateKey !== undefined)
    return assertionBy(client, privateKey, authorizationServer);
  if (method === "private_key_jwt" || clientSecret === undefined) {
    throw new McpOAuthError(
      "invalid_configuration",
      `The client ${quoted(client.clientId)} is to authenticate with ${method} at ${client.issuer}, but has no ` +
        `${method === "private_key_jwt" ? "private key" : "secret"}. Complete its entry in the option clients.`,
      { issuer: client.issuer },
    );
  }
  return method === "client_secret_basic" ? basicWith(clientSecret.reveal()) : ClientSecretPost(clientSecret.reveal());
}
