import { atLeast, atMost, type Bench, type BenchOptions, type BenchResult } from "../bench.ts";
import { ownLine } from "../contestants.ts";
import { start } from "../processes.ts";
import type { GetReport } from "../programs/get.ts";
import { Scene } from "../scene.ts";
import { summarize } from "../statistics.ts";

const SMALLEST_RATE = 3e6;
/** Less than a hundredth of a byte is what the heap's own housekeeping amounts to over millions of calls. */
const MOST_BYTES_KEPT = 0.01;

async function run({ programs, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs);
  try {
    const state = await scene.signedIn("ours");
    tell("millions of calls");
    const given = [JSON.stringify({ state, server: scene.servers[0] })];
    const program = start(programs, "get", { given, flags: ["--expose-gc"] });
    const report = await program.told((message) => message.report as GetReport | undefined);
    await program.end();
    const rate = summarize(report.ratesByText);
    return {
      measures: [
        ownLine(
          "get",
          "calls a second of one core",
          "",
          rate,
          atLeast(rate.median, SMALLEST_RATE, `at least ${SMALLEST_RATE.toLocaleString("en")}`),
        ),
        ownLine("get", "the same with a URL object", "", summarize(report.ratesByUrl)),
        ownLine(
          "get",
          "memory kept for a call",
          "bytes",
          Math.max(report.bytesKept, 0),
          atMost(report.bytesKept, MOST_BYTES_KEPT, `below ${MOST_BYTES_KEPT}`),
        ),
      ],
    };
  } finally {
    await scene.close();
  }
}

export const get: Bench = {
  name: "get",
  about:
    "`await tokens.get(url)` in a loop, on a fresh token that was read from an encrypted file; a second is one of processor time.",
  run,
};
