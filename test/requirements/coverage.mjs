// Which tests prove which requirement. A test cites what it proves in its name, like `[ISS-3]` or `[STEP-1, STEP-2]`.

/**
 * @typedef {object} Requirement
 * @property {string} id
 * @property {string} section
 * @property {string[]} versions revisions of MCP, or `extension`, `RFC`, `product`, `best practice`
 * @property {string} [document] the page of MCP's specification
 * @property {string} [rfc] what the page rests upon
 * @property {string} requirement
 * @property {string} level the words of RFC 2119
 * @property {boolean} derived whether it is no sentence of a specification but needed to meet one
 */

/**
 * @typedef {object} TestResult
 * @property {string} file from the folder test/
 * @property {string} name with the names of all that it is in
 * @property {string} status vitest's word for how it ended
 */

/**
 * @typedef {object} CoveredRow
 * @property {Requirement} requirement
 * @property {"proven" | "excepted" | "not run" | "open"} state
 * @property {string[]} files with tests that cite it
 * @property {string} [reason] why no test proves it
 */

/**
 * @typedef {object} Coverage
 * @property {CoveredRow[]} rows
 * @property {string[]} faults what must be put right
 */

const CITATION = /\[([A-Z]+-\d+(?:, ?[A-Z]+-\d+)*)\]/g;

/**
 * The ids that a test's name cites.
 *
 * @param {string} name
 * @returns {string[]}
 */
export function citedIn(name) {
  return [...name.matchAll(CITATION)].flatMap(([, ids = ""]) => ids.split(/, ?/));
}

/**
 * Ids that a name mentions in a way that does not count, such as `(ISS-3)`.
 *
 * @param {string} name
 * @param {Set<string>} families the letters before the number
 * @returns {string[]}
 */
function mentionedIn(name, families) {
  const words = name.replaceAll(CITATION, "").match(/\b[A-Z]+-\d+\b/g) ?? [];
  return words.filter((word) => families.has(familyOf(word)));
}

/** @param {string} id */
const familyOf = (id) => id.replace(/-\d+$/, "");

/**
 * Holds requirements, exceptions and results of a whole test run against one another. Only tests that passed prove
 * something; one that was skipped, for want of a browser for instance, leaves its requirements `not run`.
 *
 * @param {{ requirements: Requirement[], exceptions: Record<string, string>, tests: TestResult[] }} given
 * @returns {Coverage}
 */
export function coverageOf({ requirements, exceptions, tests }) {
  const known = new Set(requirements.map(({ id }) => id));
  const families = new Set([...known].map(familyOf));
  const faults = new Set(repeated(requirements.map(({ id }) => id)).map((id) => `${id} is there twice`));
  /** @type {Map<string, TestResult[]>} */
  const citations = new Map();
  for (const test of tests) {
    if (test.status === "todo") continue;
    for (const id of citedIn(test.name)) {
      if (!known.has(id)) faults.add(`${id} is cited in ${test.file} and is no requirement`);
      citations.set(id, [...(citations.get(id) ?? []), test]);
    }
    for (const id of mentionedIn(test.name, families)) faults.add(`${id} stands without [brackets] in ${test.file}`);
  }
  for (const [id, reason] of Object.entries(exceptions)) {
    if (!known.has(id)) faults.add(`${id} is excepted and is no requirement`);
    if (citations.has(id)) faults.add(`${id} is excepted though ${filesOf(citations.get(id))} cites it`);
    if (reason.trim() === "") faults.add(`${id} is excepted without a reason`);
  }
  const rows = requirements.map((requirement) =>
    rowOf(requirement, citations.get(requirement.id) ?? [], exceptions[requirement.id]),
  );
  for (const { state, requirement, files } of rows) {
    if (state !== "open") continue;
    faults.add(
      files.length === 0
        ? `${requirement.id} is neither cited by a test nor excepted: ${requirement.requirement}`
        : `${requirement.id} is cited by tests that fail only: ${files.join(", ")}`,
    );
  }
  return { rows, faults: [...faults] };
}

/**
 * @param {Requirement} requirement
 * @param {TestResult[]} citing
 * @param {string | undefined} reason
 * @returns {CoveredRow}
 */
function rowOf(requirement, citing, reason) {
  const files = [...new Set(citing.map(({ file }) => file))].sort();
  const ended = new Set(citing.map(({ status }) => status));
  if (ended.has("passed")) return { requirement, files, state: "proven" };
  if (ended.size > 0) return { requirement, files, state: ended.has("failed") ? "open" : "not run" };
  if (reason !== undefined) return { requirement, files, state: "excepted", reason };
  return { requirement, files, state: "open" };
}

/** @param {TestResult[] | undefined} tests */
const filesOf = (tests = []) => [...new Set(tests.map(({ file }) => file))].join(", ");

/** @param {string[]} ids */
const repeated = (ids) => ids.filter((id, index) => ids.indexOf(id) !== index);

/**
 * Like "215 of 220 requirements proven by tests, 5 excepted".
 *
 * @param {Coverage} coverage
 * @returns {string}
 */
export function summaryOf({ rows }) {
  const count = (/** @type {CoveredRow["state"]} */ state) => rows.filter((row) => row.state === state).length;
  const rest = [`${count("excepted")} excepted`];
  if (count("not run") > 0) rest.push(`${count("not run")} not run here`);
  if (count("open") > 0) rest.push(`${count("open")} open`);
  return `${count("proven")} of ${rows.length} requirements proven by tests, ${rest.join(", ")}`;
}
