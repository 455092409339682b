import { McpOAuthError } from "../core/errors.ts";
import { isJsonObject, type JsonObject, parseJsonObject, textMember, textsMember } from "../core/json.ts";
import { inertText } from "../core/text.ts";
import { isLoopbackHost, parseUrl } from "../core/url.ts";
import { requireClientMetadataUrl } from "./client-metadata-document.ts";

/** What a client ID metadata document is made of. */
export interface ClientMetadataDocumentOptions {
  /** The URL that the document will be served at; it is the client id. */
  url: string;
  clientName: string;
  /** Default: the loopback redirect of this library, `http://127.0.0.1/callback` and its `localhost` and `[::1]` forms. */
  redirectUris?: readonly string[];
  /** The public keys, for a client that authenticates by `private_key_jwt`. Default: a public client. */
  jwks?: { keys: readonly Record<string, unknown>[] };
  /** Where the public keys are served instead. */
  jwksUri?: string;
  /** Default: no scope is named. */
  scope?: string;
  /** Whether the client may also sign in on other devices (RFC 8628). Default `false`. */
  deviceFlow?: boolean;
  clientUri?: string;
  logoUri?: string;
}

/** One thing that is wrong with a document, or not as good as it could be. */
export interface MetadataDocumentFinding {
  readonly level: "error" | "warning";
  /** The member concerned, or `document`. */
  readonly member: string;
  readonly message: string;
}

const LOOPBACK_REDIRECTS = ["http://127.0.0.1/callback", "http://localhost/callback", "http://[::1]/callback"];
const LARGEST_DOCUMENT_BYTES = 5 * 1024;
const LONGEST_MESSAGE = 400;
const DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code";
const KNOWN_METHODS = new Set(["none", "private_key_jwt", "self_signed_tls_client_auth", "tls_client_auth"]);

/**
 * Makes a client ID metadata document (draft-ietf-oauth-client-id-metadata-document section 4), ready for `JSON.stringify`.
 *
 * The authentication method stands in both forms that servers read: `token_endpoint_auth_method` (RFC 7591) and the list
 * `token_endpoint_auth_methods_supported`.
 *
 * @throws `invalid_configuration` for a URL that cannot be a client id.
 */
export function clientMetadataDocument(options: ClientMetadataDocumentOptions): Record<string, unknown> {
  requireClientMetadataUrl(options.url);
  const { url, clientName, redirectUris = LOOPBACK_REDIRECTS, jwks, jwksUri, scope, clientUri, logoUri } = options;
  if (clientName.trim() === "")
    throw new McpOAuthError("invalid_configuration", "A client metadata document needs a clientName.");
  const method = jwks === undefined && jwksUri === undefined ? "none" : "private_key_jwt";
  const isNative = redirectUris.every((uri) => isLoopbackHost(parseUrl(uri)?.hostname ?? ""));
  return {
    client_id: url,
    client_name: clientName,
    redirect_uris: [...redirectUris],
    application_type: isNative ? "native" : "web",
    grant_types: ["authorization_code", "refresh_token", ...(options.deviceFlow === true ? [DEVICE_GRANT] : [])],
    response_types: ["code"],
    token_endpoint_auth_method: method,
    token_endpoint_auth_methods_supported: [method],
    ...(scope !== undefined && { scope }),
    ...(clientUri !== undefined && { client_uri: clientUri }),
    ...(logoUri !== undefined && { logo_uri: logoUri }),
    ...(jwks !== undefined && { jwks }),
    ...(jwksUri !== undefined && { jwks_uri: jwksUri }),
  };
}

type Report = (level: MetadataDocumentFinding["level"], member: string, message: string) => void;

function lintIdentity(document: JsonObject, url: string, report: Report): void {
  try {
    requireClientMetadataUrl(url);
  } catch (error) {
    report("error", "client_id", error instanceof Error ? error.message : String(error));
  }
  if (url.includes("?")) report("warning", "client_id", "its URL has a query, which is discouraged");
  if (document.client_id !== url)
    report("error", "client_id", `must be the document's own URL, letter for letter: ${url}`);
  if (textMember(document, "client_name") === undefined)
    report("error", "client_name", "is missing; users see it when they consent");
}

function lintRedirects(document: JsonObject, report: Report): void {
  const uris = textsMember(document, "redirect_uris");
  if (uris === undefined || uris.length === 0) {
    report("error", "redirect_uris", "must be a list of at least one URI");
    return;
  }
  for (const uri of uris) {
    const url = parseUrl(uri);
    const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopbackHost(url.hostname));
    if (!isSafe || url?.hash !== "")
      report("error", "redirect_uris", `${uri} must be https, or http on loopback, without a fragment`);
    else if (isLoopbackHost(url.hostname) && url.port !== "") {
      report(
        "warning",
        "redirect_uris",
        `${uri} has a fixed port; servers that follow RFC 8252 take any port if none is given`,
      );
    }
  }
}

function lintAuthentication(document: JsonObject, report: Report): void {
  for (const member of ["client_secret", "client_secret_expires_at"]) {
    if (document[member] !== undefined) report("error", member, "must not be in a public document");
  }
  const single = textMember(document, "token_endpoint_auth_method");
  const list = textsMember(document, "token_endpoint_auth_methods_supported");
  if (single === undefined)
    report("warning", "token_endpoint_auth_method", 'is missing, which means "client_secret_basic" to many servers');
  if (list === undefined)
    report("warning", "token_endpoint_auth_methods_supported", "is missing; newer servers read the list");
  if (single !== undefined && list !== undefined && !list.includes(single)) {
    report("error", "token_endpoint_auth_methods_supported", `does not contain ${single}`);
  }
  for (const method of new Set([...(single === undefined ? [] : [single]), ...(list ?? [])])) {
    if (!KNOWN_METHODS.has(method))
      report("error", "token_endpoint_auth_method", `${method} needs a shared secret, which such a client cannot have`);
  }
  const needsKeys = single === "private_key_jwt" || list?.includes("private_key_jwt") === true;
  if (needsKeys && document.jwks === undefined && document.jwks_uri === undefined) {
    report("error", "jwks", "is missing (or jwks_uri): private_key_jwt needs the public key");
  }
  const keys = isJsonObject(document.jwks) && Array.isArray(document.jwks.keys) ? document.jwks.keys : [];
  if (keys.some((key) => isJsonObject(key) && ("d" in key || "k" in key)))
    report("error", "jwks", "contains a private key");
}

function lintGrants(document: JsonObject, report: Report): void {
  const grants = textsMember(document, "grant_types");
  if (grants?.includes("authorization_code") !== true)
    report("warning", "grant_types", "should list authorization_code");
  if (grants?.includes("refresh_token") !== true)
    report("warning", "grant_types", "should list refresh_token, or users sign in again and again");
  if (document.application_type === undefined)
    report("warning", "application_type", 'is missing, which means "web": loopback redirects may be refused');
}

/**
 * Checks a client ID metadata document as it is served at `url`.
 *
 * @param content the document's text.
 * @returns what is wrong with it; an empty list is a clean document.
 */
export function lintClientMetadataDocument(content: string, url: string): MetadataDocumentFinding[] {
  const findings: MetadataDocumentFinding[] = [];
  // Messages repeat what the document says, and are printed.
  const report: Report = (level, member, message) =>
    findings.push({ level, member, message: inertText(message, LONGEST_MESSAGE) });
  const document = parseJsonObject(content);
  if (document === undefined) {
    report("error", "document", "is not a JSON object");
    return findings;
  }
  if (new TextEncoder().encode(content).length > LARGEST_DOCUMENT_BYTES)
    report("warning", "document", "is larger than 5 KB, which servers may refuse");
  lintIdentity(document, url, report);
  lintRedirects(document, report);
  lintAuthentication(document, report);
  lintGrants(document, report);
  return findings;
}
