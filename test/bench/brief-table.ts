// The measures that say most, for the README of the package: medians alone, ours beside those of the others.
import type { BenchResult, Measure, Value } from "./bench.ts";

const COLUMNS = ["mcp-oauth-client", "SDK v1", "SDK v2", "mcp-remote"];

/** Which measures, and what they are called there. */
const ROWS: readonly (readonly [bench: string, what: string, label: string])[] = [
  ["stampede", "refreshes at 100 calls", "100 calls meet an expired token: refreshes"],
  ["stampede", "answered at 100 calls", "… and calls that are answered"],
  ["processes", "refreshes", "8 processes with 25 calls each meet one: refreshes"],
  ["processes", "answered of 200", "… and calls that are answered, of 200"],
  ["cold", "round trips", "first connection with registration and sign-in: round trips one after another"],
  ["second server", "requests", "another server of the same issuer: requests"],
  ["second server", "time at 100 ms a request", "… and time at 100 ms a request, ms"],
  ["expired", "requests", "start with an expired token: requests until the first answer"],
  ["import", "time", "import, ms (of the SDKs: their client's auth)"],
];

function shown(value: Value | undefined): string {
  if (value === undefined) return "-";
  if ("cannot" in value) return value.cannot;
  return value.median >= 100 ? value.median.toFixed(0) : String(Number(value.median.toFixed(1)));
}

/** The rows that were measured, as a Markdown table. */
export function briefTable(results: Readonly<Record<string, BenchResult>>): string {
  const measures = Object.values(results).flatMap((result) => result.measures);
  const find = (bench: string, what: string): Measure | undefined =>
    measures.find((measure) => measure.bench === bench && measure.what === what);
  const rows = ROWS.flatMap(([bench, what, label]) => {
    const measure = find(bench, what);
    return measure === undefined ? [] : [[label, ...COLUMNS.map((column) => shown(measure.values[column]))]];
  });
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [line(["", ...COLUMNS]), line(["---", ...COLUMNS.map(() => "--:")]), ...rows.map(line)].join("\n");
}
