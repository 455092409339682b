// What a bench is and what it gives: measures, each with a value for every contestant, and targets.
import type { Summary } from "./statistics.ts";

/** A number that was measured, or why there is none. */
export type Value = Summary | { readonly cannot: string };

/** One line of the table. */
export interface Measure {
  readonly bench: string;
  readonly what: string;
  readonly unit: string;
  /** By the name of the contestant; the first is ours. */
  readonly values: Readonly<Record<string, Value>>;
  readonly target?: Target;
}

/** What must be reached, and whether it was. */
export interface Target {
  /** In words, as the table shows it: `at most 6`. */
  readonly must: string;
  readonly reached: boolean;
}

/** A measure with what is told about it in more words, or drawn. */
export interface BenchResult {
  readonly measures: readonly Measure[];
  /** Lines below the table. */
  readonly notes?: readonly string[];
  /** For plots. */
  readonly data?: unknown;
}

export interface BenchOptions {
  /** How many times each contestant is measured where a bench does not say otherwise. */
  readonly rounds: number;
  /** The repository. */
  readonly root: string;
  /** The folder with the bundled programs. */
  readonly programs: string;
  /** Says what is under way. */
  readonly tell: (progress: string) => void;
}

export interface Bench {
  readonly name: string;
  /** What is measured, on what, from when to when. One or two sentences. */
  readonly about: string;
  run(options: BenchOptions): Promise<BenchResult>;
}

export function atMost(value: number, limit: number, must: string): Target {
  return { must, reached: value <= limit };
}

export function atLeast(value: number, limit: number, must: string): Target {
  return { must, reached: value >= limit };
}
