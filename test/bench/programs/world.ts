// Everything around the client: an authorization server, protected MCP servers, and the person with their browser.
import type { IncomingMessage, ServerResponse } from "node:http";
import { type RunningAuthorizationServer, startAuthorizationServer } from "../../servers/authorization-server.ts";
import { type RunningProtectedMcpServer, startProtectedMcpServer } from "../../servers/protected-mcp-server.ts";
import type { LoggedRequest } from "../../servers/request-log.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { answer } from "./answering.ts";

export interface WorldSettings {
  /** How long each request of a client is under way before the server looks at it. The person's browser is not held up. */
  readonly delayMs: number;
  readonly accessTokenSeconds: number;
}

/** A request as the servers saw it. Times are milliseconds since the epoch, with fractions. */
export interface SeenRequest {
  readonly server: string;
  readonly method: string;
  readonly path: string;
  /** Of an MCP message. */
  readonly rpc?: string;
  readonly status: number;
  /** When it came in. */
  readonly startedAt: number;
  /** When the headers of the answer were sent. */
  readonly endedAt: number;
  /** Whether it was the person's browser. */
  readonly isPerson: boolean;
  /** Of a token request. */
  readonly grant?: string;
}

interface Noted {
  readonly server: string;
  readonly logged: LoggedRequest;
  readonly startedAt: number;
  endedAt: number;
}

type Running = RunningAuthorizationServer | RunningProtectedMcpServer;

const now = (): number => performance.timeOrigin + performance.now();
const isPerson = ({ headers }: { headers: IncomingMessage["headers"] }): boolean =>
  headers["sec-fetch-mode"] === "navigate";
let settings: WorldSettings = { delayMs: 0, accessTokenSeconds: 3600 };
let noted: Noted[] = [];
let visits: Promise<unknown>[] = [];

const as = await startAuthorizationServer();
const startMcp = (answers: "JSON" | "event streams"): Promise<RunningProtectedMcpServer> =>
  startProtectedMcpServer({
    sdk: "v1",
    jsonResponse: answers === "JSON",
    verifyAccessToken: as.verifyAccessToken,
    authorizationServers: [as.issuer],
  });
const servers = [await startMcp("JSON"), await startMcp("JSON"), await startMcp("event streams")];

/** Writes down when a request came and was answered, and holds it up on its way in. */
function watch(name: string, running: Running): void {
  running.respond(
    () => true,
    (request: IncomingMessage, response: ServerResponse, next: () => void) => {
      const logged = running.log.requests.at(-1);
      if (logged === undefined) throw new Error("a request that was not logged");
      const entry: Noted = { server: name, logged, startedAt: now(), endedAt: 0 };
      noted.push(entry);
      const { writeHead } = response;
      response.writeHead = function (this: ServerResponse, ...given: never[]) {
        entry.endedAt ||= now();
        return Reflect.apply(writeHead, this, given) as ServerResponse;
      } as typeof response.writeHead;
      if (settings.delayMs === 0 || isPerson(request)) next();
      else setTimeout(next, settings.delayMs);
    },
  );
}
watch("authorization server", as);
for (const [index, server] of servers.entries()) watch(`MCP server ${index + 1}`, server);

function rpcOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { method?: string }).method;
  } catch {
    return undefined;
  }
}

function seen({ server, logged, startedAt, endedAt }: Noted): SeenRequest {
  const { method, path, status, body } = logged;
  const rpc = server.startsWith("MCP") && method === "POST" ? rpcOf(body) : undefined;
  const grant = path === "/token" ? (new URLSearchParams(body).get("grant_type") ?? undefined) : undefined;
  return {
    server,
    method,
    path,
    status,
    startedAt,
    endedAt,
    isPerson: isPerson(logged),
    ...(rpc !== undefined && { rpc }),
    ...(grant !== undefined && { grant }),
  };
}

const methods = {
  urls: (): string[] => servers.map(({ url }) => url.href),

  set(changes: Partial<WorldSettings>): void {
    settings = { ...settings, ...changes };
    as.setAccessTokenSeconds(settings.accessTokenSeconds);
  },

  /** Forgets the requests seen so far. */
  clear(): void {
    noted = [];
    as.log.clear();
    for (const { log } of servers) log.clear();
  },

  /** All requests since, in the order in which they came; waits until no more come. */
  async requests(): Promise<SeenRequest[]> {
    await Promise.all(visits);
    visits = [];
    const quietMs = settings.delayMs + 100;
    while (now() - Math.max(0, ...noted.map(({ startedAt }) => startedAt)) < quietMs) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return noted.map(seen);
  },

  /** The person opens an address in their browser and says yes to everything. */
  open(url: string): void {
    visits.push(new UserAgent().open(url));
  },
};

answer(methods);
process.send?.({ ready: true });

export type WorldMethods = typeof methods;
