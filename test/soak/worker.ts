// One host among several that share a store: sends requests without a pause to speak of, and tells what came of them.
import { setTimeout as pause } from "node:timers/promises";
import { findMcpOAuthError, TokenManager } from "mcp-oauth-client";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";
import { Chance } from "./chance.ts";
import { type Measure, measure } from "./measure.ts";

export interface WorkerSettings {
  readonly directory: string;
  /** Base64. */
  readonly key: string;
  readonly seed: number;
  readonly servers: readonly string[];
  readonly accounts: readonly string[];
}

/** `measure`: stand still and say what is held. `leave`: close, and end by yourself. */
export type WorkerOrder = "measure" | "leave";

export type WorkerReport =
  | { readonly measured: Measure }
  | { readonly trouble: string }
  /** Since the last report: how often each outcome and event came. */
  | { readonly outcomes: Record<string, number>; readonly events: Record<string, number> };

const CLIENTS = 6;
const REPORT_EVERY_MS = 2000;

const settings = JSON.parse(process.argv[2] ?? "") as WorkerSettings;
const say = (report: WorkerReport): void => void process.send?.(report);
for (const kind of ["unhandledRejection", "uncaughtException", "warning"]) {
  process.on(kind, (reason: unknown) =>
    say({ trouble: `${kind}: ${reason instanceof Error ? reason.stack : reason}` }),
  );
}

const chance = new Chance(settings.seed);
let outcomes: Record<string, number> = {};
let events: Record<string, number> = {};
let isPaused = false;
let isOver = false;

function tell(): void {
  say({ outcomes, events });
  outcomes = {};
  events = {};
}

async function request(tokens: TokenManager): Promise<string> {
  const server = chance.oneOf(settings.servers);
  const account = chance.oneOf(settings.accounts);
  const kind = chance.fraction();
  try {
    if (kind < 0.15) {
      await tokens.get(server, { account });
      return "token";
    }
    // Some callers lose patience, which must not concern the others.
    const signal = kind < 0.25 ? AbortSignal.timeout(chance.between(1, 60)) : null;
    const response = await tokens.fetch(server, { account })(server, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }),
      signal,
    });
    await response.text();
    return String(response.status);
  } catch (error) {
    return findMcpOAuthError(error)?.code ?? (error as Error).name;
  }
}

async function client(tokens: TokenManager): Promise<void> {
  while (!isOver) {
    if (!isPaused) {
      const outcome = await request(tokens);
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    await pause(chance.between(20, 180));
  }
}

// Whoever started this has gone: nobody wants to know any more.
process.on("disconnect", () => {
  if (!isOver) process.exit(1);
});
process.on("message", (order: WorkerOrder) => {
  if (order === "leave") void leave();
  else void standStill().then((measured) => say({ measured }));
});
// With its connection to the one who gives orders, which stays.
const first = await measure();
const tokens = new TokenManager({
  clientName: "Soak",
  store: encryptedFileStore({ directory: settings.directory, key: Buffer.from(settings.key, "base64") }),
  interactive: false,
  requestTimeoutMs: 5000,
});
tokens.on("*", ({ type }) => {
  events[type] = (events[type] ?? 0) + 1;
});
const clients = Promise.all(Array.from({ length: CLIENTS }, () => client(tokens)));
const reporting = setInterval(tell, REPORT_EVERY_MS);

async function standStill(): Promise<Measure> {
  isPaused = true;
  // Longer than any request may take.
  await pause(6500);
  const measured = await measure();
  isPaused = false;
  return measured;
}

async function leave(): Promise<void> {
  isOver = true;
  clearInterval(reporting);
  await clients;
  await tokens.close();
  // Connections that are kept for the next request are given up after a few seconds.
  await pause(6500);
  tell();
  say({ measured: await measure() });
  process.disconnect();
}

say({ measured: first });
