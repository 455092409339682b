// npm run fuzz: many random inputs to every parser.
//   npm run fuzz                                            10,000 each
//   npm run fuzz -- --cases 100000 --parser "token response"
//   npm run fuzz -- --parser challenge --seed 1 --path 3:0   one failure again
import { parseArgs } from "node:util";
import fc from "fast-check";
import type { FuzzTarget } from "./target.ts";
import { targets } from "./targets.ts";

interface Settings {
  readonly cases: number;
  readonly seed: number;
  readonly path: string | undefined;
}

/** How often each outcome came, the most frequent first. */
function shares(outcomes: ReadonlyMap<string, number>): string {
  const total = [...outcomes.values()].reduce((sum, count) => sum + count, 0);
  return [...outcomes]
    .sort(([, left], [, right]) => right - left)
    .map(([name, count]) => `${name} ${((100 * count) / total).toFixed(1)} %`)
    .join(", ");
}

function howToRepeat(name: string, { seed, path }: { seed: number; path: string }): string {
  return `npm run fuzz -- --parser "${name}" --seed ${seed} --path "${path}"`;
}

/** Runs one parser. @returns whether everything held. */
async function fuzz(target: FuzzTarget, { cases, seed, path }: Settings): Promise<boolean> {
  const outcomes = new Map<string, number>();
  const startedAt = performance.now();
  const running = await target.start();
  const property = running.property((outcome) => outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1));
  const replay = path === undefined ? { numRuns: cases } : { path };
  const details = await fc.check(property, { seed, ...replay }).finally(() => running.close());
  const seconds = (performance.now() - startedAt) / 1000;
  const result = details.failed ? "FAILED" : shares(outcomes);
  console.log(
    `${target.name.padEnd(42)} ${String(details.numRuns).padStart(7)} ${seconds.toFixed(1).padStart(6)} s  ${result}`,
  );
  if (!details.failed) return true;
  const at = { seed: details.seed, path: details.counterexamplePath ?? "" };
  const said = details.errorInstance instanceof Error ? details.errorInstance.stack : String(details.errorInstance);
  console.log(
    `\n  input: ${fc.stringify(details.counterexample).slice(0, 4000)}\n  ${said}\n  again: ${howToRepeat(target.name, at)}\n`,
  );
  return false;
}

/** @returns the exit code. */
export async function main(programArguments: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...programArguments],
    options: {
      cases: { type: "string", default: "10000" },
      parser: { type: "string", multiple: true },
      seed: { type: "string" },
      path: { type: "string" },
    },
  });
  const names = targets.map(({ name }) => name);
  const unknown = values.parser?.find((name) => !names.includes(name));
  if (unknown !== undefined) {
    console.error(`There is no parser "${unknown}". There are: ${names.join("; ")}.`);
    return 2;
  }
  const seed = values.seed === undefined ? Date.now() % 2 ** 31 : Number(values.seed);
  const settings: Settings = { cases: Number(values.cases), seed, path: values.path };
  const rejections: unknown[] = [];
  process.on("unhandledRejection", (reason) => rejections.push(reason));
  console.log(`seed ${seed}\n\n${"parser".padEnd(42)} ${"cases".padStart(7)} ${"time".padStart(8)}  outcomes`);
  let isSound = true;
  for (const target of targets.filter(({ name }) => values.parser?.includes(name) ?? true)) {
    isSound = (await fuzz(target, settings)) && isSound;
    for (const reason of rejections.splice(0)) {
      isSound = false;
      console.log("\n  a rejection that nobody handled:", reason);
    }
  }
  console.log(isSound ? "\nEverything held." : "\nSomething did not hold.");
  return isSound ? 0 : 1;
}
