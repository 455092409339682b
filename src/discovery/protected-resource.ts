import { McpOAuthError } from "../core/errors.ts";
import type { Http } from "../core/http.ts";
import { type JsonObject, textMember, textsMember } from "../core/json.ts";
import { quoted } from "../core/text.ts";
import { insertWellKnown, isWithin, parseUrl } from "../core/url.ts";
import { fetchMetadata } from "./fetch-metadata.ts";
import type { LookAhead } from "./look-ahead.ts";
import { mayLeadTo, type OriginPolicy, strangeMetadata } from "./origins.ts";

/** Protected resource metadata that has been validated (RFC 9728 section 2). Texts are exactly as sent. */
export interface ProtectedResourceMetadata {
  /** Where the document was found. */
  readonly url: string;
  /** The resource identifier, byte for byte: it goes into the `resource` parameter like this. */
  readonly resource: string;
  readonly authorizationServers: readonly string[];
  readonly scopesSupported?: readonly string[];
  readonly dpopBoundAccessTokensRequired: boolean;
  readonly dpopSigningAlgorithms?: readonly string[];
}

/** How closely the metadata's `resource` must match the server's URL. */
export interface ResourceMatchPolicy extends OriginPolicy {
  /**
   * `prefix` (default): the URL itself, or a URL of the same origin whose path segments it starts with, as official
   * SDKs accept. `exact`: only what RFC 9728 section 3.3 allows.
   */
  readonly resourceMatch?: "prefix" | "exact";
  /** Decides about identifiers that the rule refuses, such as `api://` ones. */
  readonly acceptResource?: (question: { server: string; resource: string }) => boolean | Promise<boolean>;
}

export interface ProtectedResourceQuery {
  /** The MCP server's URL in canonical form. */
  readonly server: string;
  /** The challenge's `resource_metadata`. */
  readonly challengedUrl?: string;
  readonly policy: ResourceMatchPolicy;
  readonly lookAhead?: LookAhead;
  readonly signal?: AbortSignal;
}

interface Probe {
  readonly url: string;
  /** The `resource` value that RFC 9728 section 3.3 demands of a document found here. */
  readonly identifier: string;
}

/** The places to look, in the order of the MCP specification: the challenge's URL, path-inserted, root. */
export function resourceMetadataProbes(server: string, challengedUrl?: string): Probe[] {
  const url = new URL(server);
  const probes: Probe[] = [];
  // As a parser writes it: it enters messages, and a server's spaces and letters would read as our words there.
  if (challengedUrl !== undefined)
    probes.push({ url: parseUrl(challengedUrl)?.href ?? challengedUrl, identifier: server });
  probes.push({ url: insertWellKnown(url, "oauth-protected-resource"), identifier: server });
  probes.push({ url: `${url.origin}/.well-known/oauth-protected-resource`, identifier: url.origin });
  return probes.filter((probe, index) => probes.findIndex((other) => other.url === probe.url) === index);
}

/** Without a fragment (RFC 8707 section 2), user information, or what a URL parser would drop: white space and controls. */
function isPlain(text: string, url: URL): boolean {
  return !/[#\s\p{Cc}\p{Cf}]/u.test(text) && url.username === "" && url.password === "";
}

async function checkResource(resource: string, probe: Probe, query: ProtectedResourceQuery): Promise<void> {
  if (resource === probe.identifier) return;
  const { policy, server } = query;
  const url = parseUrl(resource);
  if (
    policy.resourceMatch !== "exact" &&
    url !== undefined &&
    isPlain(resource, url) &&
    isWithin(url, new URL(server))
  ) {
    policy.onDeviation?.(
      "RFC 9728 section 3.3",
      `the metadata at ${probe.url} names the resource ${quoted(resource)} where ${quoted(probe.identifier)} was expected`,
    );
    return;
  }
  if ((await policy.acceptResource?.({ server, resource })) === true) {
    policy.onDeviation?.("RFC 9728 section 3.3", `the host accepted the resource ${quoted(resource)}`);
    return;
  }
  throw new McpOAuthError(
    "resource_mismatch",
    `The resource metadata at ${probe.url} is for ${quoted(resource)}, not for ${quoted(server)}, so it is not used. ` +
      "If that is intended, accept it with the option acceptResource; otherwise report it to the server's operator.",
    { server },
  );
}

function requireShape(document: JsonObject, url: string, server: string): ProtectedResourceMetadata {
  const invalid = (problem: string): McpOAuthError =>
    new McpOAuthError(
      "invalid_response",
      `The resource metadata at ${url} ${problem}. Report it to the server's operator.`,
      {
        server,
      },
    );
  const resource = textMember(document, "resource");
  if (resource === undefined) throw invalid("has no resource identifier");
  const authorizationServers = textsMember(document, "authorization_servers");
  if (document.authorization_servers !== undefined && authorizationServers === undefined) {
    throw invalid("has authorization_servers that is not a list of texts");
  }
  const scopesSupported = textsMember(document, "scopes_supported");
  if (document.scopes_supported !== undefined && scopesSupported === undefined) {
    throw invalid("has scopes_supported that is not a list of texts");
  }
  const algorithms = textsMember(document, "dpop_signing_alg_values_supported");
  return {
    url,
    resource,
    authorizationServers: authorizationServers ?? [],
    dpopBoundAccessTokensRequired: document.dpop_bound_access_tokens_required === true,
    ...(scopesSupported !== undefined && { scopesSupported }),
    ...(algorithms !== undefined && { dpopSigningAlgorithms: algorithms }),
  };
}

/**
 * Finds and validates protected resource metadata.
 *
 * @returns the metadata, or `undefined` when every place definitively has none.
 * @throws `resource_mismatch` also where nothing but metadata of another origin is named; `invalid_response`,
 * `discovery_failed`, `network_failed`, `timeout`, `insecure_url`.
 */
export async function discoverProtectedResource(
  http: Http,
  query: ProtectedResourceQuery,
): Promise<ProtectedResourceMetadata | undefined> {
  const { server, challengedUrl, policy, lookAhead, signal } = query;
  const isUsed = challengedUrl === undefined || (await mayLeadTo(challengedUrl, server, policy));
  for (const probe of resourceMetadataProbes(server, isUsed ? challengedUrl : undefined)) {
    const answer =
      (await lookAhead?.answerFrom(probe.url)) ??
      (await fetchMetadata(http, probe.url, "The protected resource metadata", { server }, signal));
    if (answer.kind === "absent") continue;
    if (answer.kind === "failed") throw answer.error;
    const metadata = requireShape(answer.document, probe.url, server);
    await checkResource(metadata.resource, probe, query);
    return metadata;
  }
  if (!isUsed) throw strangeMetadata(challengedUrl, server);
  return undefined;
}
