// Reads and writes a store of ours, by the interface that the token manager uses.
import { TokenManager, type TokenStore } from "mcp-oauth-client";
import { storeIn } from "../peers/file-store.ts";
import { keychainIn } from "../peers/keychain.ts";

export interface StoreReport {
  readonly readMs: readonly number[];
  readonly writeMs: readonly number[];
  readonly writeHundredMs: number;
  readonly readHundredMs: number;
  /** How often a token manager reads before its first token. */
  readonly readsAtStart: number;
}

const { peer, state, server, rounds } = JSON.parse(process.argv[2] ?? "") as {
  peer: "ours" | "ours-keychain";
  state: string;
  server: string;
  rounds: number;
};
const store = peer === "ours" ? storeIn(state) : keychainIn(state);

async function msOf(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

async function repeated(work: () => Promise<unknown>): Promise<number[]> {
  const samples: number[] = [];
  for (let round = 0; round < rounds * 3; round += 1) samples.push(await msOf(work));
  return samples;
}

async function write(key: string, value: string): Promise<void> {
  const lock = await store.lock(key);
  try {
    await store.set(key, value, lock);
  } finally {
    await lock.release();
  }
}

let readsAtStart = 0;
const counting: TokenStore = {
  kind: store.kind,
  get: (key) => {
    readsAtStart += 1;
    return store.get(key);
  },
  set: (key, value, lock) => store.set(key, value, lock),
  delete: (key, lock) => store.delete(key, lock),
  keys: () => store.keys(),
  lock: (key, options) => store.lock(key, options),
};
await new TokenManager({ clientName: "bench", store: counting }).get(server);

const key = `session/default/${server}`;
const value = (await store.get(key))?.value;
if (value === undefined) throw new Error("nothing was stored");
const readMs = await repeated(() => store.get(key));
const writeMs = await repeated(() => write(key, value));
const hundred = Array.from({ length: 100 }, (_, index) => `session/default/https://server-${index}.example.com/mcp`);
const writeHundredMs = await msOf(async () => {
  for (const each of hundred) await write(each, value);
});
const readHundredMs = await msOf(async () => {
  for (const each of hundred) await store.get(each);
});
const report: StoreReport = { readMs, writeMs, writeHundredMs, readHundredMs, readsAtStart };
process.send?.({ report });
