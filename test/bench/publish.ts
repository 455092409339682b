// What is shown of a run: results.json, the plots made from it, the table in README.md, and a short one in the package's.
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BenchResult } from "./bench.ts";
import { briefTable } from "./brief-table.ts";
import { type Machine, machineLine } from "./machine.ts";
import { coldPlot } from "./plots/cold.ts";
import { stampedePlot } from "./plots/stampede.ts";
import { markdownTable } from "./table.ts";

export interface Report {
  /** Year, month and day. */
  readonly date: string;
  readonly machine: Machine;
  readonly rounds: number;
  readonly results: Readonly<Record<string, BenchResult & { readonly about: string }>>;
}

const BEGIN = "<!-- results: written by npm run bench -- --publish -->";
const END = "<!-- end of results -->";

function page({ date, machine, results }: Report): string {
  const measures = Object.values(results).flatMap((result) => result.measures);
  const abouts = Object.entries(results).map(([name, { about, notes = [] }]) =>
    [`- **${name}**: ${about}`, ...notes.map((note) => `  ${note}`)].join("\n"),
  );
  const lead = `Measured on ${date}, on ${machineLine(machine)}. Medians, with the middle half of the samples in brackets.`;
  return [lead, markdownTable(measures), abouts.join("\n")].join("\n\n");
}

/** Writes what is committed of a run, from its report alone. */
export async function publish(folder: string, report: Report): Promise<void> {
  await writeFile(join(folder, "results.json"), `${JSON.stringify(report, undefined, 2)}\n`);
  await mkdir(join(folder, "plots"), { recursive: true });
  const { cold, stampede } = report.results;
  if (cold !== undefined) await writeFile(join(folder, "plots/cold.svg"), coldPlot(cold.data as never));
  if (stampede !== undefined) await writeFile(join(folder, "plots/stampede.svg"), stampedePlot(stampede.data as never));
  await fill(join(folder, "README.md"), page(report));
  const lead = `Medians of ${report.rounds} rounds, measured on ${report.date}, on ${machineLine(report.machine)}.`;
  await fill(join(folder, "../../README.md"), `${lead}\n\n${briefTable(report.results)}`);
}

/** Puts a text between the marks of a page. */
async function fill(path: string, text: string): Promise<void> {
  const page = await readFile(path, "utf8");
  const [before = "", rest = ""] = page.split(BEGIN);
  const [, after = ""] = rest.split(END);
  await writeFile(path, `${before}${BEGIN}\n\n${text}\n\n${END}${after}`);
}
