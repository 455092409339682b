// A tiny hand-made server for answers that no real server gives. What a real one does, belongs in the other
// files of this folder.
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ReadableStream } from "node:stream/web";
import { readBody } from "./http.ts";
import { createRequestLog, type ListenOptions, listen, type RequestLog } from "./request-log.ts";

export interface ScriptedRequest {
  method: string;
  path: string;
  url: URL;
  headers: IncomingHttpHeaders;
  body: string;
  /** The body as an HTML form. */
  form: URLSearchParams;
  /** The body as JSON; throws when it is none. */
  json(): unknown;
  /** Aborted when the client goes away. */
  signal: AbortSignal;
}

/** `"reset"` cuts the connection without an answer. */
export type ScriptedAnswer = Response | "reset";

export interface ScriptedHelpers {
  /** Origin of this server, without a trailing slash. */
  url: string;
  json(body: unknown, status?: number, headers?: Record<string, string>): Response;
  text(body: string, status?: number, headers?: Record<string, string>): Response;
  html(body: string, status?: number): Response;
  redirect(location: string, status?: number): Response;
  /** Never answers; ends when the client gives up. */
  hang(request: ScriptedRequest): Promise<ScriptedAnswer>;
  /** Sends the head and then chunks until told to stop, for size caps. */
  endless(headers?: Record<string, string>): Response;
}

export type ScriptedRoute = (
  request: ScriptedRequest,
  helpers: ScriptedHelpers,
) => ScriptedAnswer | Promise<ScriptedAnswer>;

/** By `"POST /token"`, by `"/token"` for every method, or by `"*"` for everything else. */
export type ScriptedRoutes = Record<string, ScriptedRoute>;

export interface RunningScriptedServer {
  readonly url: string;
  readonly port: number;
  readonly log: RequestLog;
  /** Change it at any time; the next request sees it. */
  readonly routes: ScriptedRoutes;
  close(): Promise<void>;
}

export async function startScriptedServer(
  routes: ScriptedRoutes = {},
  options: ListenOptions = {},
): Promise<RunningScriptedServer> {
  const log = createRequestLog();
  const current: ScriptedRoutes = { ...routes };
  let helpers: ScriptedHelpers | undefined;
  const server = await listen(
    log.record((request, response) => {
      if (helpers) void respond(current, helpers, request, response);
    }),
    options,
  );
  helpers = createHelpers(server.url);
  return { url: server.url, port: server.port, log, routes: current, close: () => server.close() };
}

async function respond(
  routes: ScriptedRoutes,
  helpers: ScriptedHelpers,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  try {
    const request = await toScriptedRequest(helpers.url, incoming, response);
    const route = routes[`${request.method} ${request.path}`] ?? routes[request.path] ?? routes["*"];
    const answer = route ? await route(request, helpers) : helpers.text("not found", 404);
    if (answer === "reset") incoming.socket.destroy();
    else await send(answer, response);
  } catch (error) {
    if (response.destroyed) return;
    console.error("scripted server fixture:", error);
    if (response.headersSent) incoming.socket.destroy();
    else response.writeHead(500).end(String(error));
  }
}

async function toScriptedRequest(
  origin: string,
  incoming: IncomingMessage,
  response: ServerResponse,
): Promise<ScriptedRequest> {
  const gone = new AbortController();
  response.once("close", () => gone.abort());
  const url = new URL(incoming.url ?? "/", origin);
  const body = await readBody(incoming);
  return {
    method: incoming.method ?? "GET",
    path: url.pathname,
    url,
    headers: incoming.headers,
    body,
    form: new URLSearchParams(body),
    json: () => JSON.parse(body) as unknown,
    signal: gone.signal,
  };
}

async function send(answer: Response, response: ServerResponse): Promise<void> {
  const headers: Record<string, string | string[]> = Object.fromEntries(answer.headers);
  const cookies = answer.headers.getSetCookie();
  if (cookies.length > 0) headers["set-cookie"] = cookies;
  response.writeHead(answer.status, headers);
  if (answer.body === null) response.end();
  // A client that goes away in the middle is no failure of the server's.
  else await pipeline(Readable.fromWeb(answer.body as ReadableStream), response).catch(() => response.destroy());
}

function createHelpers(url: string): ScriptedHelpers {
  const text = (body: string, status = 200, headers: Record<string, string> = {}): Response =>
    new Response(body === "" ? null : body, { status, headers: { "content-type": "text/plain", ...headers } });
  return {
    url,
    text,
    json: (body, status = 200, headers = {}) =>
      text(JSON.stringify(body), status, { "content-type": "application/json", ...headers }),
    html: (body, status = 200) => text(body, status, { "content-type": "text/html; charset=utf-8" }),
    redirect: (location, status = 302) => text("", status, { location }),
    hang: ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve("reset"))),
    endless: (headers = {}) => {
      const chunk = new TextEncoder().encode(" ".repeat(16 * 1024));
      const body = new ReadableStream({ pull: (controller) => controller.enqueue(chunk) });
      return new Response(body as BodyInit, { headers: { "content-type": "application/json", ...headers } });
    },
  };
}

/** The same answer with members of its JSON body set, or removed where the value is `undefined`. */
export async function withJson(answer: ScriptedAnswer, changes: Record<string, unknown>): Promise<ScriptedAnswer> {
  if (answer === "reset") return answer;
  const body = { ...((await answer.json()) as Record<string, unknown>), ...changes };
  return new Response(JSON.stringify(body), { status: answer.status, headers: answer.headers });
}

/** The same redirect with query parameters of its location set, or removed where the value is `undefined`. */
export function withLocationQuery(answer: ScriptedAnswer, changes: Record<string, string | undefined>): ScriptedAnswer {
  const location = answer === "reset" ? null : answer.headers.get("location");
  if (answer === "reset" || location === null) return answer;
  const url = new URL(location);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) url.searchParams.delete(name);
    else url.searchParams.set(name, value);
  }
  const headers = new Headers(answer.headers);
  headers.set("location", url.href);
  return new Response(null, { status: answer.status, headers });
}
