// What keeps requests and what they carry from going elsewhere: ssrf and redirects.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: code is quoted here
import { defence } from "./defence.mjs";

const GUARDED = "adapters/guarded-fetch.ts";
const GUARD = "adapters/address-guard.ts";
const HTTP = "core/http.ts";
const URLS = "core/url.ts";
const FETCH = "attach/fetch.ts";

const userInformation =
  'if (url.username !== "" || url.password !== "") {\n    throw new McpOAuthError("invalid_response",';

export const addressDefences = [
  defence(
    "addresses in URLs are checked before anything connects",
    `ssrf-metadata-* ssrf-issuer-* ssrf-registration-* ssrf-token-* ssrf-pushed-* ssrf-device-* ssrf-revocation-*
      ssrf-shared-* ssrf-this-network ssrf-ipv6-* ssrf-multicast ssrf-broadcast ssrf-benchmarking ssrf-mapped*
      ssrf-nat64 ssrf-6to4 ssrf-teredo ssrf-hexadecimal ssrf-one-number ssrf-octal ssrf-short ssrf-trailing-dot
      ssrf-full-width ssrf-percent-encoded ssrf-private-to-loopback ssrf-link-local-allowed ssrf-zone-*`,
    [
      GUARDED,
      "if (literal !== undefined && !mayName(zone, literal)) throw addressRefused(url.hostname, literal, server);",
    ],
  ),
  defence("addresses that names resolve to are checked in the lookup of the connection", "ssrf-name-* ssrf-rebinding", [
    GUARDED,
    "if (!mayName(zone, found)) throw addressRefused(hostname, found, server);",
  ]),
  defence(
    "ranges that nobody knows are no place for a server",
    `ssrf-metadata-cloud ssrf-device-link-local ssrf-multicast ssrf-broadcast ssrf-nat64 ssrf-6to4 ssrf-this-network
      ssrf-ipv6-unspecified ssrf-benchmarking ssrf-teredo ssrf-link-local-allowed`,
    [GUARD, 'PRIVATE_RANGES.has(range) ? "private" : "forbidden"', '"public"'],
  ),
  defence(
    "private networks are not public",
    `ssrf-metadata-10 ssrf-issuer-192-168 ssrf-registration-172-16 ssrf-pushed-unique-local
      ssrf-shared-address-space ssrf-revocation-10`,
    [
      GUARD,
      'if (target === "private") return server === "private" || server === "loopback";',
      'if (target === "private") return true;',
    ],
  ),
  defence(
    "IPv4 addresses inside IPv6 ones are taken for what they are",
    "ssrf-mapped ssrf-mapped-hexadecimal ssrf-name-mapped",
    [
      GUARD,
      "const range = ipaddr.process(address).range();",
      'const range = address.includes("::ffff:") ? "unicast" : ipaddr.parse(address).range();',
    ],
  ),
  defence(
    "only loopback may name loopback",
    "ssrf-private-to-loopback ssrf-token-loopback ssrf-ipv6-loopback ssrf-name-localhost ssrf-octal",
    [GUARD, 'return target === "loopback" && server === "loopback";', 'return target === "loopback";'],
  ),
  defence("what is allowed to private addresses is not allowed to link-local ones", "ssrf-link-local-allowed", [
    GUARD,
    'return target === "loopback" && server === "loopback";',
    'return server === "loopback";',
  ]),
  defence("a name is inside only if all its addresses are", "ssrf-zone-mixed", [
    GUARD,
    "zones.every((zone)",
    "zones.some((zone)",
  ]),
  defence("a name that was outside once does not come inside", "ssrf-zone-rebinding", [
    GUARDED,
    "if (!this.#outside.has(hostname) &&",
    "this.#outside.delete(hostname);\n    if (",
  ]),
  defence("a name does not make a server one of this machine", "ssrf-zone-by-name ssrf-private-to-loopback", [
    GUARDED,
    'this.#outside.has(hostname) ? "public" : "private"',
    'this.#outside.has(hostname) ? "public" : "loopback"',
  ]),
  defence(
    "URLs that a server names are https, or http on loopback",
    `ssrf-plain-http ssrf-file ssrf-data ssrf-gopher redirect-request-plain-http parse-server-endpoint-http
      store-record-plain-http`,
    [
      URLS,
      'if (url.protocol === "https:" || (url.protocol === "http:" && isLoopbackHost(url.hostname))) return url;',
      "return url;",
    ],
  ),
  defence("URLs that a server names have no user in them", "ssrf-user-information redirect-request-user-information", [
    URLS,
    userInformation,
    'if (url.href === "") {\n    throw new McpOAuthError("invalid_response",',
  ]),
  defence(
    "redirects of metadata stay within the origin",
    `redirect-metadata-elsewhere redirect-metadata-relative redirect-metadata-other-name redirect-metadata-file
      redirect-server-metadata-elsewhere`,
    [HTTP, "redirectsLeft > 0 && target?.origin === url.origin", "redirectsLeft > 0 && target !== undefined"],
  ),
  defence("redirects of metadata are counted", "redirect-metadata-loop", [HTTP, "redirectsLeft - 1", "redirectsLeft"]),
  defence(
    "requests with credentials follow no redirect",
    `redirect-registration redirect-token-* redirect-pushed-request redirect-device-request redirect-refresh
      redirect-revocation`,
    [HTTP, "redirectsLeft > 0 && target?.origin === url.origin", "target !== undefined"],
  ),
  defence("the first request of a sign-in stays within the origin", "redirect-probe", [
    "flow/probe.ts",
    "isPlain && target.origin === url.origin",
    "isPlain",
  ]),
  defence("of the first answer only the head matters", "redirect-probe size-probe", [
    HTTP,
    "if (request.withoutBody === true) {",
    "if (request.what === undefined) {",
  ]),
  defence(
    "a token does not go along to another origin",
    "redirect-request-302 redirect-request-307 redirect-request-key redirect-request-other-name",
    [FETCH, "isResource ? credential : undefined,", "credential,"],
  ),
  defence(
    "nothing else that tells who asks goes along to another origin",
    "redirect-request-302 redirect-request-307 redirect-request-challenge",
    [FETCH, "isResource ? init : withoutCredentials(init),", "init,"],
  ),
  defence("whoever was redirected to does not send the token back", "redirect-request-bounce", [
    FETCH,
    "isResource = isResource && this.#scope.includes(url);",
    "isResource = this.#scope.includes(url);",
  ]),
  defence(
    "redirects of requests are looked at before they are followed",
    "redirect-request-plain-http redirect-request-user-information",
    [
      FETCH,
      "const url = requireSecureUrl(target.href, `The redirect of ${from.host}`, { server });",
      "const url = target;",
    ],
  ),
  defence("servers elsewhere do not redirect to this machine", "redirect-request-into-machine", [
    FETCH,
    "if (!isLoopbackHost(url.hostname) || isLoopbackHost(new URL(server).hostname)) return url;",
    "return url;",
  ]),
  defence("redirects of requests are counted", "redirect-request-loop", [
    FETCH,
    "MOST_REDIRECTS - hop",
    "MOST_REDIRECTS",
  ]),
  defence("only the resource's own challenges count", "redirect-request-challenge", [
    FETCH,
    "if (!isResource) return response;",
  ]),
  defence(
    "a token is for one origin, whatever the server says",
    "redirect-stream-endpoint",
    ["attach/resource-scope.ts", "if (target.origin !== this.#server.origin) return false;"],
    [
      "attach/resource-scope.ts",
      "target.origin === this.#server.origin && this.#vouched.size < MOST_VOUCHED",
      "this.#vouched.size < MOST_VOUCHED",
    ],
  ),
];
