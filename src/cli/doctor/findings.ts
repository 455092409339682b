import type { Finding, Level, Rule } from "./diagnosis.ts";

/** What goes with what was seen. */
export type Consequence = Partial<Pick<Finding, "library" | "fix" | "stops" | "code">>;

type MakeFinding = (id: string, rule: Rule, seen: string, consequence?: Consequence) => Finding;

const findingOf =
  (level: Level): MakeFinding =>
  (id, rule, seen, consequence = {}) => ({ id, level, seen, rule, ...consequence });

export const ok: MakeFinding = findingOf("ok");
export const note: MakeFinding = findingOf("note");
export const warning: MakeFinding = findingOf("warning");
export const problem: MakeFinding = findingOf("problem");

/** Names in a sentence: `a, b and c`. */
export function inWords(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? "none") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
