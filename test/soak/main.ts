// npm run soak: hosts and servers under random faults, for as long as one likes.
//   npm run soak                              10 minutes
//   npm run soak -- --minutes 2 --seed 7
//   npm run soak -- --no-kills                nobody is killed
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { findMcpOAuthError, TokenManager } from "mcp-oauth-client";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";
import { Chance } from "./chance.ts";
import { FaultyWay } from "./faults.ts";
import { FlakyServer } from "./flaky-server.ts";
import { Hosts } from "./hosts.ts";
import { boundsOf, type Soaked, tableOf } from "./report.ts";

const SERVERS = 20;
const ACCOUNTS = ["default", "work", "wörk/2"];
/** With this and the faults, a session stays below the ten refreshes a minute that the library allows itself. */
const ACCESS_TOKEN_SECONDS = 14;
const SHARE_OF_FAULTS = 0.15;

interface Settings {
  readonly minutes: number;
  readonly seed: number;
  readonly kills: boolean;
  readonly program: string;
}

interface Store {
  readonly directory: string;
  readonly key: string;
}

function openStore({ directory, key }: Store) {
  return encryptedFileStore({ directory, key: Buffer.from(key, "base64") });
}

async function signInEverywhere(store: Store, servers: readonly FlakyServer[]): Promise<void> {
  const tokens = new TokenManager({
    clientName: "Soak",
    store: openStore(store),
    openBrowser: (url) => void fetch(url).then((page) => page.text()),
  });
  for (const { url } of servers) for (const account of ACCOUNTS) await tokens.signIn(url, { account });
  await tokens.close();
}

/** Refreshes a session. After many refreshes within a minute the library may ask for a pause, which is no loss. */
async function refresh(tokens: TokenManager, url: string, account: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await tokens.get(url, { account, minTtlSeconds: ACCESS_TOKEN_SECONDS });
      return;
    } catch (error) {
      const { code, retryAfterMs } = findMcpOAuthError(error) ?? {};
      if (code !== "refresh_failed" || attempt === 3) throw error;
      await pause(retryAfterMs ?? 1000);
    }
  }
}

/** The sessions that a newcomer cannot refresh, when nothing goes wrong any more. */
async function lostSessions(store: Store, servers: readonly FlakyServer[]): Promise<string[]> {
  const tokens = new TokenManager({ clientName: "Soak", store: openStore(store), interactive: false });
  const sessions = servers.flatMap(({ url }) => ACCOUNTS.map((account) => ({ url, account })));
  const lost: string[] = [];
  const check = ({ url, account }: (typeof sessions)[number]): Promise<unknown> =>
    refresh(tokens, url, account).catch((error: Error) => lost.push(`${account} at ${url}: ${error.message}`));
  await Promise.all(sessions.map(check));
  await tokens.close();
  return lost;
}

async function countFiles(directory: string): Promise<{ files: number; damaged: number }> {
  const names = await readdir(directory, { recursive: true });
  return { files: names.length, damaged: names.filter((name) => name.includes("damaged")).length };
}

/** Restarts a server, and kills a process, every few seconds until the time is over. */
async function disturb(until: number, chance: Chance, servers: readonly FlakyServer[], kill: () => Promise<void>) {
  let nextKill = Date.now() + 5000;
  while (Date.now() < until) {
    await pause(chance.between(500, 3000));
    await chance.oneOf(servers).restart(chance.between(50, 1500));
    if (Date.now() < nextKill) continue;
    await kill();
    nextKill = Date.now() + chance.between(5000, 15_000);
  }
}

async function soak({ minutes, seed, kills, program }: Settings, store: Store): Promise<Soaked> {
  const way = new FaultyWay(new Chance(seed));
  const options = { way, accessTokenSeconds: ACCESS_TOKEN_SECONDS };
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => FlakyServer.start(options)));
  await signInEverywhere(store, servers);
  const before = await countFiles(store.directory);
  const urls = servers.map(({ url }) => url);
  const hosts = await Hosts.start(program, (index) => ({
    ...store,
    seed: seed + index,
    servers: urls,
    accounts: ACCOUNTS,
  }));
  const endsAt = Date.now() + minutes * 60_000;
  way.share = SHARE_OF_FAULTS;
  const disturbing = disturb(endsAt, new Chance(seed + 1000), servers, async () => {
    if (kills) await hosts.killOne();
  });
  await pause((minutes * 60_000) / 4);
  await hosts.measure();
  await disturbing;
  await hosts.measure();
  way.share = 0;
  await hosts.leave();
  const lost = await lostSessions(store, servers);
  const after = await countFiles(store.directory);
  await Promise.all(servers.map((server) => server.close()));
  const sum = (of: (server: FlakyServer) => number): number => servers.reduce((total, each) => total + of(each), 0);
  return {
    minutes,
    sessions: SERVERS * ACCOUNTS.length,
    faults: way.counts,
    restarts: sum(({ restarts }) => restarts),
    refreshes: sum(({ refreshes }) => refreshes),
    repeats: sum(({ repeats }) => repeats),
    needlessRepeats: sum(({ needlessRepeats }) => needlessRepeats),
    refusals: sum(({ refusals }) => refusals),
    lost,
    before,
    after,
    ...hosts.outcome,
  };
}

/**
 * @param folder where the bundled worker lies, and where the store may be.
 * @returns the exit code.
 */
export async function main(programArguments: readonly string[], folder: string): Promise<number> {
  const { values } = parseArgs({
    args: [...programArguments],
    allowNegative: true,
    options: {
      minutes: { type: "string", default: "10" },
      seed: { type: "string" },
      kills: { type: "boolean", default: true },
    },
  });
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
  const minutes = Number(values.minutes);
  console.log(`${minutes} minutes, seed ${seed}`);
  const store = { directory: join(folder, "store"), key: randomBytes(32).toString("base64") };
  const program = join(folder, "worker.mjs");
  const soaked = await soak({ minutes, seed, kills: values.kills, program }, store);
  const bounds = boundsOf(soaked);
  console.log(tableOf(soaked, bounds));
  return bounds.every(({ holds }) => holds) ? 0 : 1;
}
