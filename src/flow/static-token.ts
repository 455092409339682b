import { McpOAuthError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import type { Credential, SessionKey } from "../tokens/credential.ts";

/** Headers that carry something else, or that no request may set. */
const REFUSED_HEADERS = new Set([
  "cookie",
  "host",
  "content-length",
  "content-type",
  "accept",
  "transfer-encoding",
  "connection",
]);

function requireSendable(server: string, value: string, header: string | undefined): void {
  const invalid = (problem: string): McpOAuthError =>
    new McpOAuthError("invalid_argument", `setToken for ${server}: ${problem}.`, { server });
  if (!/^[\x21-\x7e]+$/.test(value)) throw invalid("the key must be visible ASCII characters, without spaces");
  if (header === undefined) return;
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(header))
    throw invalid("the header's name is not one (RFC 9110 section 5.1)");
  if (REFUSED_HEADERS.has(header.toLowerCase())) throw invalid(`the header ${header} cannot carry a key`);
}

/**
 * A credential for a server that takes a fixed API key or token instead of OAuth.
 *
 * @throws `invalid_argument` for a key or header that no request can carry.
 */
export function staticCredential(
  { server }: SessionKey,
  token: string | Secret,
  header: string | undefined,
  nowMs: number,
): Credential {
  const accessToken = typeof token === "string" ? new Secret(token) : token;
  requireSendable(server, accessToken.reveal(), header);
  const issuer = new URL(server).origin;
  return {
    issuer,
    resource: server,
    client: { issuer, clientId: "", how: "pre-registered", authenticationMethod: "none" },
    authorizationServer: { issuer },
    accessToken,
    tokenType: "Bearer",
    issuedAt: nowMs,
    signedInAt: nowMs,
    flow: "static",
    ...(header !== undefined && header.toLowerCase() !== "authorization" && { header }),
  };
}
