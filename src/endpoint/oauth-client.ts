import type { JsonObject } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import type { PrivateKeyInput } from "./private-key.ts";

/** How a client proves itself at the token endpoint (RFC 7591 section 2); exactly one is used. */
export type ClientAuthenticationMethod = "none" | "client_secret_basic" | "client_secret_post" | "private_key_jwt";

/** A client as one authorization server knows it. Bound to that issuer for ever. */
export interface OAuthClient {
  readonly issuer: string;
  readonly clientId: string;
  readonly how: "pre-registered" | "metadata-document" | "dynamic";
  readonly authenticationMethod: ClientAuthenticationMethod;
  readonly clientSecret?: Secret;
  /** For `private_key_jwt`. Configured, never stored. */
  readonly privateKey?: PrivateKeyInput;
  /** When the secret ends, in milliseconds since the epoch. */
  readonly secretExpiresAt?: number;
  /** The redirect URIs that were registered, where we know them. */
  readonly redirectUris?: readonly string[];
  /** The scopes that were registered: some servers hold a client to them. Absent: not limited. */
  readonly registeredScope?: string;
  /** RFC 7592 section 3. */
  readonly registrationUri?: string;
  readonly registrationAccessToken?: Secret;
}

/** Stands for "no client": an assertion can name its subject itself (RFC 7521 section 4.1). */
export function anonymousClient(issuer: string): OAuthClient {
  return { issuer, clientId: "", how: "pre-registered", authenticationMethod: "none" };
}

/** Whether requests name no client. */
export function isAnonymous({ clientId }: OAuthClient): boolean {
  return clientId === "";
}

/** The client as oauth4webapi takes it; it wants an id even where none is sent. */
export function wireClient(client: OAuthClient): { client_id: string } {
  return { client_id: isAnonymous(client) ? "anonymous" : client.clientId };
}

/** For a {@link TokenStore} only: the result has secrets in the clear. */
export function clientToRecord(client: OAuthClient): JsonObject {
  const { privateKey: _neverStored, ...stored } = client;
  return {
    ...stored,
    clientSecret: client.clientSecret?.reveal(),
    registrationAccessToken: client.registrationAccessToken?.reveal(),
  };
}

/** The reverse of {@link clientToRecord}; anything that is not such a record gives `undefined`. */
export function clientFromRecord(record: JsonObject): OAuthClient | undefined {
  const { issuer, clientId, how, authenticationMethod, clientSecret, registrationAccessToken } = record;
  if (typeof issuer !== "string" || typeof clientId !== "string") return undefined;
  if (how !== "pre-registered" && how !== "metadata-document" && how !== "dynamic") return undefined;
  if (typeof authenticationMethod !== "string") return undefined;
  const { redirectUris, registeredScope, secretExpiresAt, registrationUri } = record;
  return {
    issuer,
    clientId,
    how,
    authenticationMethod: authenticationMethod as ClientAuthenticationMethod,
    ...(typeof clientSecret === "string" && { clientSecret: new Secret(clientSecret) }),
    ...(typeof registrationAccessToken === "string" && {
      registrationAccessToken: new Secret(registrationAccessToken),
    }),
    ...(typeof secretExpiresAt === "number" && Number.isFinite(secretExpiresAt) && { secretExpiresAt }),
    ...(typeof registeredScope === "string" && { registeredScope }),
    ...(typeof registrationUri === "string" && { registrationUri }),
    ...(Array.isArray(redirectUris) && { redirectUris: redirectUris.filter((uri) => typeof uri === "string") }),
  };
}
