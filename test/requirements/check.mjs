// Holds the requirements against what the last test run has proven.
//   node test/requirements/check.mjs           after npm test, which also runs it
//   node test/requirements/check.mjs --write   brings the page in the documentation up to date
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { coverageOf, summaryOf } from "./coverage.mjs";
import { documentOf } from "./document.mjs";
import { exceptions } from "./exceptions.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const page = join(root, "src/guide/requirements.md");

/**
 * The results of one of vitest's projects.
 *
 * @param {string} project
 * @returns {import("./coverage.mjs").TestResult[]}
 */
function resultsOf(project) {
  const { testResults } = JSON.parse(readFileSync(join(root, "reports", `${project}.json`), "utf8"));
  return testResults.flatMap((/** @type {any} */ file) =>
    file.assertionResults.map((/** @type {any} */ test) => ({
      file: relative(join(root, "test"), file.name).split(sep).join("/"),
      name: test.fullName,
      status: test.status,
    })),
  );
}

const projects = ["unit", "integration", "browser"];
const missing = projects.filter((project) => !existsSync(join(root, "reports", `${project}.json`)));
if (missing.length > 0) {
  console.error(`There are no results of the ${missing.join(" and ")} tests. Run npm test first.`);
  process.exit(1);
}

const requirements = JSON.parse(readFileSync(join(here, "requirements.json"), "utf8"));
const coverage = coverageOf({ requirements, exceptions, tests: projects.flatMap(resultsOf) });
const faults = [...coverage.faults];

const notRun = coverage.rows.filter(({ state }) => state === "not run").map(({ requirement }) => requirement.id);
// A machine without a browser or a keychain may leave some out. The one that decides may not.
if (notRun.length > 0 && process.env.CI === "true")
  faults.push(`cited by tests that were skipped: ${notRun.join(", ")}`);

const text = documentOf(coverage);
if (process.argv.includes("--write")) writeFileSync(page, text);
else if (!existsSync(page) || readFileSync(page, "utf8") !== text) {
  faults.push(`${relative(root, page)} is out of date. Run: node test/requirements/check.mjs --write`);
}

for (const fault of faults) console.error(fault);
console.log(summaryOf(coverage));
process.exitCode = faults.length > 0 ? 1 : 0;
