// What a line of the corpus is, and how it becomes a test.
import { it } from "vitest";

/** One hostile server or input. The groups add what their runner needs. */
export interface HostileCase {
  /** Stays the same for ever: defences.mjs names it. */
  readonly id: string;
  /** What the other side does; completes "Somebody ...". */
  readonly does: string;
  /** What has to happen; completes "so ...". */
  readonly must: string;
  /** The requirements that it proves, like `SSRF-1, SSRF-2`. */
  readonly proves?: string;
}

/** Far above what any case takes, so that a removed defence shows at once instead of after a minute. */
const LONGEST_MS = 20_000;

/** A test for each line, named by it. */
export function hostile<Case extends HostileCase>(cases: readonly Case[], run: (each: Case) => Promise<void>): void {
  for (const each of cases) it(nameOf(each), { timeout: LONGEST_MS }, () => run(each));
}

function nameOf({ id, does, must, proves }: HostileCase): string {
  return `${id}: ${does}: ${must}${proves === undefined ? "" : ` [${proves}]`}`;
}
