// What npm run conformance prints.

/** @typedef {import("./ways.mjs").Way} Way */
/** @typedef {import("./verdict.mjs").Verdict} Verdict */

/**
 * @typedef {object} Row
 * @property {Way} way
 * @property {string} scenario
 * @property {Verdict} verdict
 */

/**
 * - `ok`: as it must be, without failures and warnings.
 * - `cannot`: it does not work this way, which is known.
 * - `failed`: it does not work.
 * - `outdated`: it works, though ways.mjs says that it cannot.
 *
 * @param {Row} row
 * @returns {"ok" | "cannot" | "failed" | "outdated"}
 */
export function outcomeOf({ way, scenario, verdict }) {
  const isKnown = way.cannot?.[scenario] !== undefined;
  if (verdict.problems.length === 0) return isKnown ? "outdated" : "ok";
  return isKnown ? "cannot" : "failed";
}

/**
 * Scenarios down, ways across, the sums at the bottom, and below it what the letters and footnotes mean.
 *
 * @param {Row[]} rows
 * @returns {string}
 */
export function tableOf(rows) {
  const columns = [...new Set(rows.map(({ way }) => way))];
  const names = [...new Set(rows.map(({ scenario }) => scenario))];
  const reasons = [...new Set(rows.flatMap(({ way, scenario }) => way.cannot?.[scenario] ?? []))];
  const letterOf = (/** @type {Way} */ way) => String.fromCharCode("A".charCodeAt(0) + columns.indexOf(way));
  const nameWidth = Math.max(...names.map((name) => name.length)) + 2;
  const line = (/** @type {string} */ head, /** @type {(way: Way) => string} */ cellOf) =>
    (head.padEnd(nameWidth) + columns.map((way) => cellOf(way).padEnd(9)).join("")).trimEnd();
  const cell = (/** @type {Way} */ way, /** @type {string} */ scenario) => {
    const row = rows.find((each) => each.way === way && each.scenario === scenario);
    if (row === undefined) return "";
    const outcome = outcomeOf(row);
    if (outcome === "cannot") return `no (${reasons.indexOf(way.cannot?.[scenario] ?? "") + 1})`;
    return { ok: "ok", failed: way.isPeer ? "no" : "FAILED", outdated: "OUTDATED" }[outcome];
  };
  const sum = (/** @type {Way} */ way) => {
    const own = rows.filter((row) => row.way === way);
    return `${own.filter((row) => row.verdict.problems.length === 0).length}/${own.length}`;
  };
  return [
    line("", letterOf),
    ...names.map((name) => line(name, (way) => cell(way, name))),
    line("", sum),
    "",
    ...columns.map((way) => `${letterOf(way)}    ${way.title}, on the ${way.wire} wire`),
    ...reasons.map((reason, index) => `(${index + 1})  ${reason}`),
  ].join("\n");
}
