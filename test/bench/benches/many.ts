import { atMost, type Bench, type BenchOptions, type BenchResult, type Measure } from "../bench.ts";
import { ownLine } from "../contestants.ts";
import { start } from "../processes.ts";
import type { ManyReport } from "../programs/many.ts";
import { Scene } from "../scene.ts";
import { type Summary, summarize } from "../statistics.ts";

const SIZES = [1000, 10_000, 100_000] as const;
/** Of few credentials, what the engine holds for itself is a large part, and differs from one process to the next. */
const PROCESSES = { 1000: 5, 10000: 3, 100000: 1 } as const;
const MOST_BYTES = 1536;

async function run({ programs, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs);
  try {
    const state = await scene.signedIn("ours");
    const measures: Measure[] = [];
    const costs: number[] = [];
    for (const count of SIZES) {
      tell(`${count} credentials`);
      const given = [JSON.stringify({ state, server: scene.servers[0], count })];
      const reports: ManyReport[] = [];
      for (let process = 0; process < PROCESSES[count]; process += 1) {
        const program = start(programs, "many", { given, flags: ["--expose-gc"] });
        reports.push(await program.told((message) => message.report as ManyReport | undefined));
        await program.end();
      }
      const of = (pick: keyof ManyReport): Summary => summarize(reports.map((report) => report[pick]));
      const [timers, refreshed] = [of("timers"), of("refreshed")];
      costs.push(of("refreshMs").median);
      const credentials = `of ${count.toLocaleString("en")}`;
      const memory = (when: string, bytes: Summary): Measure => {
        const target = atMost(bytes.median, MOST_BYTES, "at most 1.5 KB");
        return ownLine("many", `memory for each ${credentials}, ${when}`, "bytes", bytes, target);
      };
      measures.push(
        memory("loaded", of("bytes")),
        memory("refreshed", of("bytesAfterwards")),
        ownLine("many", `timers ${credentials}`, "", timers, { must: "1", reached: timers.high === 1 }),
        ownLine("many", `refreshed within the hour ${credentials}`, "", refreshed, {
          must: count.toLocaleString("en"),
          reached: refreshed.low === count && refreshed.high === count,
        }),
        ownLine("many", `processor time for a refresh ${credentials}`, "ms", of("refreshMs")),
      );
    }
    const growth = (costs.at(-1) ?? Number.NaN) / (costs[0] ?? Number.NaN);
    const logarithm = Math.log(SIZES[2]) / Math.log(SIZES[0]);
    measures.push(
      ownLine(
        "many",
        "a refresh of 100,000, to one of 1,000",
        "×",
        growth,
        atMost(growth, logarithm, `at most ${logarithm.toFixed(2)}, as the logarithm grows`),
      ),
    );
    return { measures };
  } finally {
    await scene.close();
  }
}

export const many: Bench = {
  name: "many",
  about:
    "Credentials with opaque tokens (43 characters) whose refreshes are due over an hour of a simulated clock; the store and the network are made of nothing, so that what is counted is the token manager's.",
  run,
};
