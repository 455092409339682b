// @better-auth/mcp: a real authorization server and a real RFC 9728 resource server of another make, with
// its own step-up, strict registration, device flow and habits.
import { randomBytes } from "node:crypto";
import { mcp, requireMcpAuth } from "@better-auth/mcp";
import { oauthDeviceAuthorization } from "@better-auth/oauth-provider";
import { createMcpHandler } from "@modelcontextprotocol/server";
import { type BetterAuthPlugin, betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { createInsufficientScopeError } from "better-auth/oauth2";
import { jwt } from "better-auth/plugins";
import type { JWTPayload } from "jose";
import { handlePage } from "./better-auth-pages.ts";
import { createFaultInjection, type FaultInjection } from "./fault-injection.ts";
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
  const server = await listen(log.record(faults.wrap((request, response) => void handle(request, response))));

  const url = new URL(`${server.url}/mcp`);
  const baseUrl = server.url + BASE_PATH;
  const auth = createAuth(server.url, url, options);
  const modern = createMcpHandler(createServerV2);
  const protectedMcp = requireMcpAuth(auth, (request, claims) => serveMcp(modern, request, claims), {
    resource: url.href,
    requiredScopes: options.requiredScopes ?? ["mcp:tools"],
  });
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
      await server.close();
    },
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
  const scopes = String(claims.scope ?? "")
    .split(" ")
    .filter(Boolean);
  const needed = await neededScope(request);
  // better-auth turns this into the 403 challenge of a step-up.
  if (needed !== undefined && !scopes.includes(needed)) throw createInsufficientScopeError([needed]);
  const token = /^\S+ +(\S+)$/.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  const clientId = String(claims.client_id ?? claims.azp ?? "");
  return handler.fetch(request, {
    authInfo: { token, clientId, scopes, expiresAt: claims.exp ?? 0, extra: { subject: claims.sub } },
  });
}

async function neededScope(request: Request): Promise<string | undefined> {
  if (request.method !== "POST") return undefined;
  const message = (await request
    .clone()
    .json()
    .catch(() => undefined)) as { method?: string; params?: { name?: string } } | undefined;
  return message?.method === "tools/call" ? scopeOfTool[message.params?.name ?? ""] : undefined;
}
