// @better-auth/mcp: a real authorization server and a real RFC 9728 resource server of another make, with
// its own step-up, strict registration, device flow and habits.
import { randomBytes } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { mcp, requireMcpAuth } from "@better-auth/mcp";
import { oauthDeviceAuthorization } from "@better-auth/oauth-provider";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { type BetterAuthPlugin, betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { createInsufficientScopeError } from "better-auth/oauth2";
import { jwt } from "better-auth/plugins";
import type { JWTPayload } from "jose";
import type { AcceptedToken } from "./bearer-guard.ts";
import { handlePage } from "./better-auth-pages.ts";
import { createFaultInjection, type FaultInjection } from "./fault-injection.ts";
import { pathOf, readBody } from "./http.ts";
import type { McpEndpoint } from "./mcp-endpoint.ts";
import { createSseEndpointV1 } from "./mcp-endpoint-v1.ts";
import { createServerV2 } from "./mcp-endpoint-v2.ts";
import { scopeOfTool } from "./mcp-tools.ts";
import { createRequestLog, listen, type RequestLog } from "./request-log.ts";

export interface BetterAuthServerOptions {
  /** Default 3600. */
  accessTokenSeconds?: number;
  /** How long a used refresh token still answers with the same tokens. better-auth's default is 30; 0 is strict. */
  refreshTokenReuseSeconds?: number;
  /** Default `mcp:tools mcp:admin offline_access`. */
  scopes?: readonly string[];
  /** Needed for every request. Default `mcp:tools`. */
  requiredScopes?: readonly string[];
  /** Seconds between polls of the device flow before it says `slow_down`. Default 1. */
  deviceIntervalSeconds?: number;
  /** Default `streamable-http`. The SSE transport is SDK v1's, behind the same check. */
  transport?: "streamable-http" | "sse";
}

export interface RunningBetterAuthServer {
  /** Has a path (`/auth`), so its metadata stands at a path-inserted address. */
  readonly issuer: string;
  /** The MCP endpoint. */
  readonly url: URL;
  readonly log: RequestLog;
  readonly respond: FaultInjection["respond"];
  close(): Promise<void>;
}

const BASE_PATH = "/auth";

export async function startBetterAuthServer(options: BetterAuthServerOptions = {}): Promise<RunningBetterAuthServer> {
  const log = createRequestLog();
  const faults = createFaultInjection();
  let answer: (request: Request) => Promise<Response> = async () => new Response(null, { status: 503 });
  const handle = toNodeHandler((request) => answer(request));
  let serveSse: RequestListener | undefined;
  const server = await listen(
    log.record(
      faults.wrap((request, response) => {
        if (serveSse !== undefined && pathOf(request).startsWith("/sse")) serveSse(request, response);
        else void handle(request, response);
      }),
    ),
  );

  const url = new URL(server.url + (options.transport === "sse" ? "/sse" : "/mcp"));
  const baseUrl = server.url + BASE_PATH;
  const auth = createAuth(server.url, url, options);
  const modern = createMcpHandler(createServerV2);
  const protectedMcp = requireMcpAuth(auth, (request, claims) => serveMcp(modern, request, claims), {
    resource: url.href,
    requiredScopes: options.requiredScopes ?? ["mcp:tools"],
  });
  const sse = createSseEndpointV1({ path: url.pathname, stateless: false, jsonResponse: false });
  if (options.transport === "sse") serveSse = sseListener(sse, auth, url, options.requiredScopes ?? ["mcp:tools"]);
  answer = async (request) => {
    if (new URL(request.url).pathname === url.pathname) return protectedMcp(request);
    return (await handlePage({ baseUrl, handler: auth.handler }, request)) ?? auth.handler(request);
  };
  return {
    issuer: baseUrl,
    url,
    log,
    respond: faults.respond,
    close: async () => {
      await modern.close();
      await sse.close();
      await server.close();
    },
  };
}

/** better-auth checks web requests; the SSE transport of SDK v1 answers node's. */
function sseListener(
  endpoint: McpEndpoint,
  auth: ReturnType<typeof createAuth>,
  resource: URL,
  requiredScopes: readonly string[],
): RequestListener {
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let accepted: { request: Request; claims: JWTPayload } | undefined;
    const check = requireMcpAuth(
      auth,
      async (checked, claims) => {
        accepted = { request: checked, claims };
        return new Response(null, { status: 204 });
      },
      { resource: resource.href, requiredScopes: [...requiredScopes] },
    );
    const headers = new Headers();
    for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
    const target = new URL(request.url ?? "/", resource);
    const refusal = await check(new Request(target, { method: request.method ?? "GET", headers }));
    if (accepted === undefined) {
      response.writeHead(refusal.status, Object.fromEntries(refusal.headers)).end(await refusal.text());
      return;
    }
    const body = request.method === "POST" ? (JSON.parse(await readBody(request)) as unknown) : undefined;
    await endpoint.handle({ request, response, token: acceptedToken(accepted.request, accepted.claims), body });
  };
  return (request, response) => void serve(request, response);
}

function acceptedToken(request: Request, claims: JWTPayload): AcceptedToken {
  return {
    token: /^\S+ +(\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "",
    clientId: String(claims.client_id ?? claims.azp ?? ""),
    scopes: String(claims.scope ?? "")
      .split(" ")
      .filter(Boolean),
    expiresAt: claims.exp ?? 0,
    subject: claims.sub,
  };
}

function createAuth(origin: string, resource: URL, options: BetterAuthServerOptions) {
  const scopes = [...(options.scopes ?? ["mcp:tools", "mcp:admin", "offline_access"])];
  return betterAuth({
    baseURL: origin,
    basePath: BASE_PATH,
    secret: randomBytes(32).toString("hex"),
    database: memoryAdapter(emptyTables()),
    emailAndPassword: { enabled: true, minPasswordLength: 1 },
    logger: { disabled: true },
    telemetry: { enabled: false },
    rateLimit: { enabled: false },
    plugins: [
      jwt(),
      // The plugin's own type does not fit better-auth's under exactOptionalPropertyTypes.
      mcp({
        loginPage: `${origin}/login`,
        consentPage: `${origin}/consent`,
        resource: resource.href,
        scopes,
        allowDynamicClientRegistration: true,
        allowUnauthenticatedClientRegistration: true,
        accessTokenExpiresIn: options.accessTokenSeconds ?? 3600,
        ...(options.refreshTokenReuseSeconds === undefined
          ? {}
          : { refreshTokenReuseInterval: options.refreshTokenReuseSeconds }),
      }) as unknown as BetterAuthPlugin,
      oauthDeviceAuthorization({
        verificationUri: `${origin}/device`,
        interval: `${options.deviceIntervalSeconds ?? 1}s`,
      }),
    ],
  });
}

function emptyTables(): Record<string, unknown[]> {
  const names = [
    "user",
    "session",
    "account",
    "verification",
    "jwks",
    "deviceCode",
    "oauthClient",
    "oauthResource",
    "oauthClientResource",
    "oauthAccessToken",
    "oauthRefreshToken",
    "oauthConsent",
    "oauthClientAssertion",
  ];
  return Object.fromEntries(names.map((name) => [name, []]));
}

async function serveMcp(
  handler: ReturnType<typeof createMcpHandler>,
  request: Request,
  claims: JWTPayload,
): Promise<Response> {
  const { subject, ...token } = acceptedToken(request, claims);
  const needed = await neededScope(request);
  // better-auth turns this into the 403 challenge of a step-up.
  if (needed !== undefined && !token.scopes.includes(needed)) throw createInsufficientScopeError([needed]);
  // A request that is under way when the server closes is refused, as a server that goes down does.
  return handler
    .fetch(request, { authInfo: { ...token, extra: { subject } } })
    .catch(() => new Response(null, { status: 503 }));
}

async function neededScope(request: Request): Promise<string | undefined> {
  if (request.method !== "POST") return undefined;
  const message = (await request
    .clone()
    .json()
    .catch(() => undefined)) as { method?: string; params?: { name?: string } } | undefined;
  return message?.method === "tools/call" ? scopeOfTool[message.params?.name ?? ""] : undefined;
}
