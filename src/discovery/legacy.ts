import { McpOAuthError } from "../core/errors.ts";
import type { Http } from "../core/http.ts";
import { quoted } from "../core/text.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { requireAuthorizationServerShape } from "./authorization-server.ts";
import { fetchMetadata } from "./fetch-metadata.ts";

/** How a server of MCP 2025-03-26, which is its own authorization server, was found. */
export interface LegacyAuthorizationServer {
  readonly metadata: AuthorizationServerMetadata;
  /** True when there is no metadata at all and the endpoints are the default ones. */
  readonly defaultEndpoints: boolean;
}

/**
 * The 2025-03-26 revision: the authorization base URL is the server's origin; its metadata is at the origin's well-known
 * place; without metadata the endpoints are `/authorize`, `/token` and `/register` there.
 *
 * Only to be used when all protected resource metadata is definitively absent.
 *
 * @throws `issuer_mismatch` when the metadata is for another issuer; otherwise as discovery does.
 */
export async function discoverLegacyAuthorizationServer(
  http: Http,
  server: string,
  signal?: AbortSignal,
): Promise<LegacyAuthorizationServer> {
  const { origin } = new URL(server);
  const url = `${origin}/.well-known/oauth-authorization-server`;
  const answer = await fetchMetadata(http, url, "The authorization server metadata", { server }, signal);
  if (answer.kind === "failed") throw answer.error;
  if (answer.kind === "absent") return { metadata: defaultEndpointsAt(origin), defaultEndpoints: true };
  const { issuer } = answer.document;
  // No server-given identifier to compare with: the origin with and without its slash are the same empty path here.
  if (issuer !== origin && issuer !== `${origin}/`) {
    const named = typeof issuer === "string" ? issuer : "(none)";
    throw new McpOAuthError(
      "issuer_mismatch",
      `The metadata at ${url} is for the issuer ${quoted(named)}; a server without protected resource metadata must be ` +
        `its own authorization server, ${quoted(origin)} (MCP 2025-03-26). Report it to the server's operator.`,
      { server },
    );
  }
  return { metadata: requireAuthorizationServerShape(answer.document, url, server), defaultEndpoints: false };
}

function defaultEndpointsAt(origin: string): AuthorizationServerMetadata {
  return {
    issuer: origin,
    authorization_endpoint: `${origin}/authorize`,
    token_endpoint: `${origin}/token`,
    registration_endpoint: `${origin}/register`,
  };
}
