import { McpOAuthError } from "../core/errors.ts";
import { quoted } from "../core/text.ts";
import { parseUrl } from "../core/url.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import type { PrivateKeyInput } from "../endpoint/private-key.ts";

/**
 * Checks a client ID metadata document URL: https, a path, no dot segments, no fragment, no user information
 * (draft-ietf-oauth-client-id-metadata-document section 3).
 *
 * @throws `invalid_configuration` saying which of these does not hold.
 */
export function requireClientMetadataUrl(text: string): void {
  const url = parseUrl(text);
  const problem = (): string | undefined => {
    if (url === undefined) return "is not a URL";
    if (url.protocol !== "https:") return "must be https";
    if (url.pathname === "/") return "must have a path";
    if (url.hash !== "" || text.includes("#")) return "must not have a fragment";
    if (url.username !== "" || url.password !== "") return "must not carry a user name or password";
    // The parser resolves dot segments, so they only show in the text.
    if (/\/(?:\.|%2e){1,2}(?:\/|$|\?)/i.test(text)) return "must not have dot segments";
    if (url.href !== text)
      return `must be written in its normal form, ${quoted(url.href)}: it is compared letter for letter`;
    return undefined;
  };
  const found = problem();
  if (found !== undefined) {
    throw new McpOAuthError("invalid_configuration", `The option clientMetadataUrl ${quoted(text)} ${found}.`);
  }
}

/** The client whose id is the document's URL, where the server says that it takes such ids. */
export function metadataDocumentClient(
  clientMetadataUrl: string | undefined,
  authorizationServer: AuthorizationServerMetadata,
  privateKey?: PrivateKeyInput,
): OAuthClient | undefined {
  const supported = (authorizationServer as { client_id_metadata_document_supported?: unknown })
    .client_id_metadata_document_supported;
  if (clientMetadataUrl === undefined || supported !== true) return undefined;
  return {
    issuer: authorizationServer.issuer,
    clientId: clientMetadataUrl,
    how: "metadata-document",
    authenticationMethod: privateKey === undefined ? "none" : "private_key_jwt",
    ...(privateKey !== undefined && { privateKey }),
  };
}
