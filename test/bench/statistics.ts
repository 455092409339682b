// Medians and their spread: on a machine that does other things as well, a mean tells of the others.

/** A measured number: its median, the middle half of the samples, and how many there were. */
export interface Summary {
  readonly median: number;
  /** A quarter of the samples lies below. */
  readonly low: number;
  /** A quarter of the samples lies above. */
  readonly high: number;
  readonly samples: number;
}

function quantile(sorted: readonly number[], share: number): number {
  const position = (sorted.length - 1) * share;
  const below = sorted[Math.floor(position)] ?? Number.NaN;
  const above = sorted[Math.ceil(position)] ?? Number.NaN;
  return below + (above - below) * (position - Math.floor(position));
}

/** @param samples at least one. */
export function summarize(samples: readonly number[]): Summary {
  if (samples.length === 0) throw new Error("nothing was measured");
  const sorted = [...samples].sort((left, right) => left - right);
  return {
    median: quantile(sorted, 0.5),
    low: quantile(sorted, 0.25),
    high: quantile(sorted, 0.75),
    samples: sorted.length,
  };
}

/** Something that is the same each time. */
export function exactly(value: number): Summary {
  return { median: value, low: value, high: value, samples: 1 };
}

/** The ratio of two things that were measured by turns: what disturbed both in one round cancels out. */
export function ratioOf(ours: readonly number[], theirs: readonly number[]): Summary {
  return summarize(ours.map((value, round) => value / (theirs[round] ?? Number.NaN)));
}

/**
 * Measures all contestants by turns, so that whatever else the machine does meets them alike; each round starts with
 * another one.
 *
 * @returns the samples of each contestant, in the order of the rounds.
 */
export async function byTurns<Name extends string, Sample>(
  rounds: number,
  contestants: readonly Name[],
  measure: (contestant: Name, round: number) => Promise<Sample>,
): Promise<Record<Name, Sample[]>> {
  const samples = Object.fromEntries(contestants.map((name) => [name, [] as Sample[]])) as Record<Name, Sample[]>;
  for (let round = 0; round < rounds; round += 1) {
    const first = round % contestants.length;
    for (const name of [...contestants.slice(first), ...contestants.slice(0, first)]) {
      samples[name].push(await measure(name, round));
    }
  }
  return samples;
}
