// Addresses that a server names although no request of the client's may get there (SSRF).
// biome-ignore-all format: a table has a line for each entry
import type { McpOAuthErrorCode } from "mcp-oauth-client";
import type { HostileCase } from "../support/case.ts";

/** Where a server may name a URL. */
export type Place =
  | "resource_metadata"
  | "issuer"
  | "registration_endpoint"
  | "token_endpoint"
  | "pushed_authorization_request_endpoint"
  | "device_authorization_endpoint"
  | "revocation_endpoint";

export interface SsrfCase extends HostileCase {
  readonly place: Place;
  /** What is named; `PORT` stands for the victim's. */
  readonly url: string;
  /** What names resolve to, one list for each question. */
  readonly addresses?: Record<string, readonly string[][]>;
  readonly allowPrivateAddresses?: boolean;
  /** Default `address_refused`. */
  readonly ends?: McpOAuthErrorCode;
}

const REFUSED = "nothing connects there";
const SPELLED = "it is seen for loopback, and nothing connects";
const LOOKED_UP = "the address is seen in the lookup, and nothing connects";
const NEVER_SENT = "it is refused before any network is asked";

const inner = "SSRF-1, SSRF-2";
const odd = "SSRF-2";

export const ssrfCases: readonly SsrfCase[] = [
  // Every place in which a server may name a URL, each with another kind of inner address.
  { id: "ssrf-metadata-10", does: "names its metadata at 10.0.0.1", must: REFUSED, place: "resource_metadata", url: "https://10.0.0.1/m", proves: inner },
  { id: "ssrf-metadata-cloud", does: "names its metadata at the cloud's 169.254.169.254", must: REFUSED, place: "resource_metadata", url: "https://169.254.169.254/latest/meta-data", proves: inner },
  { id: "ssrf-issuer-192-168", does: "names an issuer at 192.168.1.1", must: REFUSED, place: "issuer", url: "https://192.168.1.1", proves: inner },
  { id: "ssrf-registration-172-16", does: "names a registration endpoint at 172.16.0.1", must: REFUSED, place: "registration_endpoint", url: "https://172.16.0.1/r", proves: inner },
  { id: "ssrf-token-loopback", does: "names a token endpoint at 127.0.0.1", must: "the code does not go there", place: "token_endpoint", url: "https://127.0.0.1/t", proves: inner },
  { id: "ssrf-pushed-unique-local", does: "names an endpoint for pushed requests at [fd00::1]", must: REFUSED, place: "pushed_authorization_request_endpoint", url: "https://[fd00::1]/p", proves: inner },
  { id: "ssrf-device-link-local", does: "names a device endpoint at [fe80::1]", must: REFUSED, place: "device_authorization_endpoint", url: "https://[fe80::1]/d", proves: inner },
  { id: "ssrf-revocation-10", does: "names a revocation endpoint at 10.0.0.1", must: "the tokens do not go there, and the session ends all the same", place: "revocation_endpoint", url: "https://10.0.0.1/v", proves: inner },
  // Ranges beside the well-known ones.
  { id: "ssrf-shared-address-space", does: "names a carrier's 100.64.0.1", must: REFUSED, place: "resource_metadata", url: "https://100.64.0.1/m", proves: odd },
  { id: "ssrf-this-network", does: "names 0.0.0.0, which is this machine on Linux", must: REFUSED, place: "resource_metadata", url: "https://0.0.0.0:PORT/m", proves: odd },
  { id: "ssrf-ipv6-loopback", does: "names [::1]", must: REFUSED, place: "resource_metadata", url: "https://[::1]:PORT/m", proves: odd },
  { id: "ssrf-ipv6-unspecified", does: "names [::]", must: REFUSED, place: "resource_metadata", url: "https://[::]:PORT/m", proves: odd },
  { id: "ssrf-multicast", does: "names the multicast address 224.0.0.1", must: REFUSED, place: "issuer", url: "https://224.0.0.1", proves: odd },
  { id: "ssrf-broadcast", does: "names the broadcast address 255.255.255.255", must: REFUSED, place: "issuer", url: "https://255.255.255.255", proves: odd },
  { id: "ssrf-benchmarking", does: "names 198.18.0.1, which fake DNS proxies use", must: REFUSED, place: "issuer", url: "https://198.18.0.1", proves: odd },
  // IPv4 inside IPv6.
  { id: "ssrf-mapped", does: "maps 10.0.0.1 into IPv6", must: REFUSED, place: "issuer", url: "https://[::ffff:10.0.0.1]", proves: odd },
  { id: "ssrf-mapped-hexadecimal", does: "maps 169.254.169.254 into IPv6, in hexadecimal", must: REFUSED, place: "issuer", url: "https://[::ffff:a9fe:a9fe]", proves: odd },
  { id: "ssrf-nat64", does: "hands 10.0.0.1 to a NAT64 gateway", must: REFUSED, place: "issuer", url: "https://[64:ff9b::a00:1]", proves: odd },
  { id: "ssrf-6to4", does: "tunnels to 127.0.0.1 by 6to4", must: REFUSED, place: "issuer", url: "https://[2002:7f00:1::]", proves: odd },
  { id: "ssrf-teredo", does: "tunnels to an inner address by Teredo", must: REFUSED, place: "issuer", url: "https://[2001:0:a00:1::]", proves: odd },
  // Spellings of 127.0.0.1.
  { id: "ssrf-hexadecimal", does: "spells loopback 0x7f.1", must: SPELLED, place: "token_endpoint", url: "https://0x7f.1:PORT/t", proves: odd },
  { id: "ssrf-one-number", does: "spells loopback 2130706433", must: SPELLED, place: "token_endpoint", url: "https://2130706433:PORT/t", proves: odd },
  { id: "ssrf-octal", does: "spells loopback 0177.0.0.1", must: SPELLED, place: "token_endpoint", url: "https://0177.0.0.1:PORT/t", proves: odd },
  { id: "ssrf-short", does: "spells loopback 127.1", must: SPELLED, place: "token_endpoint", url: "https://127.1:PORT/t", proves: odd },
  { id: "ssrf-trailing-dot", does: "spells loopback with a dot at the end", must: SPELLED, place: "token_endpoint", url: "https://127.0.0.1.:PORT/t", proves: odd },
  { id: "ssrf-full-width", does: "spells loopback in full-width digits", must: SPELLED, place: "token_endpoint", url: "https://１２７.０.０.１:PORT/t", proves: odd },
  { id: "ssrf-percent-encoded", does: "spells loopback in percent-encoded digits", must: SPELLED, place: "token_endpoint", url: "https://%31%32%37.0.0.1:PORT/t", proves: odd },
  // Names: the address comes out in the lookup only.
  { id: "ssrf-name-loopback", does: "names a host that resolves to 127.0.0.1", must: LOOKED_UP, place: "resource_metadata", url: "https://a.inside.example:PORT/m", addresses: { "a.inside.example": [["127.0.0.1"]] }, proves: "SSRF-5" },
  { id: "ssrf-name-mapped", does: "names a host that resolves to ::ffff:127.0.0.1", must: LOOKED_UP, place: "issuer", url: "https://a.inside.example:PORT", addresses: { "a.inside.example": [["::ffff:127.0.0.1"]] }, proves: "SSRF-5" },
  { id: "ssrf-name-this-network", does: "names a host that resolves to 0.0.0.0", must: LOOKED_UP, place: "token_endpoint", url: "https://a.inside.example:PORT/t", addresses: { "a.inside.example": [["0.0.0.0"]] }, proves: "SSRF-5" },
  { id: "ssrf-name-mixed", does: "hides 127.0.0.1 among a host's public addresses", must: LOOKED_UP, place: "registration_endpoint", url: "https://a.inside.example:PORT/r", addresses: { "a.inside.example": [["127.0.0.1", "8.8.8.8"]] }, proves: "SSRF-5" },
  { id: "ssrf-name-localhost", does: "names localhost", must: LOOKED_UP, place: "resource_metadata", url: "https://localhost:PORT/m", addresses: { localhost: [["127.0.0.1"]] }, proves: "SSRF-5" },
  { id: "ssrf-rebinding", does: "resolves to a public address when its zone is looked up, and to 127.0.0.1 when it is connected to", must: "the second answer is checked as well", place: "resource_metadata", url: "https://a.inside.example:PORT/m", addresses: { "a.inside.example": [["127.0.0.1"]], "mcp.example.com": [["8.8.8.8"], ["127.0.0.1"]] }, proves: "SSRF-5" },
  { id: "ssrf-zone-rebinding", does: "resolves to a public address at first and to 10.0.0.5 later, and names 10.0.0.1", must: "it stays outside", place: "token_endpoint", url: "https://10.0.0.1/t", addresses: { "mcp.example.com": [["8.8.8.8"], ["10.0.0.5"]] }, proves: "SSRF-5" },
  { id: "ssrf-zone-by-name", does: "has a name that resolves to 127.0.0.1, and names plain http there", must: "a name does not make it one of this machine", place: "registration_endpoint", url: "http://127.0.0.1:PORT/r", addresses: { "mcp.example.com": [["127.0.0.1"]] }, proves: "SSRF-5" },
  { id: "ssrf-zone-mixed", does: "resolves to a public and a private address, and names 10.0.0.1", must: "it counts as outside", place: "issuer", url: "https://10.0.0.1", addresses: { "mcp.example.com": [["10.0.0.5", "8.8.8.8"]] }, proves: "SSRF-5" },
  // Zones.
  { id: "ssrf-private-to-loopback", does: "stands in a private network and names 127.0.0.1", must: "it may name its neighbours, but not this machine", place: "issuer", url: "https://127.0.0.1:PORT", addresses: { "mcp.example.com": [["10.0.0.5"]] }, proves: odd },
  { id: "ssrf-link-local-allowed", does: "names 169.254.169.254 to a host that allows private addresses", must: "nobody allows that one", place: "issuer", url: "https://169.254.169.254", allowPrivateAddresses: true, proves: odd },
  // What is no https URL of a host.
  { id: "ssrf-user-information", does: "hides 10.0.0.1 behind a public name before an @", must: NEVER_SENT, place: "resource_metadata", url: "https://mcp.example.com@10.0.0.1/m", ends: "invalid_response" },
  { id: "ssrf-plain-http", does: "names 169.254.169.254 in plain http", must: NEVER_SENT, place: "resource_metadata", url: "http://169.254.169.254/latest/meta-data", ends: "insecure_url" },
  { id: "ssrf-file", does: "names its metadata in a file of this machine", must: NEVER_SENT, place: "resource_metadata", url: "file:///etc/passwd", ends: "insecure_url" },
  { id: "ssrf-data", does: "puts its metadata into a data: URL", must: NEVER_SENT, place: "resource_metadata", url: "data:application/json,{}", ends: "insecure_url" },
  { id: "ssrf-gopher", does: "names an endpoint that speaks another protocol", must: NEVER_SENT, place: "token_endpoint", url: "gopher://127.0.0.1:PORT/_", ends: "insecure_url" },
];
