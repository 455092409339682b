// @modelcontextprotocol/server 2.x: the 2026-07-28 wire, which is stateless, and next to it the sessions
// of the older wire, so that clients of either SDK can connect.
import { randomUUID } from "node:crypto";
import {
  type NodeIncomingMessageLike,
  NodeStreamableHTTPServerTransport,
  toNodeHandler,
  toWebRequest,
} from "@modelcontextprotocol/node";
import {
  createMcpHandler,
  isInitializeRequest,
  isLegacyRequest,
  McpServer,
  type ServerContext,
} from "@modelcontextprotocol/server";
import { z } from "zod";
import { sendJson } from "./http.ts";
import { type AuthenticatedRequest, authInfoOf, type McpEndpoint, type McpEndpointOptions } from "./mcp-endpoint.ts";
import { admin, count, echo, slow, toolInputs, whoami } from "./mcp-tools.ts";
import { StreamTracker } from "./stream-tracker.ts";

export function createServerV2(): McpServer {
  const server = new McpServer(
    { name: "fixture-v2", version: "2.0.0" },
    { capabilities: { tools: { listChanged: true } } },
  );
  server.registerTool("echo", { inputSchema: z.object(toolInputs.echo) }, async ({ text }) => echo(text));
  server.registerTool("whoami", {}, async ({ http }: ServerContext) => {
    const caller = http?.authInfo;
    return whoami({
      subject: caller?.extra?.subject as string | undefined,
      clientId: caller?.clientId,
      scopes: caller?.scopes ?? [],
    });
  });
  server.registerTool("admin", {}, async () => admin());
  server.registerTool("count", { inputSchema: z.object(toolInputs.count) }, async ({ to }, context) =>
    count(to, (progress) => reportProgress(context, progress, to)),
  );
  server.registerTool("slow", { inputSchema: z.object(toolInputs.slow) }, async ({ ms }, { mcpReq }) =>
    slow(ms, mcpReq.signal),
  );
  return server;
}

async function reportProgress({ mcpReq }: ServerContext, progress: number, total: number): Promise<void> {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  await mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total } });
}

interface Session {
  server: McpServer;
  transport: NodeStreamableHTTPServerTransport;
}

export function createEndpointV2(options: McpEndpointOptions): McpEndpoint {
  const sessions = new Map<string, Session>();
  const streams = new StreamTracker();
  const modern = createMcpHandler(createServerV2, {
    legacy: options.stateless ? "stateless" : "reject",
    responseMode: options.jsonResponse ? "json" : "auto",
  });
  const serveModern = toNodeHandler(modern);

  const openSession = async (): Promise<Session> => {
    const session: Session = {
      server: createServerV2(),
      transport: new NodeStreamableHTTPServerTransport({
        enableJsonResponse: options.jsonResponse,
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => void sessions.set(id, session),
        onsessionclosed: (id) => void sessions.delete(id),
      }),
    };
    await session.server.connect(session.transport);
    return session;
  };

  const serveSession = async ({ request, response, token, body }: AuthenticatedRequest): Promise<void> => {
    const id = request.headers["mcp-session-id"];
    const known = typeof id === "string" ? sessions.get(id) : undefined;
    if (!known && !(request.method === "POST" && id === undefined && isInitializeRequest(body))) {
      const [status, message] = id === undefined ? [400, "no session"] : [404, "session not found"];
      return sendJson(response, status as number, { jsonrpc: "2.0", error: { code: -32000, message }, id: null });
    }
    const { transport } = known ?? (await openSession());
    await transport.handleRequest(Object.assign(request, { auth: authInfoOf(token) }), response, body);
  };

  const dropSessions = async (): Promise<void> => {
    const open = [...sessions.values()];
    sessions.clear();
    await Promise.all(open.map(({ server }) => server.close()));
  };

  return {
    handles: (path) => path === options.path,
    handle: async (authenticated) => {
      const { request, response, token, body } = authenticated;
      streams.watch(response);
      // The adapter's request type does not know exactOptionalPropertyTypes.
      const nodeRequest = Object.assign(request, { auth: authInfoOf(token) }) as NodeIncomingMessageLike;
      if (!options.stateless && (await isLegacyRequest(await toWebRequest(nodeRequest, body), body)))
        return serveSession(authenticated);
      await serveModern(nodeRequest, response, body);
    },
    notifyToolsChanged: async () => {
      modern.notify.toolsChanged();
      await Promise.all([...sessions.values()].map(({ server }) => server.sendToolListChanged()));
    },
    dropStreams: () => streams.drop(),
    dropSessions,
    get sessionCount(): number {
      return sessions.size;
    },
    close: async () => {
      await dropSessions();
      await modern.close();
    },
  };
}
