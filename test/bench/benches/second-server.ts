import type { Bench, BenchOptions, BenchResult } from "../bench.ts";
import { bestRival, measureOf, ratioLine } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import { Scene } from "../scene.ts";
import { byTurns, summarize } from "../statistics.ts";

const CONTESTANTS = ["ours", "ours-default", "sdk-v1", "sdk-v2"] as const satisfies readonly PeerName[];
const DELAY_MS = 50;
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

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs, { delayMs: DELAY_MS });
  try {
    const seconds = await byTurns(rounds, CONTESTANTS, (peer, round) => {
      tell(`round ${round + 1} of ${rounds}, ${peer}`);
      return connectSecond(scene, peer);
    });
    const of = (pick: keyof Second): Record<(typeof CONTESTANTS)[number], number[]> =>
      Object.fromEntries(CONTESTANTS.map((peer) => [peer, seconds[peer].map((second) => second[pick])])) as never;
    const [requests, times] = [of("requests"), of("ms")];
    return {
      measures: [
        measureOf("second server", "requests", "", requests, {
          target: { must: `at most ${MOST_REQUESTS}`, reached: summarize(requests.ours).high <= MOST_REQUESTS },
        }),
        measureOf("second server", "time", "ms", times),
        ratioLine("second server", "time, to the best rival's", times.ours, bestRival(times).samples, LARGEST_RATIO),
      ],
    };
  } finally {
    await scene.close();
  }
}

export const secondServer: Bench = {
  name: "second-server",
  about: `The same process connects to another server of the same issuer, with a sign-in; ${DELAY_MS} ms for each request.`,
  run,
};
