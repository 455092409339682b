// Every fixture is a plain node:http server on a port the system picks, and every request it gets is
// written down: tests assert on what went over the wire, not on what a mock was told.
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

/** Bodies are kept for assertions only, so a large one is cut instead of held. */
const BODY_LIMIT = 64 * 1024;
/** Benchmarks send far more requests than anybody looks at. */
const ENTRY_LIMIT = 20_000;

export interface LoggedRequest {
  /** Milliseconds since the epoch at which the request line arrived. */
  readonly at: number;
  readonly method: string;
  /** Path without the query, as sent: a fixture's own rewriting does not show. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Text received so far, cut at 64 KiB. */
  readonly body: string;
  /** 0 until the response headers were sent. */
  readonly status: number;
}

export type PathPredicate = string | RegExp | ((path: string) => boolean);

export interface RequestLog {
  readonly requests: readonly LoggedRequest[];
  clear(): void;
  /** How many requests were made with this method to a matching path (`*` counts every method). */
  count(method: string, path?: PathPredicate): number;
  /** The matching requests, oldest first. */
  find(method: string, path?: PathPredicate): LoggedRequest[];
}

export interface RecordingLog extends RequestLog {
  /** Wraps a listener so that everything it answers is recorded. */
  record(listener: RequestListener): RequestListener;
}

export function createRequestLog(): RecordingLog {
  const requests: LoggedRequest[] = [];
  const find = (method: string, path: PathPredicate = () => true): LoggedRequest[] =>
    requests.filter((request) => (method === "*" || request.method === method) && matchesPath(request.path, path));
  return {
    requests,
    clear: () => {
      requests.length = 0;
    },
    count: (method, path) => find(method, path).length,
    find,
    record: (listener) => (request, response) => {
      requests.push(observe(request, response));
      if (requests.length > ENTRY_LIMIT) requests.splice(0, ENTRY_LIMIT / 10);
      listener(request, response);
    },
  };
}

export function matchesPath(path: string, predicate: PathPredicate): boolean {
  if (typeof predicate === "string") return path === predicate;
  if (predicate instanceof RegExp) return predicate.test(path);
  return predicate(path);
}

// The body is tapped at `push`, below the stream interface: a "data" listener would switch the request
// to flowing mode before the real handler is ready to read it.
function observe(request: IncomingMessage, response: ServerResponse): LoggedRequest {
  const url = new URL(request.url ?? "/", "http://fixture.invalid");
  const chunks: Buffer[] = [];
  let kept = 0;
  let text: string | undefined;
  let status = 0;

  const push = request.push.bind(request);
  request.push = (chunk: unknown, encoding?: BufferEncoding): boolean => {
    if (chunk instanceof Uint8Array && kept < BODY_LIMIT) {
      const part = Buffer.from(chunk.subarray(0, BODY_LIMIT - kept));
      kept += part.length;
      chunks.push(part);
      text = undefined;
    }
    return push(chunk, encoding);
  };

  // Implicit headers go through writeHead as well, so the status is known as soon as a stream starts.
  const writeHead = response.writeHead;
  response.writeHead = function (this: ServerResponse, ...args: unknown[]): ServerResponse {
    status = typeof args[0] === "number" ? args[0] : this.statusCode;
    return Reflect.apply(writeHead, this, args) as ServerResponse;
  } as typeof response.writeHead;

  return {
    at: Date.now(),
    method: request.method ?? "GET",
    path: url.pathname,
    query: url.searchParams,
    headers: { ...request.headers },
    get body(): string {
      text ??= Buffer.concat(chunks).toString("utf8");
      return text;
    },
    get status(): number {
      return status;
    },
  };
}

export interface ListenOptions {
  /** Default `127.0.0.1`; `::1` and `localhost` work too. */
  host?: string | undefined;
  /** Default 0: the system picks a free port. */
  port?: number | undefined;
}

export interface RunningServer {
  /** Origin without a trailing slash. */
  readonly url: string;
  readonly port: number;
  /** Ends at once, open streams included. */
  close(): Promise<void>;
}

export async function listen(handler: RequestListener, options: ListenOptions = {}): Promise<RunningServer> {
  const host = options.host ?? "127.0.0.1";
  const server = createServer(handler);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  let closed: Promise<void> | undefined;
  return {
    port,
    url: `http://${host.includes(":") ? `[${host}]` : host}:${port}`,
    close: () => {
      closed ??= new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
      return closed;
    },
  };
}
