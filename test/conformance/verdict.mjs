// What a run of a scenario shows: the suite's own checks, how the client ended, and two things that the suite does not ask.

/** A code that no authorization server issued: client/browser.ts sends it to the client before the true response. */
export const FORGED_CODE = "forged-by-another-page";

/** What the client writes when the scenario ended as it must. */
export const CLIENT_IS_CONTENT = "This is how it must be";

/** A state shorter than this can be guessed (RFC 6749 section 10.10). */
const SHORTEST_STATE = 22;

/**
 * @typedef {object} Check what the referee writes into checks.json
 * @property {string} id
 * @property {string} status SUCCESS, FAILURE, WARNING, SKIPPED or INFO
 * @property {string} description
 * @property {string} [errorMessage]
 * @property {{ method?: string, path?: string, query?: any, body?: any }} [details]
 */

/**
 * @typedef {object} Evidence
 * @property {Check[] | undefined} checks undefined when the referee wrote none
 * @property {number} refereeCode
 * @property {number} clientCode
 * @property {boolean} timedOut
 * @property {string} log what the client wrote
 */

/** @typedef {{ check: string, text: string }} Problem */

/** @typedef {{ passed: number, problems: Problem[] }} Verdict */

/**
 * @param {Evidence} evidence
 * @returns {Problem[]}
 */
function endingProblems({ refereeCode, clientCode, timedOut, log }) {
  if (timedOut) return [{ check: "exit-code", text: "the client did not end" }];
  if (clientCode !== 0) return [{ check: "exit-code", text: `the client ended with ${clientCode}` }];
  if (!log.includes(CLIENT_IS_CONTENT))
    return [{ check: "client-is-content", text: "the client did not come to its end" }];
  if (refereeCode !== 0) return [{ check: "referee", text: `the referee ended with ${refereeCode}` }];
  return [];
}

/**
 * @param {Check[]} checks
 * @returns {Problem[]}
 */
function suiteProblems(checks) {
  const failed = checks.filter(({ status }) => status === "FAILURE" || status === "WARNING");
  const problems = failed.map(({ id, status, description, errorMessage }) => ({
    check: id,
    text: `${status}: ${errorMessage ?? description}`,
  }));
  // A scenario that the referee skips ends well and proves nothing.
  if (!checks.some(({ status }) => status === "SUCCESS"))
    problems.push({ check: "checks", text: "nothing was checked" });
  return problems;
}

/**
 * `state` and what it is for (RFC 9700 section 2.1.1), out of the requests that the referee has recorded.
 *
 * @param {Check[]} checks
 * @returns {Problem[]}
 */
function stateProblems(checks) {
  const requests = checks.flatMap(({ id, details }) => (id.startsWith("incoming-") && details ? [details] : []));
  const sentTo = (/** @type {string} */ method, /** @type {string} */ name) =>
    requests.filter((request) => request.method === method && request.path?.endsWith(name));
  const states = sentTo("GET", "/authorize").map(({ query }) => String(query?.state ?? ""));
  /** @type {Problem[]} */
  const problems = [];
  if (states.some((state) => state.length < SHORTEST_STATE) || new Set(states).size < states.length) {
    problems.push({ check: "state-sent", text: `state must be there, long and new each time: ${states.join(", ")}` });
  }
  if (sentTo("POST", "/token").some(({ body }) => body?.code === FORGED_CODE)) {
    problems.push({ check: "forged-response-refused", text: "the client redeemed the code of a forged response" });
  }
  return problems;
}

/**
 * @param {Evidence} evidence
 * @returns {Verdict}
 */
export function judge(evidence) {
  const checks = evidence.checks ?? [];
  const found = [...suiteProblems(checks), ...stateProblems(checks)];
  return {
    passed: checks.filter(({ status }) => status === "SUCCESS").length,
    // The referee's own exit code says nothing beside what it found.
    problems:
      found.length > 0 ? [...found, ...endingProblems({ ...evidence, refereeCode: 0 })] : endingProblems(evidence),
  };
}
