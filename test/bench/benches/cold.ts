import type { Bench, BenchOptions, BenchResult } from "../bench.ts";
import { bestRival, measureOf, ratioLine } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import type { SeenRequest } from "../programs/world.ts";
import { isNotificationStream, roundTrips } from "../round-trips.ts";
import { Scene } from "../scene.ts";
import { byTurns, summarize } from "../statistics.ts";

const CONTESTANTS = ["ours", "ours-default", "sdk-v1", "sdk-v2", "mcp-remote"] as const satisfies readonly PeerName[];
const DELAY_MS = 50;

/** One connection, with everything that the servers saw of it. Times are milliseconds from its start. */
export interface ColdStart {
  readonly ms: number;
  readonly requests: readonly SeenRequest[];
}

async function connectOnce(scene: Scene, peer: PeerName): Promise<ColdStart> {
  // mcp-remote keeps everything in files; the others keep everything in memory.
  const host = await scene.host({ peer, ...(peer === "mcp-remote" && { state: await scene.newState() }) });
  await scene.clear();
  const { startedAt, endedAt } = await host.ask("connect", scene.servers[0]);
  const requests = (await scene.requests()).map((request) => ({
    ...request,
    startedAt: request.startedAt - startedAt,
    endedAt: request.endedAt - startedAt,
  }));
  await host.leave();
  return { ms: endedAt - startedAt, requests };
}

/** What the connection waited for: the notification stream and what comes after it is beside. */
const awaited = ({ requests, ms }: ColdStart): SeenRequest[] =>
  requests.filter((request) => !isNotificationStream(request) && request.startedAt < ms);

/** The round that took the middle time: what a plot shows. */
function typical(starts: readonly ColdStart[]): ColdStart {
  const sorted = [...starts].sort((left, right) => left.ms - right.ms);
  const middle = sorted[Math.floor((sorted.length - 1) / 2)];
  if (middle === undefined) throw new Error("nothing was measured");
  return middle;
}

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs, { delayMs: DELAY_MS });
  try {
    const starts = await byTurns(rounds, CONTESTANTS, (peer, round) => {
      tell(`round ${round + 1} of ${rounds}, ${peer}`);
      return connectOnce(scene, peer);
    });
    const of = (count: (start: ColdStart) => number): Record<(typeof CONTESTANTS)[number], number[]> =>
      Object.fromEntries(CONTESTANTS.map((peer) => [peer, starts[peer].map(count)])) as never;
    const requests = of(({ requests }) => requests.length);
    const trips = of((start) => roundTrips(awaited(start)));
    const times = of(({ ms }) => ms);
    const [fewest, shortest] = [bestRival(requests).median, bestRival(trips).median];
    const most = summarize(requests.ours).high;
    const longest = summarize(trips.ours).high;
    return {
      measures: [
        measureOf("cold", "requests", "", requests, {
          target: { must: `at most ${fewest}, the best rival's`, reached: most <= fewest },
        }),
        measureOf("cold", "round trips", "", trips, {
          target: { must: `at most ${shortest - 1}, the best rival's less one`, reached: longest <= shortest - 1 },
        }),
        measureOf("cold", "time", "ms", times),
        ratioLine("cold", "time, to the best rival's", times.ours, bestRival(times).samples),
      ],
      data: Object.fromEntries(CONTESTANTS.map((peer) => [peer, typical(starts[peer])])),
    };
  } finally {
    await scene.close();
  }
}

export const cold: Bench = {
  name: "cold",
  about: `From nothing to a connected client, by registration and sign-in; ${DELAY_MS} ms for each request, nothing for the person.`,
  run,
};
