// Holds very many credentials through an hour in which each is refreshed once.
import { createHash } from "node:crypto";
import { type Clock, type LockHandle, TokenManager, type TokenStore } from "mcp-oauth-client";
import { storeIn } from "../peers/file-store.ts";

export interface ManyReport {
  /** For each credential, when all are loaded. */
  readonly bytes: number;
  /** The same when all have been refreshed. */
  readonly bytesAfterwards: number;
  /** The most that were set while nothing was under way. */
  readonly timers: number;
  readonly refreshed: number;
  readonly refreshMs: number;
}

const HOUR_MS = 3_600_000;
const STEP_MS = 1000;
const LIFETIME_MS = 1.5 * HOUR_MS;
const REFRESH_AT = 0.8;
const REHEARSED = 3000;

const { state, server, count } = JSON.parse(process.argv[2] ?? "") as { state: string; server: string; count: number };

/** Time that goes on when it is told to. */
class SimulatedClock implements Clock {
  #now = Date.now();
  readonly timers = new Set<{ at: number; callback: () => void }>();

  now(): number {
    return this.#now;
  }

  schedule(callback: () => void, delayMs: number): () => void {
    const timer = { at: this.#now + delayMs, callback };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of this.timers) {
      if (timer.at > this.#now) continue;
      this.timers.delete(timer);
      timer.callback();
    }
  }
}

const clock = new SimulatedClock();
/** The same for the same name, so that what is read twice is the same. */
const opaqueToken = (name: string): string => createHash("sha256").update(name).digest("base64url");
const urlOf = (index: number): string => `https://server-${index}.example.com/mcp`;
const indexOf = (key: string): number => Number(/server-(\d+)/.exec(key)?.[1]);

/** What a sign-in has really stored, to be changed in what differs from one session to the next. */
async function realRecord(): Promise<{ credentials: Record<string, unknown>[] }> {
  const store = storeIn(state);
  const key = (await store.keys()).find((name) => name.startsWith("session/") && name.endsWith(server));
  const record = key === undefined ? undefined : await store.get(key);
  await store.close?.();
  if (record === undefined) throw new Error("nothing was stored");
  return JSON.parse(record.value);
}

const template = await realRecord();
/** When the hour begins in which they become due. */
let startedAt = clock.now();

/** A session as it would be stored; due at its own moment within the hour. */
function storedSession(index: number): string {
  const dueAt = startedAt + (((index % count) + 1) / (count + 1)) * HOUR_MS;
  const issuedAt = dueAt - LIFETIME_MS * REFRESH_AT;
  const changes = {
    resource: urlOf(index),
    accessToken: opaqueToken(`access ${index}`),
    refreshToken: opaqueToken(`refresh ${index}`),
    issuedAt,
    signedInAt: issuedAt,
    expiresAt: issuedAt + LIFETIME_MS,
  };
  const credentials = template.credentials.map((credential) => ({ ...credential, ...changes }));
  return JSON.stringify({ ...template, server: urlOf(index), credentials });
}

const neverLost = new AbortController().signal;
/** Refreshes under way: each holds its session's lock. */
let underWay = 0;

/** A store that invents what is read and forgets what is written: its memory is not what is measured. */
const inventedStore: TokenStore = {
  kind: "invented",
  get: async (key) => (key.startsWith("session/") ? { value: storedSession(indexOf(key)), fence: 1 } : undefined),
  set: async () => undefined,
  delete: async () => undefined,
  keys: async () => [],
  lock: async (): Promise<LockHandle> => {
    underWay += 1;
    const release = async (): Promise<void> => {
      underWay -= 1;
    };
    return { fence: 2, lost: neverLost, release };
  },
};

let refreshed = 0;
/** The network: an authorization server that answers at once. */
const answeringFetch: typeof fetch = async () => {
  refreshed += 1;
  return Response.json({
    access_token: opaqueToken(`new access ${refreshed}`),
    refresh_token: opaqueToken(`new refresh ${refreshed}`),
    token_type: "Bearer",
    expires_in: 86_400,
  });
};

/**
 * What is held when nothing more can be collected: some of it is let go of only after a turn of the event loop, and code
 * that is not used only after several collections.
 */
async function heapUsed(): Promise<number> {
  for (let collections = 0; collections < 15; collections += 1) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    globalThis.gc?.();
  }
  return process.memoryUsage().heapUsed;
}

/** Waits until nothing is under way any more. */
async function settled(): Promise<void> {
  do await new Promise((resolve) => setImmediate(resolve));
  while (underWay > 0);
}

const newManager = (): TokenManager =>
  new TokenManager({ clientName: "bench", store: inventedStore, clock, fetch: answeringFetch, refreshAt: REFRESH_AT });

/** The hour in which all become due, and what comes of it. @returns the most timers that were set at a time. */
async function passTheHour(): Promise<number> {
  let timers = 0;
  for (let passed = 0; passed < HOUR_MS * 1.2; passed += STEP_MS) {
    clock.advance(STEP_MS);
    await settled();
    timers = Math.max(timers, clock.timers.size);
  }
  return timers;
}

/** What is loaded and compiled once, however much there is to hold, is there before it counts: for refreshes too. */
async function rehearse(): Promise<void> {
  const rehearsal = newManager();
  for (let index = 0; index < REHEARSED; index += 1) await rehearsal.get(urlOf(count + index));
  await passTheHour();
  await rehearsal.close();
  if (refreshed !== REHEARSED) throw new Error(`${refreshed} of ${REHEARSED} were refreshed in the rehearsal`);
}

await rehearse();
startedAt = clock.now();
const tokens = newManager();
const before = await heapUsed();
for (let index = 0; index < count; index += 1) await tokens.get(urlOf(index));
const loaded = await heapUsed();

refreshed = 0;
const cpu = process.cpuUsage();
const timers = Math.max(clock.timers.size, await passTheHour());
const { user, system } = process.cpuUsage(cpu);
const afterwards = await heapUsed();
const report: ManyReport = {
  bytes: (loaded - before) / count,
  bytesAfterwards: (afterwards - before) / count,
  timers,
  refreshed,
  refreshMs: (user + system) / 1000 / refreshed,
};
process.send?.({ report });
