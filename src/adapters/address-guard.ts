import type { LookupAddress } from "node:dns";
import { McpOAuthError } from "../core/errors.ts";

/** What kind of network an address belongs to. */
export type NetworkZone = "public" | "private" | "loopback" | "forbidden";

/** Ranges in which an organisation's own machines live (RFC 1918, RFC 4193, RFC 6598). */
const PRIVATE_RANGES = new Set(["private", "uniqueLocal", "carrierGradeNat"]);

/** Looks a host name up, as `dns.promises.lookup` with `all` does. */
export type ResolveAddresses = (hostname: string) => Promise<readonly LookupAddress[]>;

/**
 * The zone of an address. Everything that is neither public, private nor loopback - link-local with the cloud's metadata
 * services, multicast, tunnelled addresses, documentation - is forbidden: nobody runs a server there.
 */
export async function zoneOf(address: string): Promise<NetworkZone> {
  const { default: ipaddr } = await import("ipaddr.js");
  if (!ipaddr.isValid(address)) return "forbidden";
  // IPv4-mapped addresses are taken for what they are.
  const range = ipaddr.process(address).range();
  // In a network that has IPv6 alone, this is how public IPv4 addresses are reached, and only they (RFC 6052 section 3.1).
  if (range === "rfc6052") return embeddedZone(ipaddr.parse(address).toByteArray());
  if (range === "unicast") return "public";
  if (range === "loopback") return "loopback";
  return PRIVATE_RANGES.has(range) ? "private" : "forbidden";
}

/** The zone of a translated address, by the IPv4 address in its last four bytes. */
async function embeddedZone(bytes: readonly number[]): Promise<NetworkZone> {
  return (await zoneOf(bytes.slice(-4).join("."))) === "public" ? "public" : "forbidden";
}

/** The zone of an address as it stands in a URL, in any spelling that the URL parser takes; `undefined` for a name. */
export async function zoneOfLiteral(hostname: string): Promise<NetworkZone | undefined> {
  const isLiteral = hostname.startsWith("[") || /^[\d.]+$/.test(hostname);
  return isLiteral ? zoneOf(hostname.replace(/^\[(.*)\]$/, "$1")) : undefined;
}

/**
 * The zone of a server by its name: private when all its addresses are inside, else public. Whoever owns a name decides
 * what it resolves to and when, so one public address counts more than all others, and no name makes a server one of
 * this machine, which may be spoken to without TLS.
 */
export async function zoneOfName(hostname: string, resolve: ResolveAddresses): Promise<"private" | "public"> {
  const addresses = await resolve(hostname);
  const zones = await Promise.all(addresses.map(({ address }) => zoneOf(address)));
  return zones.length > 0 && zones.every((zone) => zone === "private" || zone === "loopback") ? "private" : "public";
}

/**
 * Whether a server in one zone may name addresses in another: everybody may name public ones; a server of a private
 * network, which the user configured, may name machines of private networks; one on loopback may name loopback too.
 */
export function mayName(server: NetworkZone, target: NetworkZone): boolean {
  if (target === "public") return true;
  if (target === "private") return server === "private" || server === "loopback";
  return target === "loopback" && server === "loopback";
}

/** The error for an address that a server must not lead us to. */
export function addressRefused(hostname: string, zone: NetworkZone, server: string): McpOAuthError {
  const isNobodys = zone === "forbidden";
  return new McpOAuthError(
    "address_refused",
    `${server} leads to ${hostname}, which is ${isNobodys ? "an address that no server has" : `a ${zone} address`}; such ` +
      "requests are refused, because a hostile server could reach into your network by them. " +
      (isNobodys
        ? "Report it to the server's operator."
        : "If that is intended: network: { allowPrivateAddresses: true }."),
    { server },
  );
}
