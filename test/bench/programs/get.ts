// Asks for a fresh token as often as it can.
import { TokenManager } from "mcp-oauth-client";
import { storeIn } from "../peers/file-store.ts";

export interface GetReport {
  /** Calls a second of processor time, a batch each. */
  readonly ratesByText: readonly number[];
  readonly ratesByUrl: readonly number[];
  /** For a call, after a collection. */
  readonly bytesKept: number;
}

const BATCH = 500_000;
const BATCHES = 9;

const { state, server } = JSON.parse(process.argv[2] ?? "") as { state: string; server: string };
const tokens = new TokenManager({ clientName: "bench", store: storeIn(state) });

async function rate(url: string | URL): Promise<number> {
  const before = process.cpuUsage();
  for (let call = 0; call < BATCH; call += 1) await tokens.get(url);
  const { user, system } = process.cpuUsage(before);
  return (BATCH / (user + system)) * 1e6;
}

function heapUsed(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

// Compiled, and past the first growth of everything that grows.
for (let batch = 0; batch < 3; batch += 1) await rate(server);
const before = heapUsed();
const ratesByText: number[] = [];
for (let batch = 0; batch < BATCHES; batch += 1) ratesByText.push(await rate(server));
const bytesKept = (heapUsed() - before) / (BATCH * BATCHES);
const url = new URL(server);
const ratesByUrl: number[] = [];
for (let batch = 0; batch < BATCHES; batch += 1) ratesByUrl.push(await rate(url));
const report: GetReport = { ratesByText, ratesByUrl, bytesKept };
process.send?.({ report });
