// What the benches have in common when they tell of contestants.
import type { Measure, Target, Value } from "./bench.ts";
import { type PeerName, peers } from "./peers/index.ts";
import { exactly, ratioOf, summarize } from "./statistics.ts";

/** The contestants that do what we do. The others are there to compare with, and win nothing. */
const RIVALS: readonly PeerName[] = ["sdk-v1", "sdk-v2", "mcp-remote"];

/** The samples of each contestant, in the order of the rounds. */
export type Samples = Partial<Record<PeerName, readonly number[]>>;

/** The rival with the lowest median, and its samples. */
export function bestRival(samples: Samples): { name: PeerName; samples: readonly number[]; median: number } {
  const rivals = RIVALS.flatMap((name) => {
    const own = samples[name];
    return own === undefined ? [] : [{ name, samples: own, median: summarize(own).median }];
  });
  const [best] = rivals.sort((left, right) => left.median - right.median);
  if (best === undefined) throw new Error("there is no rival");
  return best;
}

/** One line of the table from the samples of each contestant. */
export function measureOf(
  bench: string,
  what: string,
  unit: string,
  samples: Samples,
  more: { readonly target?: Target; readonly cannot?: Partial<Record<PeerName, string>> } = {},
): Measure {
  const values: Record<string, Value> = {};
  for (const [name, own] of Object.entries(samples)) values[peers[name as PeerName].title] = summarize(own);
  for (const [name, cannot] of Object.entries(more.cannot ?? {})) values[peers[name as PeerName].title] = { cannot };
  return { bench, what, unit, values, ...(more.target !== undefined && { target: more.target }) };
}

/** The line that says how one contestant's time compares with another's, by the rounds that both were in. */
export function ratioLine(
  bench: string,
  what: string,
  ours: readonly number[],
  theirs: readonly number[],
  limit?: number,
): Measure {
  const ratio = ratioOf(ours, theirs);
  const target = limit === undefined ? undefined : { must: `at most ${limit}`, reached: ratio.median <= limit };
  return ownLine(bench, what, "×", ratio, target);
}

/** A line with a number of ours alone. */
export function ownLine(bench: string, what: string, unit: string, value: Value | number, target?: Target): Measure {
  const values = { [peers.ours.title]: typeof value === "number" ? exactly(value) : value };
  return { bench, what, unit, values, ...(target !== undefined && { target }) };
}
