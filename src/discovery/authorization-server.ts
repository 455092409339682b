import { McpOAuthError } from "../core/errors.ts";
import type { Http } from "../core/http.ts";
import { type JsonObject, textMember, textsMember } from "../core/json.ts";
import { inertText, quoted } from "../core/text.ts";
import { appendWellKnown, insertWellKnown, requireSecureUrl } from "../core/url.ts";
import { type AuthorizationServerMetadata, withOwnIssuer } from "../endpoint/authorization-server.ts";
import { type IssuerProfiles, relaxingLine } from "../endpoint/issuer-profile.ts";
import type { MetadataCache } from "./cache.ts";
import { fetchMetadata } from "./fetch-metadata.ts";

/** Members that must be texts or lists of texts where they are present, since we use them as such. */
const TEXT_MEMBERS = [
  "authorization_endpoint",
  "token_endpoint",
  "registration_endpoint",
  "revocation_endpoint",
  "device_authorization_endpoint",
  "pushed_authorization_request_endpoint",
] as const;
const LIST_MEMBERS = [
  "scopes_supported",
  "response_types_supported",
  "grant_types_supported",
  "code_challenge_methods_supported",
  "token_endpoint_auth_methods_supported",
  "token_endpoint_auth_signing_alg_values_supported",
  "revocation_endpoint_auth_methods_supported",
  "dpop_signing_alg_values_supported",
  "protected_resources",
] as const;

/**
 * The places of an issuer's metadata, in the order of the MCP specification (2025-11-25 and later): RFC 8414 with the
 * path inserted, OpenID Connect with the path inserted, OpenID Connect with the path before.
 */
export function authorizationServerProbes(issuer: URL): string[] {
  const probes = [
    insertWellKnown(issuer, "oauth-authorization-server"),
    insertWellKnown(issuer, "openid-configuration"),
  ];
  if (issuer.pathname !== "/") probes.push(appendWellKnown(issuer, "openid-configuration"));
  return probes;
}

/**
 * An issuer identifier as a URL: https (http on loopback), no query, no fragment (RFC 8414 section 2).
 *
 * @throws `insecure_url` or `invalid_response`.
 */
export function requireIssuer(issuer: string, server: string): URL {
  // No URL is written with other characters; in a message a space would read as its end, and an invisible one not at all.
  if (/[?#]|[^\x21-\x7e]/.test(issuer)) {
    const message = `The issuer identifier ${quoted(issuer)} has a query, a fragment or a character that no URL has, which RFC 8414 forbids. Report it to the operator of ${server}.`;
    throw new McpOAuthError("invalid_response", message, { server });
  }
  return requireSecureUrl(issuer, `The issuer identifier in the resource metadata of ${server}`, { server, issuer });
}

/** A document without the members that say nothing: some servers write null or an empty text for what they lack. */
function withoutEmptyMembers(document: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== null && value !== ""));
}

/**
 * Checks the shape of what we use, and that every endpoint is https (http on loopback).
 *
 * @returns the document without members that are null or empty texts.
 * @throws `invalid_response` or `insecure_url`.
 */
export function requireAuthorizationServerShape(
  published: JsonObject,
  url: string,
  server: string,
): AuthorizationServerMetadata {
  const document = withoutEmptyMembers(published);
  const issuer = textMember(document, "issuer") ?? "";
  const details = { server, issuer };
  const invalid = (member: string, expected: string): McpOAuthError =>
    new McpOAuthError(
      "invalid_response",
      `The authorization server metadata at ${url} has ${member} that is not ${expected}. Report it to the operator.`,
      details,
    );
  for (const member of TEXT_MEMBERS) {
    const value = document[member];
    if (value === undefined) continue;
    if (typeof value !== "string") throw invalid(member, "a text");
    requireSecureUrl(value, `The ${member} of ${issuer}`, details);
  }
  for (const member of LIST_MEMBERS) {
    const value = document[member];
    if (value !== undefined && textsMember(document, member) === undefined) {
      throw invalid(member, "a list of texts");
    }
  }
  return document as unknown as AuthorizationServerMetadata;
}

export interface AuthorizationServerQuery {
  /** The issuer identifier exactly as the resource's metadata has it. */
  readonly issuer: string;
  readonly server: string;
  readonly profiles?: IssuerProfiles;
  readonly signal?: AbortSignal;
}

/** Whether a profile lets the metadata name the issuer in another way than the resource does. */
function isToleratedIssuer(found: unknown, { issuer, server, profiles }: AuthorizationServerQuery): boolean {
  if (typeof found !== "string" || profiles === undefined) return false;
  const sameButSlash = found.replace(/\/$/, "") === issuer.replace(/\/$/, "");
  if (sameButSlash && profiles.use("ignoreTrailingSlash", issuer, server) === true) return true;
  if (profiles.peek("acceptMetadataIssuers", issuer)?.includes(found) !== true) return false;
  return profiles.use("acceptMetadataIssuers", issuer, server) !== undefined;
}

function requireSameIssuer(document: JsonObject, url: string, query: AuthorizationServerQuery): void {
  const found = document.issuer;
  const { issuer, server } = query;
  if (found === issuer || isToleratedIssuer(found, query)) return;
  const text = typeof found === "string" ? found : "(none)";
  throw new McpOAuthError(
    "issuer_mismatch",
    `The metadata at ${url} says it is for the issuer ${quoted(text)}, but ${server} names ${quoted(issuer)}. ` +
      "The two must be identical, letter for letter (RFC 8414 section 3.3); report it to the operator of either. " +
      `If you know that it is right: ${relaxingLine(issuer, `acceptMetadataIssuers: [${JSON.stringify(inertText(text))}]`)}.`,
    { server, issuer },
  );
}

/**
 * Finds and validates an authorization server's metadata; a document for another issuer ends the search.
 *
 * @returns the metadata, or `undefined` when every place definitively has none.
 * @throws `issuer_mismatch`, `invalid_response`, `insecure_url`, `discovery_failed`, `network_failed`, `timeout`.
 */
export async function discoverAuthorizationServer(
  http: Http,
  cache: MetadataCache<AuthorizationServerMetadata>,
  query: AuthorizationServerQuery,
): Promise<AuthorizationServerMetadata | undefined> {
  const { issuer, server, signal } = query;
  const cached = cache.get(issuer);
  if (cached !== undefined) return cached;
  for (const url of authorizationServerProbes(requireIssuer(issuer, server))) {
    const answer = await fetchMetadata(http, url, "The authorization server metadata", { server, issuer }, signal);
    if (answer.kind === "absent") continue;
    if (answer.kind === "failed") throw answer.error;
    requireSameIssuer(answer.document, url, query);
    // From here on there is one name for it: the one that the resource uses.
    const metadata = withOwnIssuer(
      requireAuthorizationServerShape({ ...answer.document, issuer }, url, server),
      answer.document.issuer,
    );
    cache.set(issuer, metadata, answer.lifetimeMs);
    return metadata;
  }
  return undefined;
}
