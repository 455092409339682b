import { Secret } from "../core/secret.ts";
import type { AuthorizationServerMetadata } from "./authorization-server.ts";
import { chooseSecretMethod } from "./client-authentication.ts";
import type { ClientAuthenticationMethod, OAuthClient } from "./oauth-client.ts";
import type { PrivateKeyInput } from "./private-key.ts";

/** A client as hosts configure it. */
export interface ConfiguredClient {
  readonly clientId: string;
  readonly clientSecret?: string | Secret | undefined;
  readonly privateKey?: PrivateKeyInput | undefined;
  readonly authenticationMethod?: ClientAuthenticationMethod | undefined;
}

/** A configured client as one that can be used: with a key `private_key_jwt`, with a secret what the server supports. */
export function configuredClient(
  configured: ConfiguredClient,
  authorizationServer: AuthorizationServerMetadata,
): OAuthClient {
  const { clientId, clientSecret, privateKey } = configured;
  const supported = authorizationServer.token_endpoint_auth_methods_supported;
  const withoutKey = clientSecret === undefined ? "none" : chooseSecretMethod(supported);
  return {
    issuer: authorizationServer.issuer,
    clientId,
    how: "pre-registered",
    authenticationMethod:
      configured.authenticationMethod ?? (privateKey === undefined ? withoutKey : "private_key_jwt"),
    ...(privateKey !== undefined && { privateKey }),
    ...(clientSecret !== undefined && {
      clientSecret: typeof clientSecret === "string" ? new Secret(clientSecret) : clientSecret,
    }),
  };
}
