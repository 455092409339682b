// Warm and expired starts: a new process that finds what an earlier one has stored.
import { setTimeout as sleep } from "node:timers/promises";
import type { Measure } from "../bench.ts";
import { measureOf, type Samples } from "../contestants.ts";
import { at, NETWORKS, type Network } from "../networks.ts";
import type { PeerName } from "../peers/index.ts";
import { isNotificationStream } from "../round-trips.ts";
import type { Scene } from "../scene.ts";
import { byTurns } from "../statistics.ts";

/** Marks lines about a host that tells the token manager of its server before it loads the SDK. */
export const BEGUN_FIRST = " begun first";

/** One start, until the first tool has answered. */
export interface MeasuredStart {
  readonly ms: number;
  /** Of those that the answer waited for: the SDKs' notification stream is beside. */
  readonly requests: number;
}

export interface StartsOptions<Name extends PeerName> {
  readonly bench: string;
  readonly contestants: readonly Name[];
  readonly rounds: number;
  /** How long the stored tokens live. */
  readonly tokenSeconds: number;
  /** Whether to wait until they have ended. */
  readonly waitForEnd: boolean;
  readonly tell: (progress: string) => void;
}

/** The starts over one network. */
export interface StartsOver<Name extends PeerName> {
  readonly network: Network;
  readonly starts: Record<Name, MeasuredStart[]>;
}

/** Signs each contestant in, and then starts it in a process of its own that has nothing but what was stored. */
export async function measureStarts<Name extends PeerName>(
  scene: Scene,
  options: StartsOptions<Name>,
): Promise<StartsOver<Name>[]> {
  const measured: StartsOver<Name>[] = [];
  for (const network of NETWORKS) measured.push({ network, starts: await measureOver(network, scene, options) });
  return measured;
}

async function measureOver<Name extends PeerName>(
  network: Network,
  scene: Scene,
  { contestants, rounds, tokenSeconds, waitForEnd, tell }: StartsOptions<Name>,
): Promise<Record<Name, MeasuredStart[]>> {
  const [server] = scene.servers;
  const states = new Map<string, string>();
  let preparedRound = -1;
  const prepare = async (round: number): Promise<void> => {
    preparedRound = round;
    // Used once each: a second use of a rotated refresh token would end the session.
    await scene.set({ delayMs: 0, accessTokenSeconds: tokenSeconds });
    await Promise.all(contestants.map(async (peer) => states.set(peer, await scene.signedIn(peer))));
    if (waitForEnd) await sleep(tokenSeconds * 1000 + 100);
    await scene.set({ delayMs: network.delayMs, accessTokenSeconds: 3600 });
  };
  return byTurns(rounds, contestants, async (peer, round) => {
    if (round !== preparedRound) await prepare(round);
    tell(`${at(network)}, round ${round + 1} of ${rounds}, ${peer}`);
    await scene.clear();
    const { sinceStartMs, answeredAt } = await scene.start({ peer, state: states.get(peer) ?? "", start: server });
    const requests = await scene.requests();
    const awaited = requests.filter((request) => !isNotificationStream(request) && request.startedAt < answeredAt);
    return { ms: sinceStartMs, requests: awaited.length };
  });
}

export function timesOf(starts: Readonly<Record<string, readonly MeasuredStart[]>>): Samples {
  return Object.fromEntries(Object.entries(starts).map(([peer, own]) => [peer, own.map(({ ms }) => ms)]));
}

/** The line about how many requests an answer waits for. */
export function requestsLine(bench: string, measured: readonly StartsOver<PeerName>[], most: number): Measure {
  const counts: Record<string, number[]> = {};
  for (const [peer, own] of measured.flatMap(({ starts }) => Object.entries(starts))) {
    counts[peer] = [...(counts[peer] ?? []), ...own.map(({ requests }) => requests)];
  }
  const reached = (counts.ours ?? []).every((count) => count <= most);
  return measureOf(bench, "requests", "", counts, { target: { must: `at most ${most}`, reached } });
}
