// What both servers were asked, taken from their own logs, so that the demo believes nobody's word.
import { setTimeout as sleep } from "node:timers/promises";
import type { LoggedRequest, RequestLog } from "../../test/servers/request-log.ts";

export interface Asked {
  /** Who sent it: the MCP client with the library, the browser, or the demo itself to check something. */
  readonly by: "client" | "browser" | "demo";
  /** For example `POST auth server /token 200`. */
  readonly text: string;
  /** When it arrived, in milliseconds since the epoch. */
  readonly at: number;
}

/** The user agent of the demo's own requests, so that nobody takes them for the client's. */
export const DEMO_USER_AGENT = "demo";

const PATIENCE_MS = 5000;

export class Journal {
  readonly #logs: Readonly<Record<string, RequestLog>>;
  readonly #read = new Map<RequestLog, number>();
  readonly #totals = { client: 0, browser: 0, demo: 0 };

  /** @param logs each by the name of its server. */
  constructor(logs: Readonly<Record<string, RequestLog>>) {
    this.#logs = logs;
  }

  /** How many requests have been taken, by who sent them. */
  get totals(): Readonly<Record<Asked["by"], number>> {
    return this.#totals;
  }

  /** The requests that were answered since the last call, in their order. */
  take(): Asked[] {
    const asked: Asked[] = [];
    for (const [server, log] of Object.entries(this.#logs)) {
      const news = log.requests.slice(this.#read.get(log) ?? 0);
      this.#read.set(log, log.requests.length);
      asked.push(...news.map((request) => describe(server, request)));
    }
    for (const { by } of asked) this.#totals[by] += 1;
    return asked.sort((left, right) => left.at - right.at);
  }

  /** Waits for requests of the client that nobody waits for, such as the one for the stream of notifications. */
  async arrived(count: number): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    while (this.#unreadAnswers() < count && Date.now() < deadline) await sleep(2);
  }

  #unreadAnswers(): number {
    const unread = Object.values(this.#logs).flatMap((log) => log.requests.slice(this.#read.get(log) ?? 0));
    return unread.filter((request) => request.status !== 0 && senderOf(request) === "client").length;
  }
}

function senderOf({ headers }: LoggedRequest): Asked["by"] {
  const agent = headers["user-agent"] ?? "";
  if (agent === DEMO_USER_AGENT) return "demo";
  return agent.startsWith("Mozilla/") ? "browser" : "client";
}

function describe(server: string, request: LoggedRequest): Asked {
  const { method, path, status, at } = request;
  return { by: senderOf(request), text: `${method} ${server} ${path} ${status}`, at };
}
