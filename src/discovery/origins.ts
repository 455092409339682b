import { McpOAuthError } from "../core/errors.ts";
import { quoted } from "../core/text.ts";
import { parseUrl } from "../core/url.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { type IssuerProfiles, relaxingLine } from "../endpoint/issuer-profile.ts";

/**
 * A question that a host can answer before a server leads somewhere else than expected. Both ends are in it, to be shown
 * to a person side by side. All values are texts that a server chose; nothing in them has been trusted yet.
 */
export interface OriginQuestion {
  /**
   * `resource_metadata`: a challenge names metadata at another origin than the server's. `endpoint`: an authorization
   * server names an endpoint at another origin than its issuer's. `issuer_change`: a server names another authorization
   * server than the one of the last sign-in.
   */
  readonly kind: "resource_metadata" | "endpoint" | "issuer_change";
  /** The MCP server. */
  readonly server: string;
  /** Where it should lead: the server's origin, the issuer's origin, or the former issuer. */
  readonly expected: string;
  /** Where it leads: the URL of the metadata or the endpoint, or the new issuer. */
  readonly found: string;
  /** For `endpoint`: whose it is. */
  readonly issuer?: string;
  /** For `endpoint`: which one, by its name in the metadata, such as `token_endpoint`. */
  readonly endpoint?: string;
}

/** How strange origins are dealt with. */
export interface OriginPolicy {
  /** Anything but `true` refuses. */
  readonly acceptOrigin?: (question: OriginQuestion) => boolean | Promise<boolean>;
  readonly profiles?: IssuerProfiles;
  readonly onDeviation?: (rule: string, detail: string) => void;
}

/** The rule's name in events. */
const RULE = "same origin";

/**
 * Whether the metadata that a challenge names may be fetched: at the server's own origin, or where the host says so.
 * RFC 9728 allows any place, but whoever can write a challenge's header is not always who may speak for the server.
 */
export async function mayLeadTo(metadataUrl: string, server: string, policy: OriginPolicy): Promise<boolean> {
  const expected = new URL(server).origin;
  const origin = parseUrl(metadataUrl)?.origin;
  if (origin === expected) return true;
  const question: OriginQuestion = { kind: "resource_metadata", server, expected, found: metadataUrl };
  // What is no URL leads nowhere, so there is nothing to accept.
  const accepted = origin !== undefined && (await policy.acceptOrigin?.(question)) === true;
  const detail = accepted
    ? `the host accepted metadata at ${quoted(metadataUrl)} for a server at ${expected}`
    : `the challenge names metadata at ${quoted(metadataUrl)}, which is not at ${expected}, so it is not used`;
  policy.onDeviation?.(RULE, detail);
  return accepted;
}

/** What is thrown where nothing but metadata of a strange origin was to be found. */
export function strangeMetadata(metadataUrl: string, server: string): McpOAuthError {
  return new McpOAuthError(
    "resource_mismatch",
    `${server} names its metadata at ${quoted(metadataUrl)}, which is another origin, and has none at its own (RFC 9728 section 3). ` +
      "If that is intended, accept it with the option acceptOrigin; otherwise report it to the server's operator.",
    { server },
  );
}

/** Where codes, tokens and client credentials travel to. */
const ENDPOINTS = [
  "authorization_endpoint",
  "token_endpoint",
  "registration_endpoint",
  "revocation_endpoint",
  "pushed_authorization_request_endpoint",
  "device_authorization_endpoint",
] as const;

/**
 * Endpoints at another origin than the issuer's are how one authorization server passes off another's pages as its own
 * (RFC 9700 section 4.4). They are used where the answer says whose it is (RFC 9207), which a device flow's does not, where a profile
 * of the issuer lists their origin, or where the host says so.
 *
 * @throws `issuer_mismatch` for one that is refused.
 */
export async function requireEndpointOrigins(
  metadata: AuthorizationServerMetadata,
  server: string,
  policy: OriginPolicy,
): Promise<void> {
  const { issuer } = metadata;
  const expected = new URL(issuer).origin;
  const accepted = new Set([expected]);
  for (const endpoint of ENDPOINTS) {
    const found = metadata[endpoint];
    if (found === undefined) continue;
    const { origin } = new URL(found);
    const namesItself =
      metadata.authorization_response_iss_parameter_supported === true && endpoint !== "device_authorization_endpoint";
    if (accepted.has(origin)) continue;
    if (isListed(origin, issuer, server, policy)) {
      accepted.add(origin);
      continue;
    }
    if (namesItself) {
      policy.onDeviation?.(RULE, `the ${endpoint} of ${issuer} is at ${origin}; its responses carry iss (RFC 9207)`);
      continue;
    }
    const question: OriginQuestion = { kind: "endpoint", server, issuer, endpoint, expected, found };
    if ((await policy.acceptOrigin?.(question)) !== true) throw strangeEndpoint(question, issuer, origin);
    policy.onDeviation?.(RULE, `the host accepted the ${endpoint} of ${issuer} at ${origin}`);
    accepted.add(origin);
  }
}

function isListed(origin: string, issuer: string, server: string, { profiles }: OriginPolicy): boolean {
  return (
    profiles?.listsOrigin(issuer, origin) === true && profiles.use("endpointOrigins", issuer, server) !== undefined
  );
}

function strangeEndpoint({ server, endpoint }: OriginQuestion, issuer: string, origin: string): McpOAuthError {
  return new McpOAuthError(
    "issuer_mismatch",
    `The authorization server ${issuer} names a ${endpoint} at ${origin}, which is another origin than its own, and does not mark its responses ` +
      "with iss (RFC 9207), so that one server could pass for another (RFC 9700 section 4.4). " +
      `If you know that it is right: ${relaxingLine(issuer, `endpointOrigins: [${JSON.stringify(origin)}]`)}, or the option acceptOrigin.`,
    { server, issuer },
  );
}

/**
 * A server whose authorization server is another one than at the last sign-in: what the former gave stays where it is
 * and is not sent, and a person signs in anew, unless the host refuses.
 *
 * @throws `issuer_mismatch` where the host refuses.
 */
export async function requireAcceptedIssuer(
  change: { server: string; former: string; issuer: string },
  policy: OriginPolicy,
): Promise<void> {
  const { server, former, issuer } = change;
  const answer = await policy.acceptOrigin?.({ kind: "issuer_change", server, expected: former, found: issuer });
  if (policy.acceptOrigin === undefined || answer === true) return;
  throw new McpOAuthError(
    "issuer_mismatch",
    `${server} now names the authorization server ${issuer}; at the last sign-in it was ${former}. The host refused the change (acceptOrigin). ` +
      "Ask the server's operator whether it is intended; signOut forgets the former one.",
    { server, issuer },
  );
}
