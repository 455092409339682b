// A host in a process or thread of its own, over a store that it shares with others. Does what it is told by messages.
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import { encryptedFileStore } from "../../../../src/adapters/encrypted-file/store.ts";
import { keychainStore } from "../../../../src/adapters/keychain/store.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { TokenManager } from "../../../../src/token-manager.ts";

/** Which store is shared. */
export interface HostSettings {
  readonly store: { directory: string; key: string } | { directory: string; service: string };
  readonly server: string;
  /** How many token managers there are; requests are spread over them. Default 1. */
  readonly managers?: number;
}

/** What the program is told to do. */
export type HostOrder =
  | { signIn: true }
  /** Sends so many requests at once, at a time that is so much later than it really is. */
  | { requests: number; laterMs: number }
  | { leave: true };

/** What it says. */
export type HostReport =
  | { ready: true }
  | { opened: string }
  | { signedIn: true }
  /** How many requests ended with each status or error code, and the events of this round. */
  | { outcomes: Record<string, number>; events: Record<string, number> };

const settings = (isMainThread ? JSON.parse(process.argv[2] ?? "") : workerData) as HostSettings;
const say = (report: HostReport): void => void (parentPort?.postMessage(report) ?? process.send?.(report));

let laterMs = 0;
let events: Record<string, number> = {};
const managers = Array.from({ length: settings.managers ?? 1 }, () => {
  const { store } = settings;
  const tokens = new TokenManager({
    clientName: "Program",
    store:
      "key" in store
        ? encryptedFileStore({ directory: store.directory, key: Buffer.from(store.key, "base64") })
        : keychainStore({ directory: store.directory, service: store.service }),
    clock: { ...systemClock, now: () => Date.now() + laterMs },
    openBrowser: (url) => say({ opened: url.href }),
  });
  tokens.on("*", ({ type }) => {
    events[type] = (events[type] ?? 0) + 1;
  });
  return tokens;
});

async function send(id: number): Promise<string> {
  const tokens = managers[id % managers.length];
  try {
    const response = await tokens?.fetch(settings.server)(settings.server, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify({ jsonrpc: "2.0", id, method: "ping" }),
    });
    await response?.text();
    return String(response?.status);
  } catch (error) {
    return String((error as { code?: string }).code ?? error);
  }
}

async function obey(order: HostOrder): Promise<void> {
  if ("signIn" in order) {
    await managers[0]?.signIn(settings.server);
    events = {};
    say({ signedIn: true });
  } else if ("requests" in order) {
    laterMs = order.laterMs;
    const outcomes: Record<string, number> = {};
    for (const outcome of await Promise.all(Array.from({ length: order.requests }, (_, id) => send(id)))) {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    }
    say({ outcomes, events });
    events = {};
  } else {
    for (const tokens of managers) await tokens.close();
    if (isMainThread) process.disconnect();
    else parentPort?.close();
  }
}

if (isMainThread) process.on("message", (order) => void obey(order as HostOrder));
else parentPort?.on("message", (order) => void obey(order as HostOrder));
say({ ready: true });
