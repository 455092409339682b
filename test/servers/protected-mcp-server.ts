// A real MCP server of either official SDK behind a real bearer check, with RFC 9728 metadata.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { VerifyAccessToken } from "./access-token.ts";
import { bareChallenge, type Challenge, createBearerGuard, resourceMetadataChallenge } from "./bearer-guard.ts";
import { dpopAlgorithms } from "./dpop-proof.ts";
import { createFaultInjection, type FaultInjection } from "./fault-injection.ts";
import { pathOf, readBody, sendJson, sendNotFound } from "./http.ts";
import type { McpEndpoint, McpEndpointOptions } from "./mcp-endpoint.ts";
import { createSseEndpointV1, createStreamableHttpEndpointV1 } from "./mcp-endpoint-v1.ts";
import { createEndpointV2 } from "./mcp-endpoint-v2.ts";
import { scopeOfTool } from "./mcp-tools.ts";
import { createRequestLog, listen, type RequestLog } from "./request-log.ts";

export interface ProtectedMcpServerOptions {
  /** Whose server answers. `v2` speaks the 2026-07-28 wire and, without sessions, the older ones. */
  sdk: "v1" | "v2";
  /** Default `streamable-http`; `sse` exists in SDK v1 only. */
  transport?: "streamable-http" | "sse";
  verifyAccessToken: VerifyAccessToken;
  /** Issuers named in the metadata. Default none. */
  authorizationServers?: readonly string[];
  /** `scopes_supported` of the metadata. Default `mcp:tools`; empty leaves it out. */
  scopes?: readonly string[];
  /** Default `/mcp` (`/sse` for the SSE transport). */
  path?: string;
  /** Default: the URL of the endpoint. */
  resource?: string;
  /** Where RFC 9728 metadata stands: path-inserted (default), at the root, or nowhere. */
  metadata?: "path" | "root" | "none";
  /** More members for the metadata document, such as `resource_name`. */
  metadataExtra?: Record<string, unknown>;
  /** Default `resource_metadata`, or `bare` where there is no metadata. */
  challenge?: "resource_metadata" | "bare" | Challenge;
  /** Needed for every request, and named in the challenge. Default none. */
  requiredScopes?: readonly string[];
  /** Named in the 401 challenge instead of `requiredScopes`. */
  challengeScope?: string;
  /** Whether DPoP-bound tokens are accepted, or nothing else. Default: bearer tokens only. */
  dpop?: "accepted" | "required";
  /** Asks for a server nonce in every proof. */
  dpopNonce?: boolean;
  stateless?: boolean;
  jsonResponse?: boolean;
  host?: string;
  port?: number;
}

export interface RunningProtectedMcpServer {
  /** The endpoint to connect a client to. */
  readonly url: URL;
  /** The exact resource identifier that tokens must be issued for. */
  readonly resource: string;
  readonly metadataUrl: string | undefined;
  readonly log: RequestLog;
  /** Puts the test's own answer in front of the real server. */
  readonly respond: FaultInjection["respond"];
  /** Rejects every token issued so far. */
  invalidateAll(): void;
  /** Rejects the tokens of the next `count` requests. */
  rejectNext(count: number): void;
  /** Makes clients fetch a new DPoP nonce. */
  rotateDpopNonce(): void;
  setAuthorizationServers(issuers: readonly string[]): void;
  notifyToolsChanged(): Promise<void>;
  dropStreams(): void;
  dropSessions(): Promise<void>;
  readonly sessionCount: number;
  close(): Promise<void>;
}

export async function startProtectedMcpServer(options: ProtectedMcpServerOptions): Promise<RunningProtectedMcpServer> {
  const path = options.path ?? (options.transport === "sse" ? "/sse" : "/mcp");
  const log = createRequestLog();
  const faults = createFaultInjection();
  let answer: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = await listen(log.record(faults.wrap((request, response) => answer(request, response))), options);

  const resource = options.resource ?? server.url + path;
  const metadataPath = metadataPathOf(options.metadata ?? "path", path);
  const metadataUrl = metadataPath && server.url + metadataPath;
  let authorizationServers = options.authorizationServers ?? [];
  const guard = createBearerGuard({
    resource,
    metadataUrl,
    verifyAccessToken: options.verifyAccessToken,
    requiredScopes: options.requiredScopes ?? [],
    challengeScope: options.challengeScope,
    challenge: challengeOf(options),
    dpop: options.dpop,
    dpopNonce: options.dpopNonce,
  });
  const endpoint = createEndpoint(options, {
    path,
    stateless: options.stateless ?? false,
    jsonResponse: options.jsonResponse ?? false,
  });

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const requested = pathOf(request);
    if (requested === metadataPath)
      return sendJson(response, 200, metadataDocument(options, resource, authorizationServers));
    if (!endpoint.handles(requested)) return sendNotFound(response);
    const token = await guard.check(request, response);
    if (!token) return;
    const body = request.method === "POST" ? parseJson(await readBody(request)) : undefined;
    const scope = missingToolScope(body, token.scopes);
    if (scope !== undefined) return guard.refuseScope(request, response, scope);
    await endpoint.handle({ request, response, token, body });
  };
  answer = (request, response) => {
    handle(request, response).catch((error: unknown) => {
      console.error("protected MCP server fixture:", error);
      if (!response.headersSent) sendJson(response, 500, { error: "server_error" });
    });
  };

  return {
    url: new URL(server.url + path),
    resource,
    metadataUrl,
    log,
    respond: faults.respond,
    invalidateAll: guard.invalidateAll,
    rejectNext: guard.rejectNext,
    rotateDpopNonce: guard.rotateDpopNonce,
    setAuthorizationServers: (issuers) => {
      authorizationServers = issuers;
    },
    notifyToolsChanged: endpoint.notifyToolsChanged,
    dropStreams: endpoint.dropStreams,
    dropSessions: endpoint.dropSessions,
    get sessionCount(): number {
      return endpoint.sessionCount;
    },
    close: async () => {
      await endpoint.close();
      await server.close();
    },
  };
}

function createEndpoint(options: ProtectedMcpServerOptions, endpoint: McpEndpointOptions): McpEndpoint {
  if (options.sdk === "v1")
    return options.transport === "sse" ? createSseEndpointV1(endpoint) : createStreamableHttpEndpointV1(endpoint);
  if (options.transport === "sse") throw new Error("SDK v2 has no SSE server: use sdk v1");
  return createEndpointV2(endpoint);
}

function metadataPathOf(place: "path" | "root" | "none", path: string): string | undefined {
  if (place === "none") return undefined;
  // RFC 9728 section 3.1: inserted between host and path; a root resource has no path to append.
  return `/.well-known/oauth-protected-resource${place === "path" && path !== "/" ? path : ""}`;
}

function challengeOf({ challenge, metadata }: ProtectedMcpServerOptions): Challenge {
  if (typeof challenge === "function") return challenge;
  return (challenge ?? (metadata === "none" ? "bare" : "resource_metadata")) === "bare"
    ? bareChallenge
    : resourceMetadataChallenge;
}

function metadataDocument(
  options: ProtectedMcpServerOptions,
  resource: string,
  authorizationServers: readonly string[],
): Record<string, unknown> {
  const scopes = options.scopes ?? ["mcp:tools"];
  return {
    resource,
    authorization_servers: authorizationServers,
    bearer_methods_supported: ["header"],
    ...(scopes.length > 0 ? { scopes_supported: scopes } : {}),
    ...(options.dpop ? { dpop_signing_alg_values_supported: dpopAlgorithms } : {}),
    ...(options.dpop === "required" ? { dpop_bound_access_tokens_required: true } : {}),
    ...options.metadataExtra,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function missingToolScope(body: unknown, scopes: readonly string[]): string | undefined {
  for (const message of [body].flat() as ({ method?: unknown; params?: { name?: unknown } } | null | undefined)[]) {
    const needed = message?.method === "tools/call" ? scopeOfTool[String(message.params?.name)] : undefined;
    if (needed !== undefined && !scopes.includes(needed)) return needed;
  }
  return undefined;
}
