// @modelcontextprotocol/sdk 1.x: Streamable HTTP with sessions, without, and the older SSE transport.
import { randomUUID } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { SSEServerTransport } from "@modelcontextprotocol/sdk/server/sse.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { RequestHandlerExtra } from "@modelcontextprotocol/sdk/shared/protocol.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { isInitializeRequest, type ServerNotification, type ServerRequest } from "@modelcontextprotocol/sdk/types.js";
import { sendJson } from "./http.ts";
import { type AuthenticatedRequest, authInfoOf, type McpEndpoint, type McpEndpointOptions } from "./mcp-endpoint.ts";
import { admin, count, echo, slow, toolInputs, whoami } from "./mcp-tools.ts";
import { StreamTracker } from "./stream-tracker.ts";

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

function createServer(): McpServer {
  const server = new McpServer(
    { name: "fixture-v1", version: "1.0.0" },
    { capabilities: { tools: { listChanged: true } } },
  );
  server.registerTool("echo", { inputSchema: toolInputs.echo }, async ({ text }) => echo(text));
  server.registerTool("whoami", {}, async ({ authInfo }: Extra) =>
    whoami({
      subject: authInfo?.extra?.subject as string | undefined,
      clientId: authInfo?.clientId,
      scopes: authInfo?.scopes ?? [],
    }),
  );
  server.registerTool("admin", {}, async () => admin());
  server.registerTool("count", { inputSchema: toolInputs.count }, async ({ to }, extra) =>
    count(to, (progress) => reportProgress(extra, progress, to)),
  );
  server.registerTool("slow", { inputSchema: toolInputs.slow }, async ({ ms }, { signal }) => slow(ms, signal));
  return server;
}

async function reportProgress(extra: Extra, progress: number, total: number): Promise<void> {
  const progressToken = extra._meta?.progressToken;
  if (progressToken === undefined) return;
  await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total } });
}

interface Session<SessionTransport> {
  server: McpServer;
  transport: SessionTransport;
}

async function connect(transport: StreamableHTTPServerTransport): Promise<Session<StreamableHTTPServerTransport>> {
  const server = createServer();
  // The transport's own type does not fit the SDK's interface under exactOptionalPropertyTypes.
  await server.connect(transport as Transport);
  return { server, transport };
}

function authenticated({ request, token }: AuthenticatedRequest): IncomingMessage {
  return Object.assign(request, { auth: authInfoOf(token) });
}

async function closeAll(sessions: Map<string, Session<unknown>>): Promise<void> {
  const open = [...sessions.values()];
  sessions.clear();
  await Promise.all(open.map(({ server }) => server.close()));
}

async function notifyAll(sessions: Map<string, Session<unknown>>): Promise<void> {
  await Promise.all([...sessions.values()].map(({ server }) => server.sendToolListChanged()));
}

export function createStreamableHttpEndpointV1(options: McpEndpointOptions): McpEndpoint {
  const sessions = new Map<string, Session<StreamableHTTPServerTransport>>();
  const streams = new StreamTracker();

  const stateless = async (authenticatedRequest: AuthenticatedRequest): Promise<void> => {
    const { request, response, body } = authenticatedRequest;
    if (request.method !== "POST") return refuse(response, 405, "this server keeps no sessions");
    const { server, transport } = await connect(
      new StreamableHTTPServerTransport({ enableJsonResponse: options.jsonResponse }),
    );
    response.once("close", () => void server.close());
    await transport.handleRequest(authenticated(authenticatedRequest), response, body);
  };

  const open = async (): Promise<Session<StreamableHTTPServerTransport>> => {
    const session = await connect(
      new StreamableHTTPServerTransport({
        enableJsonResponse: options.jsonResponse,
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => void sessions.set(id, session),
        onsessionclosed: (id) => void sessions.delete(id),
      }),
    );
    return session;
  };

  const stateful = async (authenticatedRequest: AuthenticatedRequest): Promise<void> => {
    const { request, response, body } = authenticatedRequest;
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? sessions.get(id) : undefined;
    if (!known && id !== undefined) return refuse(response, 404, "session not found");
    if (!known && !(request.method === "POST" && isInitializeRequest(body))) return refuse(response, 400, "no session");
    const { transport } = known ?? (await open());
    await transport.handleRequest(authenticated(authenticatedRequest), response, body);
  };

  return {
    handles: (path) => path === options.path,
    handle: async (request) => {
      streams.watch(request.response);
      await (options.stateless ? stateless : stateful)(request);
    },
    notifyToolsChanged: () => notifyAll(sessions),
    dropStreams: () => streams.drop(),
    dropSessions: () => closeAll(sessions),
    get sessionCount(): number {
      return sessions.size;
    },
    close: () => closeAll(sessions),
  };
}

export function createSseEndpointV1(options: McpEndpointOptions): McpEndpoint {
  const sessions = new Map<string, Session<SSEServerTransport>>();
  const streams = new StreamTracker();
  const messagePath = `${options.path}/messages`;

  const openStream = async ({ response }: AuthenticatedRequest): Promise<void> => {
    const session = { server: createServer(), transport: new SSEServerTransport(messagePath, response) };
    const id = session.transport.sessionId;
    // Before connecting, because the client may post as soon as the endpoint event is out.
    sessions.set(id, session);
    response.once("close", () => sessions.delete(id));
    await session.server.connect(session.transport);
  };

  const message = async (authenticatedRequest: AuthenticatedRequest): Promise<void> => {
    const { request, response, body } = authenticatedRequest;
    const session = sessions.get(
      new URL(request.url ?? "/", "http://fixture.invalid").searchParams.get("sessionId") ?? "",
    );
    if (!session) return refuse(response, 404, "session not found");
    await session.transport.handlePostMessage(authenticated(authenticatedRequest), response, body);
  };

  return {
    handles: (path) => path === options.path || path === messagePath,
    handle: async (request) => {
      if (request.request.method === "GET") {
        streams.watch(request.response);
        return openStream(request);
      }
      const path = request.request.url?.split("?", 1)[0];
      if (request.request.method === "POST" && path === messagePath) return message(request);
      // What a client that tries Streamable HTTP first must see to fall back.
      return refuse(request.response, 405, "this server speaks the SSE transport");
    },
    notifyToolsChanged: () => notifyAll(sessions),
    dropStreams: () => streams.drop(),
    dropSessions: () => closeAll(sessions),
    get sessionCount(): number {
      return sessions.size;
    },
    close: () => closeAll(sessions),
  };
}

function refuse(response: ServerResponse, status: number, message: string): void {
  sendJson(response, status, { jsonrpc: "2.0", error: { code: -32000, message }, id: null });
}
