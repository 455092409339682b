import { atLeast, type Bench, type BenchOptions, type BenchResult, type Measure } from "../bench.ts";
import { measureOf, ownLine, type Samples } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import { start } from "../processes.ts";
import type { AttachSettings, Batch } from "../programs/attach.ts";
import { Scene } from "../scene.ts";
import { ratioOf } from "../statistics.ts";

const CONTESTANTS = ["ours", "sdk-v1", "static-header"] as const satisfies readonly PeerName[];
type Contestant = (typeof CONTESTANTS)[number];
type Batches = Record<Contestant, Batch[]>;
const SMALLEST_RATIO = 0.98;
/** Batches are short and many, so that what else the machine does meets all alike. */
const SIZE = { warmUpCalls: 1000, batches: 60, callsPerBatch: 25 };

/** One process: its contestants find what a sign-in before has stored. */
async function measureRound(scene: Scene, programs: string, server: string): Promise<Batches> {
  const states: Record<string, string> = {};
  for (const peer of CONTESTANTS) states[peer] = await scene.signedIn(peer, server);
  const settings: AttachSettings = { server, states, ...SIZE };
  const program = start(programs, "attach", { given: [JSON.stringify(settings)] });
  const report = await program.told((message) => message.report as Batches | undefined);
  await program.end();
  await scene.clear();
  return report;
}

async function measure(scene: Scene, answers: string, server: string, options: BenchOptions): Promise<Measure[]> {
  const batches: Batches = { ours: [], "sdk-v1": [], "static-header": [] };
  for (let round = 0; round < options.rounds; round += 1) {
    options.tell(`round ${round + 1}, answers as ${answers}`);
    const measured = await measureRound(scene, options.programs, server);
    for (const peer of CONTESTANTS) batches[peer].push(...measured[peer]);
  }
  const rates = (peer: Contestant): number[] => batches[peer].map(({ ms }) => (SIZE.callsPerBatch / ms) * 1000);
  const cpu = (peer: Contestant): number[] => batches[peer].map(({ cpuMs }) => cpuMs / SIZE.callsPerBatch);
  const all = (of: (peer: Contestant) => number[]): Samples =>
    Object.fromEntries(CONTESTANTS.map((peer) => [peer, of(peer)]));
  const ratio = ratioOf(rates("ours"), rates("static-header"));
  const target = atLeast(ratio.median, SMALLEST_RATIO, `at least ${SMALLEST_RATIO}`);
  return [
    measureOf("attach", `calls a second, answers as ${answers}`, "", all(rates)),
    ownLine("attach", `calls a second, answers as ${answers}, to a static header's`, "×", ratio, target),
    measureOf("attach", `processor time for a call, answers as ${answers}`, "ms", all(cpu)),
  ];
}

async function run(options: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(options.programs);
  try {
    return {
      measures: [
        ...(await measure(scene, "JSON", scene.servers[0], options)),
        ...(await measure(scene, "event streams", scene.streamingServer, options)),
      ],
    };
  } finally {
    await scene.close();
  }
}

export const attach: Bench = {
  name: "attach",
  about:
    "Tool calls one after the other over connected SDK v1 transports, with the token manager's fetch, with the SDK's own auth and with a static header: by turns in one process, a new one for each round; no delay.",
  run,
};
