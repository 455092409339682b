import { McpOAuthError, type McpOAuthErrorDetails } from "./errors.ts";
import { quoted } from "./text.ts";

/** Whether a URL's host name is this machine itself: `localhost`, 127.0.0.0/8 or `[::1]` (RFC 8252 section 7.3). */
export function isLoopbackHost(hostname: string): boolean {
  // The URL parser has already turned every odd spelling of an IPv4 address into four decimal numbers.
  return hostname === "localhost" || hostname === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
}

/** Parses a URL, or gives `undefined`; relative references are not URLs here. */
export function parseUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/**
 * A URL that tokens or credentials may travel to: https, or http on loopback; no user name or password in it.
 *
 * @param what names the URL in the message, for example "The token endpoint".
 * @throws `insecure_url` for another scheme, `invalid_response` when it is no URL or carries user information.
 */
export function requireSecureUrl(text: string, what: string, details: McpOAuthErrorDetails = {}): URL {
  const url = parseUrl(text);
  if (url === undefined) throw new McpOAuthError("invalid_response", `${what} is not a URL: ${quoted(text)}.`, details);
  if (url.username !== "" || url.password !== "") {
    throw new McpOAuthError("invalid_response", `${what} carries a user name or password, which is refused.`, details);
  }
  if (url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname))) return url;
  throw new McpOAuthError(
    "insecure_url",
    `${what} is ${quoted(text)}: only https is allowed (http only on loopback). Ask the operator to serve it over https.`,
    details,
  );
}

/**
 * The canonical form of an MCP server's URL: scheme and host in lower case, no fragment, no default port, and no
 * trailing slash where the path is empty (MCP authorization, "canonical server URI"; RFC 8707 section 2).
 *
 * @throws `invalid_argument` when it is not an http(s) URL or carries user information.
 */
export function canonicalServerUrl(input: string | URL): string {
  const url = parseUrl(String(input));
  if (url === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) {
    throw new McpOAuthError(
      "invalid_argument",
      `${quoted(String(input))} is not the URL of an MCP server: it must start with https:// (or http:// on loopback). ` +
        "Servers that speak stdio take their credentials from the environment instead.",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw new McpOAuthError(
      "invalid_argument",
      `The MCP server's URL at ${url.host} carries a user name or password; remove it and store the credential instead.`,
    );
  }
  return `${url.origin}${url.pathname === "/" ? "" : url.pathname}${url.search}`;
}

/** A path's segments; one trailing slash does not make a segment. */
function segmentsOf(pathname: string): string[] {
  const segments = pathname.split("/").slice(1);
  if (segments.at(-1) === "") segments.pop();
  return segments;
}

/**
 * Whether `target` lies within `base`: the same origin, and a path that starts with all of the base's path segments
 * (`/mc` does not contain `/mcp`). A base with a query contains only URLs with that same query.
 */
export function isWithin(base: URL, target: URL): boolean {
  if (base.origin !== target.origin) return false;
  if (base.search !== "" && base.search !== target.search) return false;
  const inner = segmentsOf(target.pathname);
  return segmentsOf(base.pathname).every((segment, index) => segment === inner[index]);
}

/**
 * A well-known URL made by inserting between host and path (RFC 8414 section 3.1, RFC 9728 section 3.1). A lone
 * trailing slash is dropped, the query is kept.
 */
export function insertWellKnown(identifier: URL, suffix: string): string {
  const path = identifier.pathname === "/" ? "" : identifier.pathname.replace(/\/$/, "");
  return `${identifier.origin}/.well-known/${suffix}${path}${identifier.search}`;
}

/** A well-known URL made by appending to the path (OpenID Connect Discovery 1.0 section 4). */
export function appendWellKnown(identifier: URL, suffix: string): string {
  return `${identifier.origin}${identifier.pathname.replace(/\/$/, "")}/.well-known/${suffix}`;
}

/** A text as it stands in a form body or a query (WHATWG URL standard, application/x-www-form-urlencoded). */
export function formEncoded(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}
