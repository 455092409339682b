// The results as one table: for a terminal, and for a Markdown page.
import type { Measure, Target, Value } from "./bench.ts";
import { peers } from "./peers/index.ts";

/** The columns, in order; a contestant that appears nowhere has none. */
const ORDER = Object.values(peers).map(({ title }) => title);

function digits(value: number): string {
  if (value >= 1000) return Math.round(value).toLocaleString("en");
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
}

/** A value with its spread, where it has one. */
export function shown(value: Value | undefined): string {
  if (value === undefined) return "";
  if ("cannot" in value) return value.cannot;
  const { median, low, high } = value;
  const spread = digits(low) === digits(high) ? "" : ` (${digits(low)}–${digits(high)})`;
  return `${digits(median)}${spread}`;
}

function columnsOf(measures: readonly Measure[]): string[] {
  const known = new Set(measures.flatMap(({ values }) => Object.keys(values)));
  return [...ORDER.filter((title) => known.has(title)), ...[...known].filter((title) => !ORDER.includes(title))];
}

function verdictOf(target: Target | undefined): string {
  if (target === undefined) return "";
  return target.reached ? "yes" : "NO";
}

function rowsOf(measures: readonly Measure[]): string[][] {
  const columns = columnsOf(measures);
  const rows = measures.map(({ bench, what, unit, values, target }, index) => [
    measures[index - 1]?.bench === bench ? "" : bench,
    unit === "" ? what : `${what}, ${unit}`,
    ...columns.map((title) => shown(values[title])),
    target === undefined ? "" : target.must,
    verdictOf(target),
  ]);
  return [["bench", "measure", ...columns, "must be", "is it"], ...rows];
}

/** For a terminal. */
export function textTable(measures: readonly Measure[]): string {
  const rows = rowsOf(measures);
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return [lines[0], widths.map((width) => "-".repeat(width)).join("  "), ...lines.slice(1)].join("\n");
}

/** For a page. */
export function markdownTable(measures: readonly Measure[]): string {
  const [head = [], ...rows] = rowsOf(measures);
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}
