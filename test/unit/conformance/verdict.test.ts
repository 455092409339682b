// The judge of test/conformance/ must not be easy to please.
import { describe, expect, it } from "vitest";
import { outcomeOf } from "../../conformance/table.mjs";
import { CLIENT_IS_CONTENT, type Evidence, FORGED_CODE, judge } from "../../conformance/verdict.mjs";

const success = { id: "token-request", status: "SUCCESS", description: "" };
const state = (text: string) => ({
  id: "incoming-auth-request",
  status: "INFO",
  description: "",
  details: { method: "GET", path: "/tenant1/authorize", query: { state: text } },
});
const LONG = "x".repeat(22);

const good: Evidence = {
  checks: [state(LONG), success],
  refereeCode: 0,
  clientCode: 0,
  timedOut: false,
  log: CLIENT_IS_CONTENT,
};

describe("judge", () => {
  it("is content with a run in which everything succeeded", () => {
    expect(judge(good)).toEqual({ passed: 1, problems: [] });
  });

  it.each<[string, Partial<Evidence>]>([
    ["checks", { checks: undefined }],
    ["checks", { checks: [] }],
    ["checks", { checks: [{ ...success, status: "INFO" }] }],
    ["token-request", { checks: [success, { ...success, status: "FAILURE" }] }],
    ["token-request", { checks: [success, { ...success, status: "WARNING" }] }],
    ["exit-code", { clientCode: 1 }],
    ["exit-code", { timedOut: true }],
    ["client-is-content", { log: "" }],
    ["referee", { refereeCode: 1 }],
    ["state-sent", { checks: [success, { ...state(LONG), details: { method: "GET", path: "/authorize" } }] }],
    ["state-sent", { checks: [success, state("short")] }],
    ["state-sent", { checks: [success, state(LONG), state(LONG)] }],
    [
      "forged-response-refused",
      {
        checks: [success, { ...state(""), details: { method: "POST", path: "/token", body: { code: FORGED_CODE } } }],
      },
    ],
  ])("finds %s in %j", (check, change) => {
    expect(judge({ ...good, ...change }).problems.map((problem) => problem.check)).toEqual([check]);
  });
});

describe("the table", () => {
  const way = { name: "raw", title: "", wire: "", cannot: { dpop: "why" } };
  const failed = { passed: 0, problems: [{ check: "token-request", text: "" }] };
  const succeeded = { passed: 1, problems: [] };

  it.each([
    ["iss-normalized", succeeded, "ok"],
    ["iss-normalized", failed, "failed"],
    ["dpop", failed, "cannot"],
    ["dpop", succeeded, "outdated"],
  ])("for %s with %j says %s", (scenario, verdict, outcome) => {
    expect(outcomeOf({ way, scenario, verdict })).toBe(outcome);
  });
});
