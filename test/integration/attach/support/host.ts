// What every test of an attachment needs: servers that end with the test, a host with a person in front of its browser,
// and clients of both SDKs, whichever way the token gets onto their requests.
import * as v2 from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport as SseV1 } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport as HttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport as TransportV1 } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  findMcpOAuthError,
  type McpOAuthError,
  type McpOAuthErrorCode,
  type McpOAuthEvent,
  memoryStore,
  TokenManager,
  type TokenManagerOptions,
} from "mcp-oauth-client";
import { afterEach, expect } from "vitest";
import {
  type AuthorizationServerOptions,
  type RunningAuthorizationServer,
  startAuthorizationServer,
} from "../../../servers/authorization-server.ts";
import {
  type ProtectedMcpServerOptions,
  type RunningProtectedMcpServer,
  startProtectedMcpServer,
} from "../../../servers/protected-mcp-server.ts";
import type { LoggedRequest, RequestLog } from "../../../servers/request-log.ts";
import { UserAgent } from "../../../servers/user-agent.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Closes something when the test ends. */
export function closing<Closable extends { close(): unknown }>(closable: Closable): Closable {
  cleanups.push(() => closable.close());
  return closable;
}

export interface Servers {
  readonly as: RunningAuthorizationServer;
  readonly mcp: RunningProtectedMcpServer;
}

/** An MCP server behind `oidc-provider`. */
export async function startServers(
  server: Partial<ProtectedMcpServerOptions> = {},
  options: AuthorizationServerOptions = {},
): Promise<Servers> {
  const as = closing(await startAuthorizationServer(options));
  const defaults = { sdk: "v1", verifyAccessToken: as.verifyAccessToken, authorizationServers: [as.issuer] } as const;
  return { as, mcp: closing(await startProtectedMcpServer({ ...defaults, ...server })) };
}

export interface Host {
  readonly tokens: TokenManager;
  /** The authorization URLs that were opened, in order: one is one browser tab. */
  readonly opened: URL[];
  readonly events: McpOAuthEvent[];
}

export interface HostOptions extends Partial<TokenManagerOptions> {
  /** Who sits in front of the browser. Default: alice, who says yes. */
  person?: { open(url: URL): unknown };
}

export function startHost({ person = new UserAgent(), ...options }: HostOptions = {}): Host {
  const opened: URL[] = [];
  const events: McpOAuthEvent[] = [];
  const openBrowser = (url: URL): void => {
    opened.push(url);
    // As a real launcher: returns when the browser has started, not when the person is done.
    void person.open(url);
  };
  const tokens = closing(new TokenManager({ clientName: "Test Host", store: memoryStore(), openBrowser, ...options }));
  tokens.on("*", (event) => events.push(event));
  return { tokens, opened, events };
}

/** A person who thinks until told to go on. */
export function slowPerson(agent: UserAgent = new UserAgent()): { open(url: URL): unknown; goOn(): void } {
  let goOn = (): void => undefined;
  const told = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  return { open: (url) => told.then(() => agent.open(url)), goOn: () => goOn() };
}

export type Sdk = "v1" | "v2" | "v2 on the 2026-07-28 wire";
export type Way = "fetch" | "authProvider" | "bearerProvider";
export type Wire = "Streamable HTTP" | "SSE";

export interface CallOptions {
  /** Milliseconds until the SDK gives a request up. Default: the SDK's, 60,000. */
  timeout?: number;
}

/** A client of one of the SDKs. */
export interface Connection {
  /** Errors that the SDK tells nobody else. */
  readonly errors: unknown[];
  connect(options?: CallOptions): Promise<void>;
  /** Calls a tool and gives its text. */
  call(tool: string, input?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  /** Ends the session on the server, by DELETE. */
  terminate(): Promise<void>;
  close(): Promise<void>;
}

export interface ClientChoice {
  readonly sdk: Sdk;
  readonly way: Way;
  readonly wire?: Wire;
  /** For the transport as it is, past all choices. */
  readonly transportOptions?: object;
}

/** How often and how fast the SDKs reconnect their streams: at once, so that no test waits for it. */
const reconnectionOptions = {
  initialReconnectionDelay: 1,
  maxReconnectionDelay: 1,
  reconnectionDelayGrowFactor: 1,
  maxRetries: 5,
};

function attachment(way: Way, tokens: TokenManager, url: URL): object {
  if (way === "fetch") return { fetch: tokens.fetch(url) };
  return { authProvider: way === "authProvider" ? tokens.authProvider(url) : tokens.bearerProvider(url) };
}

function textOf(result: unknown): string {
  return (result as { content: { text: string }[] }).content[0]?.text ?? "";
}

export function newConnection(choice: ClientChoice, tokens: TokenManager, url: URL): Connection {
  const options = { reconnectionOptions, ...attachment(choice.way, tokens, url), ...choice.transportOptions };
  return closing(choice.sdk === "v1" ? connectionV1(choice, url, options) : connectionV2(choice, url, options));
}

function connectionV1({ wire }: ClientChoice, url: URL, options: object): Connection {
  const client = new ClientV1({ name: "test", version: "1" });
  const transport = wire === "SSE" ? new SseV1(url, options) : new HttpV1(url, options);
  const errors: unknown[] = [];
  client.onerror = (error) => errors.push(error);
  return {
    errors,
    // The transport's own type does not fit the SDK's interface under exactOptionalPropertyTypes.
    connect: (callOptions) => client.connect(transport as TransportV1, callOptions),
    call: async (name, input, callOptions) =>
      textOf(await client.callTool({ name, arguments: input }, undefined, callOptions)),
    terminate: async () => {
      if (transport instanceof HttpV1) await transport.terminateSession();
    },
    close: () => client.close(),
  };
}

function connectionV2({ sdk, wire }: ClientChoice, url: URL, options: object): Connection {
  const modern = sdk === "v2 on the 2026-07-28 wire";
  const negotiation = modern ? { versionNegotiation: { mode: "auto" as const } } : {};
  const client = new v2.Client({ name: "test", version: "1" }, negotiation);
  const transport =
    wire === "SSE" ? new v2.SSEClientTransport(url, options) : new v2.StreamableHTTPClientTransport(url, options);
  const errors: unknown[] = [];
  client.onerror = (error) => errors.push(error);
  return {
    errors,
    connect: async (callOptions) => {
      await client.connect(transport, callOptions);
      if (modern) expect(client.getProtocolEra()).toBe("modern");
    },
    call: async (name, input, callOptions) =>
      textOf(await client.callTool({ name, ...(input && { arguments: input }) }, callOptions)),
    terminate: async () => {
      if (transport instanceof v2.StreamableHTTPClientTransport) await transport.terminateSession();
    },
    close: () => client.close(),
  };
}

/** A client that is connected. */
export async function connected(choice: ClientChoice, tokens: TokenManager, url: URL): Promise<Connection> {
  const connection = newConnection(choice, tokens, url);
  await connection.connect();
  return connection;
}

/** Waits for a call to fail with one of our errors, and gives it. */
export async function failure(call: Promise<unknown>, code: McpOAuthErrorCode): Promise<McpOAuthError> {
  const thrown = await call.then(
    (value) => expect.fail(`expected ${code}, got ${JSON.stringify(value)}`),
    (error: unknown) => error,
  );
  const error = findMcpOAuthError(thrown);
  if (error === undefined) throw thrown;
  expect(error.code, error.message).toBe(code);
  return error;
}

/** The token requests of one grant that an authorization server got. */
export function tokenRequests({ log }: { log: RequestLog }, grant?: "authorization_code" | "refresh_token"): number {
  const requests = log.find("POST", /\/token$/);
  return requests.filter(({ body }) => grant === undefined || new URLSearchParams(body).get("grant_type") === grant)
    .length;
}

/** The tokens that requests carried, without repetition; `undefined` for those that carried none. */
export function tokensOf(requests: readonly LoggedRequest[]): (string | undefined)[] {
  return [...new Set(requests.map(({ headers }) => headers.authorization))];
}

export const jsonRpc = (method: string, params: object = {}): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
});
