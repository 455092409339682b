import type { ResourceChallenge } from "../challenge/read.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { Http } from "../core/http.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { discoverAuthorizationServer } from "./authorization-server.ts";
import type { MetadataCache } from "./cache.ts";
import { discoverLegacyAuthorizationServer } from "./legacy.ts";
import type { LookAhead } from "./look-ahead.ts";
import { requireEndpointOrigins } from "./origins.ts";
import {
  discoverProtectedResource,
  type ProtectedResourceMetadata,
  type ResourceMatchPolicy,
} from "./protected-resource.ts";

/** All that has to be known about a server before anybody can sign in. */
export interface Discovery {
  /** The MCP server's URL in canonical form. */
  readonly server: string;
  /** The value of the `resource` parameter (RFC 8707 section 2), byte for byte. */
  readonly resource: string;
  /** The issuer identifier that credentials are bound to, byte for byte. */
  readonly issuer: string;
  readonly authorizationServer: AuthorizationServerMetadata;
  /** Absent for servers of MCP 2025-03-26. */
  readonly protectedResource?: ProtectedResourceMetadata;
  /** Where PKCE support cannot be verified because there is no metadata (MCP 2025-03-26). */
  readonly defaultEndpoints: boolean;
}

/** The question that a host can answer when a resource names several authorization servers. */
export interface AuthorizationServerChoice {
  readonly server: string;
  /** The issuers, in the order of the resource's metadata. */
  readonly authorizationServers: readonly string[];
  /** Those among them that this library holds credentials of. */
  readonly withCredentials: readonly string[];
}

export interface DiscoveryPolicy extends ResourceMatchPolicy {
  /** Whether servers of MCP 2025-03-26 are supported. Default true. */
  readonly legacyFallback?: boolean;
  /** Answers with one of the issuers. Default: the first with credentials, else the first. */
  readonly chooseAuthorizationServer?: (choice: AuthorizationServerChoice) => string | Promise<string>;
}

export interface DiscoveryQuery {
  readonly server: string;
  readonly challenge?: ResourceChallenge;
  readonly policy: DiscoveryPolicy;
  /** Issuers that we hold credentials of for this server. */
  readonly issuersWithCredentials: readonly string[];
  /** What may have been fetched already. */
  readonly lookAhead?: LookAhead;
  readonly signal?: AbortSignal;
}

/** A server that lists more has something else in mind than to be found: each one costs requests, to whom it likes. */
const MOST_TRIED_ISSUERS = 10;

/** The issuers to try, best first. */
async function orderIssuers(metadata: ProtectedResourceMetadata, query: DiscoveryQuery): Promise<string[]> {
  const listed = [...new Set(metadata.authorizationServers)];
  const withCredentials = listed.filter((issuer) => query.issuersWithCredentials.includes(issuer));
  const choose = query.policy.chooseAuthorizationServer;
  if (choose !== undefined && listed.length > 0) {
    const chosen = await choose({ server: query.server, authorizationServers: listed, withCredentials });
    if (listed.includes(chosen)) return [chosen];
    throw new McpOAuthError(
      "invalid_configuration",
      `chooseAuthorizationServer answered with an issuer that ${query.server} does not list. Answer with one of: ${listed.join(", ")}.`,
      { server: query.server },
    );
  }
  return [...withCredentials, ...listed.filter((issuer) => !withCredentials.includes(issuer))];
}

/** The first issuer whose metadata can be had; if none can, the first one's error. */
async function firstUsable(
  issuers: readonly string[],
  query: DiscoveryQuery,
  lookUp: (issuer: string) => Promise<AuthorizationServerMetadata | undefined>,
): Promise<AuthorizationServerMetadata> {
  let firstError: unknown;
  for (const issuer of issuers.slice(0, MOST_TRIED_ISSUERS)) {
    try {
      const metadata = await lookUp(issuer);
      if (metadata !== undefined) return metadata;
      firstError ??= new McpOAuthError(
        "discovery_failed",
        `${query.server} names the authorization server ${issuer}, which publishes no metadata (RFC 8414, OpenID Connect Discovery). Report it to the operator.`,
        { server: query.server, issuer },
      );
    } catch (error) {
      if (query.signal?.aborted === true) throw error;
      firstError ??= error;
    }
  }
  throw firstError;
}

/**
 * From a server's URL and challenge to everything that a sign-in needs to know.
 *
 * @throws `discovery_failed`, `resource_mismatch`, `issuer_mismatch`, `invalid_response`, `insecure_url`,
 * `network_failed`, `timeout`, `aborted`.
 */
export async function discover(
  http: Http,
  cache: MetadataCache<AuthorizationServerMetadata>,
  query: DiscoveryQuery,
): Promise<Discovery> {
  const { server, challenge, policy, signal } = query;
  const withSignal = signal === undefined ? {} : { signal };
  const withProfiles = policy.profiles === undefined ? {} : { profiles: policy.profiles };
  const protectedResource = await discoverProtectedResource(http, {
    server,
    policy,
    ...withSignal,
    ...(query.lookAhead !== undefined && { lookAhead: query.lookAhead }),
    ...(challenge?.resourceMetadata !== undefined && { challengedUrl: challenge.resourceMetadata }),
  });
  if (protectedResource === undefined) return discoverLegacy(http, query);
  const issuers = await orderIssuers(protectedResource, query);
  if (issuers.length === 0) {
    const message = `The resource metadata at ${protectedResource.url} names no authorization server, so nobody can sign in. Report it to the server's operator.`;
    throw new McpOAuthError("discovery_failed", message, { server });
  }
  const authorizationServer = await firstUsable(issuers, query, async (issuer) => {
    const metadata = await discoverAuthorizationServer(http, cache, { issuer, server, ...withProfiles, ...withSignal });
    if (metadata !== undefined) await requireEndpointOrigins(metadata, server, policy);
    return metadata;
  });
  requireResourceListed(authorizationServer, protectedResource, server);
  const { resource } = protectedResource;
  const { issuer } = authorizationServer;
  return { server, resource, issuer, authorizationServer, protectedResource, defaultEndpoints: false };
}

/** An authorization server that lists its resources must list this one (RFC 9728 section 4). */
function requireResourceListed(
  authorizationServer: AuthorizationServerMetadata,
  { resource }: ProtectedResourceMetadata,
  server: string,
): void {
  const listed = (authorizationServer as { protected_resources?: readonly string[] | null }).protected_resources;
  if (listed === undefined || listed === null || listed.includes(resource)) return;
  throw new McpOAuthError(
    "resource_mismatch",
    `The authorization server ${authorizationServer.issuer} lists the resources it serves, and ${resource} is not among them (RFC 9728 section 4). Report it to either operator.`,
    { server, issuer: authorizationServer.issuer },
  );
}

async function discoverLegacy(http: Http, { server, policy, signal }: DiscoveryQuery): Promise<Discovery> {
  if (policy.legacyFallback === false) {
    const message = `${server} asks for authorization but publishes no protected resource metadata (RFC 9728). Report it to the server's operator.`;
    throw new McpOAuthError("discovery_failed", message, { server });
  }
  const { metadata, defaultEndpoints } = await discoverLegacyAuthorizationServer(http, server, signal);
  await requireEndpointOrigins(metadata, server, policy);
  return { server, resource: server, issuer: metadata.issuer, authorizationServer: metadata, defaultEndpoints };
}
