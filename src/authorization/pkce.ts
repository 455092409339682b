import { randomToken, sha256 } from "../core/entropy.ts";
import { McpOAuthError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { type IssuerProfiles, relaxingLine } from "../endpoint/issuer-profile.ts";

/** A verifier and its S256 challenge (RFC 7636 section 4): 43 characters of base64url from 32 random octets. */
export interface PkcePair {
  readonly verifier: Secret;
  readonly challenge: string;
}

/** A new pair for one authorization request. */
export function createPkcePair(): PkcePair {
  const verifier = randomToken(32);
  return { verifier: new Secret(verifier), challenge: sha256(verifier) };
}

/**
 * Refuses to start a code flow where PKCE with S256 is not advertised (MCP 2025-11-25 and later, "authorization code
 * protection"). Servers without any metadata cannot advertise it; PKCE is used there all the same.
 *
 * @throws `pkce_unsupported`.
 */
export function requirePkceSupport(
  authorizationServer: AuthorizationServerMetadata,
  server: string,
  profiles?: IssuerProfiles,
): void {
  const methods = authorizationServer.code_challenge_methods_supported;
  if (methods?.includes("S256") === true) return;
  const { issuer } = authorizationServer;
  // Only a server that says nothing may be assumed to support it; one that lists other methods has said no.
  if (methods === undefined && profiles?.use("assumePkce", issuer, server) === true) return;
  const found =
    methods === undefined
      ? "does not say that it supports PKCE"
      : `supports only ${methods.join(", ") || "no method"} for PKCE`;
  throw new McpOAuthError(
    "pkce_unsupported",
    `The authorization server ${issuer} ${found}, so the sign-in to ${server} would not be protected and was not started. ` +
      'Ask its operator to publish code_challenge_methods_supported with "S256". ' +
      `If you know that it works: ${relaxingLine(issuer, "assumePkce: true")}.`,
    { server, issuer },
  );
}
