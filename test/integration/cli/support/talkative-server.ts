// Servers that ask their client things and make it wait, which the fixtures of other tests do not: one of each SDK. Anybody
// is let in.
import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { McpServer as McpServerV1 } from "@modelcontextprotocol/sdk/server/mcp.js";
import { type EventStore, StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { JSONRPCMessage } from "@modelcontextprotocol/sdk/types.js";
import { acceptedContent, createMcpHandler, inputRequired, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";
import { pathOf, readBody } from "../../../servers/http.ts";
import { createRequestLog, listen, type RequestLog } from "../../../servers/request-log.ts";
import { StreamTracker } from "../../../servers/stream-tracker.ts";
import { closing } from "../../flow/support/harness.ts";

export interface TalkativeServer {
  readonly url: URL;
  readonly log: RequestLog;
  /** How many calls wait, and how many of them were given up by their caller. */
  readonly calls: { waiting: number; cancelled: number };
  /** Lets calls of `wait` go on. */
  goOn(): void;
  dropStreams(): void;
}

const requestedSchema = { type: "object", properties: { answer: { type: "string" } } } as const;

interface Gate {
  readonly calls: { waiting: number; cancelled: number };
  wait(signal: AbortSignal): Promise<string>;
  goOn(): void;
}

function createGate(): Gate {
  const calls = { waiting: 0, cancelled: 0 };
  let goOn: (() => void)[] = [];
  return {
    calls,
    wait: (signal) =>
      new Promise((resolve) => {
        calls.waiting += 1;
        goOn.push(() => resolve("went on"));
        signal.addEventListener("abort", () => {
          calls.cancelled += 1;
          resolve("cancelled");
        });
      }),
    goOn: () => {
      for (const go of goOn) go();
      goOn = [];
    },
  };
}

const text = (value: string): { content: { type: "text"; text: string }[] } => ({
  content: [{ type: "text", text: value }],
});

/** Keeps every event, so that any stream can be taken up again. */
function createEventStore(): EventStore {
  const events: { id: string; stream: string; message: JSONRPCMessage }[] = [];
  return {
    storeEvent: async (stream, message) => {
      const id = `${stream}/${events.length}`;
      events.push({ id, stream, message });
      return id;
    },
    replayEventsAfter: async (lastId, { send }) => {
      const last = events.findIndex(({ id }) => id === lastId);
      const stream = events[last]?.stream ?? "";
      for (const event of events.slice(last + 1)) if (event.stream === stream) await send(event.id, event.message);
      return stream;
    },
  };
}

function createServerV1(gate: Gate): McpServerV1 {
  const server = new McpServerV1({ name: "talkative", version: "1" });
  server.registerTool("sample", {}, async () => {
    const message = { role: "user", content: { type: "text", text: "hello" } } as const;
    const { content } = await server.server.createMessage({ messages: [message], maxTokens: 10 });
    return text(JSON.stringify(content));
  });
  server.registerTool("elicit", {}, async () => {
    const { content } = await server.server.elicitInput({ message: "Well?", requestedSchema });
    return text(JSON.stringify(content));
  });
  server.registerTool("roots", {}, async () => text(JSON.stringify(await server.server.listRoots())));
  server.registerTool("wait", {}, async ({ signal, sendNotification, _meta }) => {
    const progressToken = _meta?.progressToken;
    if (progressToken !== undefined)
      await sendNotification({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    return text(await gate.wait(signal));
  });
  server.registerTool("length", { inputSchema: { text: z.string() } }, async (input) => text(`${input.text.length}`));
  server.registerTool("repeat", { inputSchema: { times: z.number() } }, async (input) => text("x".repeat(input.times)));
  server.registerTool("steps", {}, async ({ sendNotification, _meta }) => {
    const progressToken = _meta?.progressToken ?? "";
    for (let progress = 1; progress <= 3; progress += 1) {
      await sendNotification({ method: "notifications/progress", params: { progressToken, progress } });
      // So that the host has read one before the next comes.
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return text("done");
  });
  return server;
}

export interface TalkativeOptions {
  /** Whether broken streams can be taken up again. */
  readonly resumable?: boolean;
  /** Whether it redirects from its address to the same with a slash at its end. */
  readonly redirects?: boolean;
}

/** Sessions, of SDK v1. */
export async function startTalkativeServer(options: TalkativeOptions = {}): Promise<TalkativeServer> {
  const { resumable = false, redirects = false } = options;
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const gate = createGate();
  const log = createRequestLog();
  const streams = new StreamTracker();
  const open = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      ...(resumable && { eventStore: createEventStore(), retryInterval: 400 }),
    });
    await createServerV1(gate).connect(transport as Transport);
    return transport;
  };
  const server = closing(
    await listen(
      log.record((request, response) => {
        const handle = async (): Promise<void> => {
          if (redirects && pathOf(request) === "/mcp") return void response.writeHead(307, { location: "/mcp/" }).end();
          streams.watch(response);
          const body = request.method === "POST" ? JSON.parse(await readBody(request)) : undefined;
          const transport = sessions.get(String(request.headers["mcp-session-id"])) ?? (await open());
          await transport.handleRequest(request, response, body);
        };
        handle().catch((error: unknown) => fail(response, error));
      }),
    ),
  );
  closing({ close: () => Promise.all([...sessions.values()].map((transport) => transport.close())) });
  const { calls, goOn } = gate;
  return { url: new URL(`${server.url}/mcp`), log, calls, goOn, dropStreams: () => streams.drop() };
}

/** Without sessions, of SDK v2: the wire of 2026-07-28 and nothing else. */
export async function startTalkativeServerV2(): Promise<TalkativeServer> {
  const gate = createGate();
  const log = createRequestLog();
  const streams = new StreamTracker();
  const handler = createMcpHandler(
    () => {
      const server = new McpServer({ name: "talkative", version: "2" });
      server.registerTool("elicit", {}, async ({ mcpReq }) => {
        const answer = acceptedContent(mcpReq.inputResponses, "answer");
        if (answer !== undefined) return text(JSON.stringify(answer));
        return inputRequired({
          inputRequests: { answer: inputRequired.elicit({ message: "Well?", requestedSchema }) },
        });
      });
      server.registerTool("wait", {}, async ({ mcpReq }) => text(await gate.wait(mcpReq.signal)));
      const region = z.string().meta({ "x-mcp-header": "Region" });
      server.registerTool("mirrored", { inputSchema: z.object({ region }) }, async (input) => text(input.region));
      return server;
    },
    { legacy: "reject" },
  );
  const serve = toNodeHandler(handler);
  const server = closing(
    await listen(
      log.record((request, response) => {
        streams.watch(response);
        serve(request as never, response).catch((error: unknown) => fail(response, error));
      }),
    ),
  );
  closing({ close: () => handler.close() });
  const { calls, goOn } = gate;
  return { url: new URL(`${server.url}/mcp`), log, calls, goOn, dropStreams: () => streams.drop() };
}

function fail(response: ServerResponse, error: unknown): void {
  if (!response.destroyed) console.error("talkative server:", error);
  response.destroy();
}
