// Runs the benches that are asked for, and shows and writes what came of them.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Bench, BenchResult } from "./bench.ts";
import { attach } from "./benches/attach.ts";
import { cold } from "./benches/cold.ts";
import { expired } from "./benches/expired.ts";
import { get } from "./benches/get.ts";
import { importing } from "./benches/import.ts";
import { many } from "./benches/many.ts";
import { processes } from "./benches/processes.ts";
import { secondServer } from "./benches/second-server.ts";
import { stampede } from "./benches/stampede.ts";
import { store } from "./benches/store.ts";
import { warm } from "./benches/warm.ts";
import { machineLine, thisMachine } from "./machine.ts";
import { publish } from "./publish.ts";
import { textTable } from "./table.ts";

const BENCHES: readonly Bench[] = [
  cold,
  secondServer,
  warm,
  expired,
  stampede,
  processes,
  attach,
  get,
  importing,
  many,
  store,
];
const DEFAULT_ROUNDS = 9;

const [programs = "", root = "", ...given] = process.argv.slice(2);
const { values: options, positionals: names } = parseArgs({
  args: given,
  allowPositionals: true,
  options: { rounds: { type: "string" }, publish: { type: "boolean", default: false } },
});
const unknown = names.find((name) => !BENCHES.some((bench) => bench.name === name));
if (unknown !== undefined) {
  throw new Error(`There is no bench ${unknown}. There are: ${BENCHES.map(({ name }) => name).join(", ")}`);
}
const rounds = Number(options.rounds ?? DEFAULT_ROUNDS);
if (!(rounds >= 1)) throw new Error("--rounds takes a number from 1 on");

const chosen = BENCHES.filter(({ name }) => names.length === 0 || names.includes(name));
/** Overwritten by what follows, where somebody looks. */
const tell = (progress: string): void => {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${progress}`);
};

/** What there is of a bench that could not be carried out. */
const FAILED: BenchResult = { measures: [] };
const failed: string[] = [];

/** What has been measured in a quarter of an hour is not to be lost with one bench. */
async function measured(run: () => Promise<BenchResult>): Promise<BenchResult> {
  try {
    return await run();
  } catch (error) {
    console.error(error);
    return FAILED;
  }
}

const machine = thisMachine();
console.log(`${machineLine(machine)}\n`);
const results: Record<string, BenchResult & { about: string }> = {};
for (const { name, about, run } of chosen) {
  const startedAt = performance.now();
  const result = await measured(() =>
    run({ rounds, root, programs, tell: (progress) => tell(`${name}: ${progress}`) }),
  );
  results[name] = { about, ...result };
  if (result === FAILED) failed.push(name);
  tell("");
  console.log(`${name} (${((performance.now() - startedAt) / 1000).toFixed(0)} s): ${about}`);
  for (const note of result.notes ?? []) console.log(`  ${note}`);
}

const measures = Object.values(results).flatMap((result) => result.measures);
console.log(`\n${textTable(measures)}\n`);
const date = new Date().toISOString().slice(0, 10);
const report = { date, machine, rounds, results };
await mkdir(join(root, "reports"), { recursive: true });
await writeFile(join(root, "reports/bench.json"), `${JSON.stringify(report, undefined, 2)}\n`);
if (options.publish && failed.length === 0) await publish(join(root, "test/bench"), report);

const missed = measures.filter(({ target }) => target?.reached === false);
for (const { bench, what, target } of missed) console.log(`Missed: ${bench}, ${what}: must be ${target?.must}`);
for (const name of failed) console.log(`Failed: ${name}, see above`);
if (missed.length + failed.length === 0) console.log("Every target is reached.");
process.exitCode = missed.length + failed.length > 0 ? 1 : 0;
