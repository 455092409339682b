// Removes one defence at a time, in a copy of the project, and sees the cases fail that it covers, and the control pass.
//   node test/integration/hostile/remove-defences.mjs            all of them; some ten minutes
//   node test/integration/hostile/remove-defences.mjs ssrf open  those that cover a case whose id begins like that
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defences, groups, means } from "./defences.mjs";

/** @typedef {import("./defences.mjs").Defence} Defence */

const root = fileURLToPath(new URL("../../..", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "without-defence-"));
const wanted = process.argv.slice(2);

const filter = (/** @type {string} */ path) => !path.endsWith("node_modules");
for (const name of ["src", "test", "package.json", "tsconfig.json"]) {
  cpSync(join(root, name), join(copy, name), { recursive: true, filter });
}
symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));

/**
 * Runs a function while a defence is gone.
 *
 * @template Result
 * @param {Defence} defence
 * @param {() => Result} work
 * @returns {Result}
 */
function without(defence, work) {
  /** @type {Map<string, string>} */
  const before = new Map();
  try {
    for (const { file, code, without: instead } of defence.removals) {
      const path = join(copy, "src", file);
      const text = readFileSync(path, "utf8");
      if (!text.includes(code)) throw new Error(`src/${file} does not have: ${code}`);
      if (!before.has(path)) before.set(path, text);
      // A function, since a text would have its dollar signs taken for patterns.
      writeFileSync(
        path,
        text.replace(code, () => instead),
      );
    }
    return work();
  } finally {
    for (const [path, text] of before) writeFileSync(path, text);
  }
}

/** The id of the test that passes whatever is removed. */
const CONTROL = "control";

/**
 * The outcome of each case that a defence covers, and of the control, by its id.
 *
 * @param {Defence} defence
 * @returns {Map<string, string>}
 */
function outcomesOf({ covers }) {
  const report = join(copy, "report.json");
  const concerned = Object.entries(groups)
    .filter(([, beginnings]) => covers.some((line) => beginnings.some((beginning) => line.startsWith(`${beginning}-`))))
    .map(([group]) => group);
  const files = [CONTROL, ...concerned].map((name) => `test/integration/hostile/${name}.test.ts`);
  const lines = [CONTROL, ...covers];
  const pattern = lines.map((line) => (line.endsWith("*") ? `${line.slice(0, -1)}[a-z0-9-]*` : line)).join("|");
  const config = ["--config", "test/vitest.config.ts", "--project", "integration"];
  const reporter = ["--reporter=json", `--outputFile=${report}`];
  rmSync(report, { force: true });
  const run = spawnSync(
    process.execPath,
    [
      join(root, "node_modules/vitest/vitest.mjs"),
      "run",
      ...config,
      ...reporter,
      "-t",
      `(?:^| )(?:${pattern}): `,
      ...files,
    ],
    { cwd: copy, encoding: "utf8" },
  );
  try {
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    const tests = testResults.flatMap((/** @type {any} */ file) => file.assertionResults);
    return new Map(
      tests
        .map((/** @type {any} */ test) => [test.title.split(": ", 1)[0], test.status])
        .filter((/** @type {[string, string]} */ [id]) => lines.some((line) => means(line, id))),
    );
  } catch (error) {
    throw new Error(`vitest gave no report:\n${run.stdout}\n${run.stderr}`, { cause: error });
  }
}

let faults = 0;
try {
  for (const defence of defences) {
    const { what, covers } = defence;
    if (wanted.length > 0 && !covers.some((line) => wanted.some((beginning) => line.startsWith(beginning)))) continue;
    const { [CONTROL]: control, ...cases } = Object.fromEntries(without(defence, () => outcomesOf(defence)));
    const ids = Object.keys(cases);
    const passed = ids.filter((id) => cases[id] !== "failed");
    const holds = ids.length > 0 && passed.length === 0 && control === "passed";
    if (!holds) faults += 1;
    const problem = control === "passed" ? `not seen to matter to: ${passed.join(", ")}` : "nothing works without it";
    const detail = holds ? `${ids.length} fail without it` : problem;
    console.log(`${holds ? "ok  " : "FAIL"} ${what}: ${detail}`);
  }
} finally {
  rmSync(copy, { recursive: true, force: true });
}
process.exitCode = faults > 0 ? 1 : 0;
