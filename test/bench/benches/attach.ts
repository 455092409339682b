import { atLeast, type Bench, type BenchOptions, type BenchResult } from "../bench.ts";
import { measureOf, ownLine } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import type { Batch } from "../programs/host.ts";
import { Scene } from "../scene.ts";
import { byTurns, ratioOf } from "../statistics.ts";

const CONTESTANTS = ["ours", "static-header"] as const satisfies readonly PeerName[];
const CALLS = 25;
/** Batches are short and many, so that what else the machine does meets both alike. */
const BATCHES_PER_ROUND = 25;
const SMALLEST_RATIO = 0.98;

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs);
  try {
    const hosts = {
      ours: await scene.host({ peer: "ours" }),
      "static-header": await scene.host({ peer: "static-header", state: await scene.signedIn("static-header") }),
    };
    for (const host of Object.values(hosts)) {
      await host.ask("connect", scene.servers[0]);
      await host.ask("batch", 20 * CALLS);
    }
    const batches = await byTurns(rounds * BATCHES_PER_ROUND, CONTESTANTS, (peer, round): Promise<Batch> => {
      tell(`batch ${round + 1}, ${peer}`);
      return hosts[peer].ask("batch", CALLS);
    });
    const rates = (peer: (typeof CONTESTANTS)[number]): number[] => batches[peer].map(({ ms }) => (CALLS / ms) * 1000);
    const cpu = (peer: (typeof CONTESTANTS)[number]): number[] => batches[peer].map(({ cpuMs }) => cpuMs / CALLS);
    const ratio = ratioOf(rates("ours"), rates("static-header"));
    return {
      measures: [
        measureOf("attach", "calls a second", "", { ours: rates("ours"), "static-header": rates("static-header") }),
        ownLine(
          "attach",
          "calls a second, to a static header's",
          "×",
          ratio,
          atLeast(ratio.median, SMALLEST_RATIO, `at least ${SMALLEST_RATIO}`),
        ),
        measureOf("attach", "processor time for a call", "ms", {
          ours: cpu("ours"),
          "static-header": cpu("static-header"),
        }),
      ],
    };
  } finally {
    await scene.close();
  }
}

export const attach: Bench = {
  name: "attach",
  about:
    "Tool calls one after the other over a connected SDK v1 transport, with the token manager's fetch and with a static header, in two processes by turns; no delay.",
  run,
};
