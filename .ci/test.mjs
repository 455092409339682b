// npm test: every check, one line each, and the output of those that failed.
//   node .ci/test.mjs         all of it
//   node .ci/test.mjs tests   the tests alone (for a second version of Node)
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root } from "./entries.mjs";

/**
 * @typedef {object} Check
 * @property {string} name
 * @property {string[]} command a program of node_modules/.bin, or node
 * @property {boolean} [needsBuild] waits for `build`, and is not run when that fails
 * @property {string} [report] where it writes its numbers, as vitest does; such a check runs by itself
 * @property {boolean} [tellsLast] the last line of its output is worth showing
 */

const reports = join(root, "reports");

/** @type {Check[]} */
const checks = [
  { name: "build", command: ["node", ".ci/build.mjs"] },
  { name: "types", command: ["tsc", "-p", "tsconfig.json"] },
  { name: "types of tests", command: ["tsc", "-p", "test/tsconfig.json"] },
  { name: "lint", command: ["biome", "check", "--error-on-warnings", "--diagnostic-level=warn"] },
  { name: "floors", command: ["depcruise", "--config", ".ci/dependency-cruiser.mjs", "src"] },
  { name: "docs", command: ["typedoc", "--out", "reports/docs"] },
  { name: "publint", command: ["publint", "--strict"], needsBuild: true },
  {
    name: "are the types wrong",
    command: ["attw", "--pack", ".", "--profile", "esm-only", "--quiet"],
    needsBuild: true,
  },
  ...["unit", "integration", "browser"].map(tests),
  conformance(),
];

/** Reads the reports of the tests. @type {Check} */
const requirements = { name: "requirements", command: ["node", "test/requirements/check.mjs"], tellsLast: true };

/**
 * @param {string} project
 * @returns {Check}
 */
function tests(project) {
  const report = join(reports, `${project}.json`);
  const vitest = ["vitest", "run", "--config", "test/vitest.config.ts", "--project", project];
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  return { name: `${project} tests`, command: [...vitest, ...reporters], needsBuild: true, report };
}

/** @returns {Check} */
function conformance() {
  const report = join(reports, "conformance.json");
  const command = ["node", "test/conformance/run.mjs", "--quick", `--report=${report}`];
  return { name: "conformance", command, needsBuild: true, report };
}

/** @typedef {{ passed: number, failed: number, skipped: number }} Numbers */

/**
 * Runs a program.
 *
 * @param {Check} check
 * @returns {Promise<{ ok: boolean, output: string }>}
 */
function run({ command: [program = "", ...args] }) {
  const path = program === "node" ? process.execPath : join(root, "node_modules/.bin", program);
  const env = { ...process.env, NO_COLOR: "1", TEST_MISSING: join(reports, "missing.jsonl") };
  const child = spawn(path, args, { cwd: root, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  const collect = (/** @type {Buffer} */ chunk) => {
    output += chunk;
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  return new Promise((resolve) => {
    child.on("error", (error) => resolve({ ok: false, output: String(error) }));
    child.on("close", (code) => resolve({ ok: code === 0, output }));
  });
}

/**
 * vitest's own numbers. A file that could not be loaded has no tests to count, so it counts as one that failed.
 *
 * @param {string} report
 * @returns {Numbers}
 */
function numbersOf(report) {
  try {
    const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    const isBroken = (/** @type {any} */ file) =>
      file.status === "failed" && !file.assertionResults.some((/** @type {any} */ test) => test.status === "failed");
    const failed = numFailedTests + testResults.filter(isBroken).length;
    return { passed: numPassedTests, failed, skipped: numPendingTests + numTodoTests };
  } catch {
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {{ name: string, output: string }[]} */
const failures = [];

/** @param {Check} check */
async function perform(check) {
  const startedAt = performance.now();
  const { ok, output } = await run(check);
  const seconds = `${((performance.now() - startedAt) / 1000).toFixed(1)} s`;
  let result = ok ? "ok" : "FAILED";
  if (check.report !== undefined) {
    const numbers = numbersOf(check.report);
    // vitest also fails for what belongs to no test, such as an unhandled rejection.
    if (!ok && numbers.failed === 0) numbers.failed = 1;
    for (const key of /** @type {const} */ (["passed", "failed", "skipped"])) total[key] += numbers[key];
    result += ` (${numbers.passed} passed, ${numbers.failed} failed, ${numbers.skipped} skipped)`;
  } else if (!ok) {
    total.failed += 1;
  }
  if (check.tellsLast) result += ` (${output.trim().split("\n").at(-1)})`;
  if (!ok) failures.push({ name: check.name, output });
  row(check.name, seconds, result);
  return ok;
}

/**
 * @param {string} name
 * @param {string} seconds
 * @param {string} result
 */
function row(name, seconds, result) {
  console.log(`${name.padEnd(20)} ${seconds.padStart(8)}  ${result}`);
}

/**
 * Two at a time, in order.
 *
 * @param {Check[]} queue
 */
async function performPairwise(queue) {
  const worker = async () => {
    for (let check = queue.shift(); check !== undefined; check = queue.shift()) await perform(check);
  };
  await Promise.all([worker(), worker()]);
}

rmSync(reports, { recursive: true, force: true });
mkdirSync(reports);

const onlyTests = process.argv[2] === "tests";
const [build, ...rest] = checks;
const independent = rest.filter((check) => !check.needsBuild && !onlyTests);
const dependent = rest.filter((check) => check.needsBuild && (!onlyTests || check.report !== undefined));

console.log(`Node ${process.version}\n`);
const building = perform(/** @type {Check} */ (build));
const others = performPairwise(independent);
const built = await building;
await others;
if (built) {
  await performPairwise(dependent.filter((check) => check.report === undefined));
  // Tests measure time, so nothing runs beside them.
  for (const check of dependent.filter((each) => each.report !== undefined)) await perform(check);
  await perform(requirements);
} else {
  for (const { name } of [...dependent, requirements]) row(name, "-", "not run: the build failed");
}

for (const { name, output } of failures) console.log(`\n=== ${name} ===\n${output.trim()}`);

/** What test/support/requires.ts wrote down. */
function missing() {
  try {
    const lines = readFileSync(join(reports, "missing.jsonl"), "utf8").trim().split("\n");
    return [...new Set(lines)].map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}
const absent = missing();
if (absent.length > 0) console.log("");
for (const { what, how } of absent) console.log(`Tests were skipped because ${what} is missing. Install it: ${how}`);

console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 ? 1 : 0;
