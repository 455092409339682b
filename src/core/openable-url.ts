import { McpOAuthError } from "./errors.ts";
import { quoted } from "./text.ts";
import { isLoopbackHost } from "./url.ts";

/**
 * The longest URL, in characters, that is handed to a browser. On Windows the launcher's command line carries the URL
 * as base64 of UTF-16 (2.67 characters for one) and may have 32,767; a browser's own limits are higher. Requests that
 * need more belong into a pushed authorization request (RFC 9126).
 */
export const LONGEST_OPENABLE_URL = 8192;

/** The parser lets `$`, `(`, quotes, backticks and `;` through in host names; no host that exists has them. */
const PLAIN_HOST = /^(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])$/;
/** The parser silently drops tabs and line ends, and trims spaces and controls: whoever sends them hides something. */
const DROPPED_BY_THE_PARSER = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]/u;
/** All that a URL needs after its host. The other legal characters mean something to some shell. */
const NOT_PLAIN = /[^A-Za-z0-9\-._~:/?#@&=+,%]/g;
const STRAY_PERCENT = /%(?![0-9A-Fa-f]{2})/g;

function refuse(url: string, why: string): never {
  // Without query, fragment and user information: there may be a state, a code or a password in them.
  const shown = url
    .split(/[?#]/, 1)
    .join("")
    .replace(/\/\/[^/]*@/, "//");
  throw new McpOAuthError("insecure_url", `The URL ${quoted(shown)} is not opened in a browser: ${why}.`);
}

/** Percent-encodes what a shell could act on. To a form-decoding server the URL stays the same. */
function withoutShellCharacters(text: string): string {
  return text
    .replace(STRAY_PERCENT, "%25")
    .replace(NOT_PLAIN, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`);
}

/**
 * The one guard in front of everything that brings a URL before the user: authorization URLs, verification URIs,
 * elicitation URLs.
 *
 * Lets through https, and http on loopback. The result's text consists of letters, digits and `-._~:/?#@&=+,%` (and
 * the brackets of an IPv6 host); any other character is percent-encoded, so that no shell, launcher or terminal finds
 * anything to act on.
 *
 * @param url what a server, a configuration or a person gave. A string is refused when it has white space or control
 * characters anywhere, although URL parsers would drop them.
 * @returns the URL to open. Open this one, not the one given.
 * @throws `insecure_url` for another scheme, http elsewhere, user information, an unusual host, or more than 8,192
 * characters. See the security best practices of MCP, and RFC 9700 section 4.
 */
export function assertOpenableUrl(url: URL | string): URL {
  const given = String(url);
  if (DROPPED_BY_THE_PARSER.test(given)) refuse(given, "it contains white space or control characters");
  const parsed = URL.canParse(given) ? new URL(given) : refuse(given, "it is not an absolute URL");
  if (parsed.protocol !== "https:" && parsed.protocol !== "http:") refuse(given, "it is neither https nor http");
  if (parsed.protocol === "http:" && !isLoopbackHost(parsed.hostname)) {
    refuse(given, "plain http is opened on this machine only; the server needs https");
  }
  if (parsed.username !== "" || parsed.password !== "") refuse(given, "it contains user information before the host");
  if (!PLAIN_HOST.test(parsed.hostname)) refuse(given, "its host name is not one that can exist");
  const text = parsed.origin + withoutShellCharacters(parsed.href.slice(parsed.origin.length));
  if (text.length > LONGEST_OPENABLE_URL) refuse(given, `it is longer than ${LONGEST_OPENABLE_URL} characters`);
  const openable = new URL(text);
  // A parser that changed the text again would have given a URL that nobody looked at.
  if (openable.href !== text) refuse(given, "it has no unambiguous form");
  return openable;
}
