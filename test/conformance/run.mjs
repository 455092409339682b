// npm run conformance: the official suite's client authorization scenarios, each in each way, beside the official SDKs.
//   node test/conformance/run.mjs                              all of it
//   node test/conformance/run.mjs --quick                      what npm test runs
//   node test/conformance/run.mjs --way raw --scenario dpop    some of it
//   --report FILE                                              writes the numbers down as vitest does
import { mkdtempSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../../.ci/entries.mjs";
import { brokenClients } from "./broken.mjs";
import { buildClient } from "./build.mjs";
import { Referee } from "./referee.mjs";
import { scenarios } from "./scenarios.mjs";
import { outcomeOf, tableOf } from "./table.mjs";
import { judge } from "./verdict.mjs";
import { quick, ways } from "./ways.mjs";

/** @typedef {import("./table.mjs").Row} Row */

const AT_ONCE = 2;
const BROKEN_WIRE = "2026-07-28";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    way: { type: "string", multiple: true },
    scenario: { type: "string", multiple: true },
    report: { type: "string" },
  },
});

/**
 * @param {string[] | undefined} chosen
 * @param {string[]} known
 */
function requireKnown(chosen, known) {
  const unknown = chosen?.find((name) => !known.includes(name));
  if (unknown !== undefined) throw new Error(`unknown: ${unknown}. Known are: ${known.join(", ")}`);
}

/** The cells of the table that are to be filled. */
function plannedCells() {
  requireKnown(options.way, [...new Set(ways.map(({ name }) => name))]);
  requireKnown(options.scenario, Object.keys(scenarios));
  const names = Object.keys(scenarios).filter((name) => options.scenario?.includes(name) ?? true);
  const columns = ways.filter(({ name }) => options.way?.includes(name) ?? true);
  const cells = columns.flatMap((way) => names.map((scenario) => ({ way, scenario })));
  if (!options.quick) return cells;
  return cells.filter(({ way, scenario }) => {
    const chosen = quick[way.name];
    // A way with two wires is run on the first.
    const isFirst = columns.find(({ name }) => name === way.name) === way;
    return isFirst && (chosen === "all" || chosen?.includes(scenario) === true);
  });
}

/**
 * In order, several at once.
 *
 * @template Item, Result
 * @param {Item[]} items
 * @param {(item: Item) => Promise<Result>} perform
 * @returns {Promise<Result[]>}
 */
async function mapAtOnce(items, perform) {
  /** @type {Result[]} */
  const results = [];
  const queue = [...items.entries()];
  const worker = async () => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) results[next[0]] = await perform(next[1]);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

const cells = plannedCells();
const startedAt = performance.now();
/** What went wrong, a paragraph each. @type {string[]} */
const failures = [];

const folder = mkdtempSync(join(root, "node_modules", ".conformance-"));
process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const [name, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
  process.once(name, () => process.exit(code));
}

const referee = await Referee.find(folder);
const program = await buildClient(folder);
const command = (/** @type {string} */ way) => [process.execPath, program, way];

const inSuite = (await referee.scenarios()).sort().join(" ");
if (inSuite !== Object.keys(scenarios).sort().join(" ")) {
  failures.push(`The suite's scenarios are not those of scenarios.mjs: ${inSuite}`);
}

const rows = await mapAtOnce(cells, async ({ way, scenario }) => {
  const evidence = await referee.run({ scenario, wire: way.wire, command: command(way.name) });
  const row = { way, scenario, verdict: judge(evidence) };
  const outcome = outcomeOf(row);
  if (!way.isPeer && (outcome === "failed" || outcome === "outdated")) {
    const what = outcome === "failed" ? "failed" : "works, though ways.mjs says that it cannot";
    const problems = row.verdict.problems.map(({ check, text }) => `  ${check}: ${text}`);
    failures.push([`${way.title}, ${way.wire}: ${scenario} ${what}`, ...problems, evidence.log].join("\n"));
  }
  return row;
});

const isWhole = options.way === undefined && options.scenario === undefined;
const caught = await mapAtOnce(isWhole ? brokenClients : [], async ({ mode, scenario, caughtBy }) => {
  const env = { CONFORMANCE_BROKEN: mode };
  const evidence = await referee.run({ scenario, wire: BROKEN_WIRE, command: command("raw"), env });
  const found = judge(evidence).problems.map(({ check }) => check);
  if (found.includes(caughtBy)) return true;
  failures.push(
    `The broken client ${mode} was to be caught at ${scenario} by ${caughtBy}, and was by: ${found.join(", ")}\n${evidence.log}`,
  );
  return false;
});

console.log(tableOf(rows));
const numberCaught = caught.filter(Boolean).length;
if (isWhole) console.log(`\nOf ${caught.length} clients broken on purpose, ${numberCaught} were caught.`);
for (const failure of failures) console.log(`\n${failure}`);
const passed = rows.filter((row) => !row.way.isPeer && outcomeOf(row) === "ok").length + numberCaught;
const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
console.log(`\n${passed} passed, ${failures.length} failed, in ${seconds} s`);
process.exitCode = failures.length > 0 ? 1 : 0;

if (options.report !== undefined) {
  const numbers = { numPassedTests: passed, numFailedTests: failures.length, numPendingTests: 0, numTodoTests: 0 };
  await writeFile(options.report, JSON.stringify({ ...numbers, testResults: [] }));
}
