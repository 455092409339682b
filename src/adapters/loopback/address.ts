import { McpOAuthError } from "../../core/errors.ts";
import { quoted } from "../../core/text.ts";
import { isLoopbackHost } from "../../core/url.ts";
import type { RedirectOptions } from "../../ports/redirect-receiver.ts";

/** Where to listen and under which text, from options that have been checked. */
export interface ListenAddress {
  /** The addresses to bind, on one port. The first must work, the others where the machine has them. */
  readonly bindHosts: readonly string[];
  /** The port to bind; 0 for a free one. */
  readonly port: number;
  /** The one path that is answered. */
  readonly path: string;
  /** The host as it stands in a URL. */
  readonly urlHost: string;
  /** The public redirect URI, where it is not the one that we listen on. */
  readonly publicUri: string | undefined;
  /** Equal for options that can share one listener. */
  readonly key: string;
}

const BIND_HOSTS: Readonly<Record<string, readonly string[]>> = {
  "127.0.0.1": ["127.0.0.1"],
  "::1": ["::1"],
  // Browsers differ in which of the two they try first, and RFC 8252 section 7.3 wants both.
  localhost: ["127.0.0.1", "::1"],
};
const DEFAULT_HTTP_PORT = 80;

function refuse(message: string): never {
  throw new McpOAuthError("invalid_configuration", message);
}

/** Checks a public redirect URI without changing a character of it: it is compared as a string (RFC 9700 section 2.1). */
function parsePublicUri(uri: string): URL {
  const url = URL.canParse(uri) ? new URL(uri) : refuse(`redirect.uri ${quoted(uri)} is not an absolute URL.`);
  const isSecure = url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname));
  if (!isSecure) refuse(`redirect.uri ${quoted(uri)} must be https, or http on a loopback host.`);
  if (uri.includes("#")) refuse(`redirect.uri ${quoted(uri)} must not have a fragment.`);
  if (url.username !== "" || url.password !== "") refuse(`redirect.uri ${quoted(uri)} must not have user information.`);
  return url;
}

function parsePath(path: string): string {
  const unchanged = path.startsWith("/") && URL.canParse(`http://127.0.0.1${path}`);
  if (!unchanged || new URL(`http://127.0.0.1${path}`).pathname !== path) {
    refuse(`redirect.path ${quoted(path)} must be a URL path such as "/callback", without query and dot segments.`);
  }
  return path;
}

function parsePort(port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    refuse(`redirect.port ${quoted(String(port))} must be a whole number from 0 (any free port) to 65535.`);
  }
  return port;
}

/** A public URI on loopback says by itself where to listen; any other needs to be told. */
function portOf(options: RedirectOptions, publicUrl: URL | undefined): number {
  if (options.port !== undefined) return parsePort(options.port);
  if (publicUrl === undefined) return 0;
  if (publicUrl.protocol === "http:") return publicUrl.port === "" ? DEFAULT_HTTP_PORT : Number(publicUrl.port);
  return refuse(`redirect.uri ${quoted(publicUrl.href)} needs redirect.port: the local port that it leads to.`);
}

function parseHost(options: RedirectOptions, publicUrl: URL | undefined): readonly [string, readonly string[]] {
  const implied = publicUrl?.protocol === "http:" ? publicUrl.hostname : undefined;
  const host = (options.host ?? implied ?? "127.0.0.1").toLowerCase().replace(/^\[(.*)\]$/, "$1");
  const known = Object.hasOwn(BIND_HOSTS, host) ? BIND_HOSTS[host] : undefined;
  if (known !== undefined) return [host, known];
  // Listening wider than loopback is for a container whose port is published, and there the URI differs anyway.
  if (publicUrl !== undefined && /^[0-9a-f:.]+$/.test(host)) return [host, [host]];
  return refuse(
    `redirect.host ${quoted(host)} is not a loopback host: use "127.0.0.1", "localhost" or "::1". ` +
      `An IP address such as "0.0.0.0" is possible together with redirect.uri.`,
  );
}

/**
 * Checks redirect options and fills in the defaults.
 *
 * @throws `invalid_configuration` for a host that is not loopback (without a public URI), an unusable port, path or URI.
 */
export function parseRedirectOptions(options: RedirectOptions): ListenAddress {
  const publicUrl = options.uri === undefined ? undefined : parsePublicUri(options.uri);
  const port = portOf(options, publicUrl);
  const path = parsePath(options.path ?? publicUrl?.pathname ?? "/callback");
  const [host, bindHosts] = parseHost(options, publicUrl);
  const urlHost = host.includes(":") ? `[${host}]` : host;
  const key = JSON.stringify([host, port, path, options.uri ?? null]);
  return { bindHosts, port, path, urlHost, publicUri: options.uri, key };
}

/** The redirect URI for the port that was bound: exactly this text is registered and sent (RFC 8252 section 7.3). */
export function redirectUriOf(address: ListenAddress, port: number): string {
  if (address.publicUri !== undefined) return address.publicUri;
  return `http://${address.urlHost}${port === DEFAULT_HTTP_PORT ? "" : `:${port}`}${address.path}`;
}

/**
 * The Host header values under which our own URLs arrive. Any other means that somebody else's name leads here: a DNS
 * rebinding attack.
 */
export function acceptedHosts(address: ListenAddress, port: number): ReadonlySet<string> {
  const hosts = new Set([`${address.urlHost}:${port}`]);
  if (port === DEFAULT_HTTP_PORT) hosts.add(address.urlHost);
  if (address.publicUri === undefined) return hosts;
  // A proxy or tunnel keeps the public host, or puts a local one in its place. None of these can be rebound.
  hosts.add(new URL(address.publicUri).host);
  for (const local of ["127.0.0.1", "localhost", "[::1]"]) hosts.add(`${local}:${port}`);
  return hosts;
}
