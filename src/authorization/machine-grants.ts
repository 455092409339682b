import type { Secret } from "../core/secret.ts";
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
  /** Gives the token of the user's single sign-on; called again with `reason: "expired"` when the last one has ended. */
  subjectToken: (request: { readonly reason: "first" | "expired" }) => SubjectToken | Promise<SubjectToken>;
  /** The client at the MCP server's authorization server, named in the assertion. */
  client: ClientCredentialsInput;
}

/** A way to get tokens without asking a person. */
export type MachineGrant = ClientCredentialsGrant | JwtBearerGrant | EnterpriseManagedGrant;

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
