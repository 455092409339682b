import { McpOAuthError } from "../core/errors.ts";
import type { Secret } from "../core/secret.ts";
import { quoted } from "../core/text.ts";
import { isWithin, parseUrl } from "../core/url.ts";
import type { PrivateKeyInput } from "../endpoint/private-key.ts";

/** What every grant without a user has. */
export interface MachineGrantBase {
  /** The MCP server that it is for: its URL, or a parent of it. Credentials go to the authorization server that it names. */
  server: string;
  /** The only issuer that the credentials may go to. Give it where you know it. */
  issuer?: string;
  /** Scopes to ask for, separated by spaces. Default: what the server asks for. */
  scope?: string;
}

/** How a confidential client authenticates: by a secret, or better by a key. */
export interface ClientCredentialsInput {
  clientId: string;
  clientSecret?: string | Secret;
  privateKey?: PrivateKeyInput;
  /** Default: `private_key_jwt` with a key, else out of what the server supports. */
  authenticationMethod?: "client_secret_basic" | "client_secret_post" | "private_key_jwt";
}

/** The client credentials grant (OAuth 2.1 section 4.2, MCP extension "OAuth client credentials"). */
export interface ClientCredentialsGrant extends MachineGrantBase, ClientCredentialsInput {
  type: "client_credentials";
}

/** What an assertion is asked for. */
export interface AssertionRequest {
  readonly server: string;
  readonly issuer: string;
  readonly tokenEndpoint: string;
  readonly resource: string;
  /** The value for `aud`: the issuer, or the token endpoint where the grant says so. */
  readonly audience: string;
  /**
   * Aborted when the answer is no longer waited for: the sign-in was aborted, or it took longer than the option
   * `signInTimeoutMs` allows.
   */
  readonly signal: AbortSignal;
}

/** Where a workload's own token comes from; it is read anew for each exchange, and never stored. */
export type AssertionSource =
  | { readonly file: string }
  | { readonly environmentVariable: string }
  | ((request: AssertionRequest) => string | Secret | Promise<string | Secret>);

/** The JWT bearer grant with a workload's own token (RFC 7523 section 2.1, MCP draft "workload identity federation"). */
export interface JwtBearerGrant extends MachineGrantBase {
  type: "jwt_bearer";
  assertion: AssertionSource;
  /** What the assertion's `aud` is to be. Default `"issuer"`. */
  audience?: "issuer" | "token_endpoint";
  /** A client to name and to authenticate as. Default: none, the assertion is the whole proof. */
  client?: ClientCredentialsInput;
}

/** What proves at the identity provider who the user is. */
export interface SubjectToken {
  readonly token: string | Secret;
  /** Default `"id_token"`. */
  readonly type?: "id_token" | "saml2" | "refresh_token";
  /** The provider's refresh token that came with it; it takes the place of `token` when that has ended. */
  readonly refreshToken?: string | Secret;
}

/** What a sign-on at the identity provider is asked for. */
export interface SubjectTokenRequest {
  /**
   * `first`: there is none yet. `expired`: the last one has ended. `insufficient`: the provider wants another one, no older
   * than `maxAgeSeconds` and of the strength of `acrValues`, where it says so (RFC 9470).
   */
  readonly reason: "first" | "expired" | "insufficient";
  /** The account whose user is to sign on. */
  readonly account: string;
  /**
   * Aborted when the answer is no longer waited for: the sign-in was aborted, or it took longer than the option
   * `signInTimeoutMs` allows.
   */
  readonly signal: AbortSignal;
  readonly maxAgeSeconds?: number;
  readonly acrValues?: string;
}

/**
 * Enterprise-managed authorization (MCP extension, ID-JAG): the identity provider, not a consent page, decides who may use
 * the server.
 */
export interface EnterpriseManagedGrant extends MachineGrantBase {
  type: "enterprise_managed";
  identityProvider: ClientCredentialsInput & {
    /** The provider's token endpoint. */
    tokenEndpoint: string;
    /** The provider's issuer identifier. Default: the token endpoint's origin. */
    issuer?: string;
  };
  /** Gives the token of the user's single sign-on; called again when the last one has ended or does not do. */
  subjectToken: (request: SubjectTokenRequest) => SubjectToken | Promise<SubjectToken>;
  /**
   * Whether a SAML assertion is exchanged for a refresh token of the provider, kept in memory, so that the user need not sign
   * on again within minutes (ID-JAG section 4.5). Default `false`.
   */
  exchangeSaml?: boolean;
  /** The client at the MCP server's authorization server, named in the assertion. */
  client: ClientCredentialsInput;
}

/** A way to get tokens without asking a person. */
export type MachineGrant = ClientCredentialsGrant | JwtBearerGrant | EnterpriseManagedGrant;

function problemOfClient(client: ClientCredentialsInput | undefined, mustBeConfidential: boolean): string | undefined {
  if (typeof client?.clientId !== "string" || client.clientId === "") return "needs a clientId";
  const { clientSecret, privateKey, authenticationMethod } = client;
  if (clientSecret === "") return "has an empty clientSecret";
  if (clientSecret !== undefined && privateKey !== undefined)
    return "has a clientSecret and a privateKey; give one of them";
  if (mustBeConfidential && clientSecret === undefined && privateKey === undefined)
    return "needs a privateKey or a clientSecret: this grant is for confidential clients";
  if (authenticationMethod === undefined) return undefined;
  const missing = authenticationMethod === "private_key_jwt" ? privateKey === undefined : clientSecret === undefined;
  return missing ? `asks for ${authenticationMethod} without what that needs` : undefined;
}

function problemOf(grant: MachineGrant): string | undefined {
  if (!["http:", "https:"].includes(parseUrl(String(grant.server))?.protocol ?? ""))
    return "needs the server's URL in server";
  switch (grant.type) {
    case "client_credentials":
      return problemOfClient(grant, true);
    case "jwt_bearer":
      return grant.client === undefined ? undefined : problemOfClient(grant.client, false);
    case "enterprise_managed":
      return problemOfClient(grant.identityProvider, false) ?? problemOfClient(grant.client, false);
    default:
      return `has a type that does not exist: ${quoted(String((grant as { type: unknown }).type))}`;
  }
}

/**
 * Checks what a host configured.
 *
 * @throws `invalid_configuration`.
 */
export function requireMachineGrants(grants: readonly MachineGrant[]): void {
  for (const grant of grants) {
    const problem = problemOf(grant);
    if (problem === undefined) continue;
    const message = `The entry of the option grants for ${quoted(String(grant.server))} ${problem}.`;
    throw new McpOAuthError("invalid_configuration", message);
  }
}

/** The grant that is configured for a server: the one whose URL is closest to it. */
export function grantFor(grants: readonly MachineGrant[], server: string): MachineGrant | undefined {
  const target = new URL(server);
  return grants
    .filter((grant) => {
      const base = parseUrl(grant.server);
      return base !== undefined && isWithin(base, target);
    })
    .sort((left, right) => right.server.length - left.server.length)[0];
}
