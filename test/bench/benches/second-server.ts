import type { Bench, BenchOptions, BenchResult, Measure } from "../bench.ts";
import { bestRival, measureOf, ratioLine } from "../contestants.ts";
import { at, EACH_REQUEST, limitAt, NETWORKS, type Network } from "../networks.ts";
import type { PeerName } from "../peers/index.ts";
import { Scene } from "../scene.ts";
import { byTurns } from "../statistics.ts";

const CONTESTANTS = ["ours", "ours-default", "sdk-v1", "sdk-v2"] as const satisfies readonly PeerName[];
const MOST_REQUESTS = 6;
const LARGEST_RATIO = 0.7;

interface Second {
  readonly ms: number;
  readonly requests: number;
}

async function connectSecond(scene: Scene, peer: PeerName): Promise<Second> {
  const host = await scene.host({ peer });
  await host.ask("connect", scene.servers[0]);
  await scene.requests();
  await scene.clear();
  const { startedAt, endedAt } = await host.ask("connect", scene.servers[1]);
  const requests = await scene.requests();
  await host.leave();
  return { ms: endedAt - startedAt, requests: requests.length };
}

type Seconds = Record<(typeof CONTESTANTS)[number], Second[]>;
type Numbers = Record<(typeof CONTESTANTS)[number], number[]>;

function numbersOf(seconds: Seconds, pick: keyof Second): Numbers {
  return Object.fromEntries(CONTESTANTS.map((peer) => [peer, seconds[peer].map((second) => second[pick])])) as never;
}

function timesOver(network: Network, seconds: Seconds): Measure[] {
  const times = numbersOf(seconds, "ms");
  const ratio = `time ${at(network)}, to the best rival's`;
  return [
    measureOf("second server", `time ${at(network)}`, "ms", times),
    ratioLine("second server", ratio, times.ours, bestRival(times).samples, limitAt(network, LARGEST_RATIO)),
  ];
}

function requestsLine(seconds: Seconds): Measure {
  const requests = numbersOf(seconds, "requests");
  const reached = requests.ours.every((count) => count <= MOST_REQUESTS);
  return measureOf("second server", "requests", "", requests, {
    target: { must: `at most ${MOST_REQUESTS}`, reached },
  });
}

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs);
  const all: Seconds = { ours: [], "ours-default": [], "sdk-v1": [], "sdk-v2": [] };
  const times: Measure[] = [];
  try {
    for (const network of NETWORKS) {
      await scene.set({ delayMs: network.delayMs });
      const seconds = await byTurns(rounds, CONTESTANTS, (peer, round) => {
        tell(`${at(network)}, round ${round + 1} of ${rounds}, ${peer}`);
        return connectSecond(scene, peer);
      });
      for (const peer of CONTESTANTS) all[peer].push(...seconds[peer]);
      times.push(...timesOver(network, seconds));
    }
    return { measures: [requestsLine(all), ...times] };
  } finally {
    await scene.close();
  }
}

export const secondServer: Bench = {
  name: "second-server",
  about: `The same process connects to another server of the same issuer, with a sign-in; ${EACH_REQUEST}.`,
  run,
};
