// The check of the requirements sees what it is there for.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { citedIn, coverageOf, type Requirement, summaryOf, type TestResult } from "../requirements/coverage.mjs";
import { documentOf } from "../requirements/document.mjs";
import { exceptions } from "../requirements/exceptions.mjs";

const requirement = (id: string): Requirement => ({
  id,
  section: "Some",
  versions: ["2025-11-25", "2026-07-28"],
  document: "authorization",
  rfc: "RFC 1 §2",
  requirement: `what ${id} asks for | <more>`,
  level: "MUST",
  derived: id === "A-2",
});
const test = (name: string, status = "passed", file = "unit/some.test.ts"): TestResult => ({ file, name, status });

const sound = {
  requirements: [requirement("A-1"), requirement("A-2"), requirement("B-1")],
  exceptions: { "B-1": "It is about something that is not there." },
  tests: [test("does it [A-1]"), test("does both [A-1, A-2]", "passed", "unit/other.test.ts"), test("does more")],
};
type Given = Parameters<typeof coverageOf>[0];
const faultsOf = (changes: Partial<Given>): string[] => coverageOf({ ...sound, ...changes }).faults;
const withTests = (...tests: TestResult[]): Partial<Given> => ({ tests: [...sound.tests, ...tests] });

describe("citations", () => {
  // Told by words: in the name of this test an id would be a citation itself.
  it.each([
    ["one", "[A-1]", ["A-1"]],
    ["several, and lists", "x [AB-12, CD-3] y [E-4]", ["AB-12", "CD-3", "E-4"]],
    ["none in other brackets", "a server on [::1], with [0-9] and [A-z] and [UTF8] (A-1)", []],
  ])("%s", (_what, ...[name, ids]) => {
    expect(citedIn(name)).toEqual(ids);
  });
});

describe("the check", () => {
  it("finds nothing where nothing is wrong", () => {
    const coverage = coverageOf(sound);
    expect(coverage.faults).toEqual([]);
    expect(coverage.rows.map(({ state }) => state)).toEqual(["proven", "proven", "excepted"]);
    expect(summaryOf(coverage)).toBe("2 of 3 requirements proven by tests, 1 excepted");
  });

  const planted: [string, Partial<Given>, string][] = [
    [
      "an id that does not exist",
      withTests(test("x [A-9]")),
      "A-9 is cited in unit/some.test.ts and is no requirement",
    ],
    ["an id without brackets", withTests(test("x (A-1)")), "A-1 stands without [brackets] in unit/some.test.ts"],
    ["a list with the wrong comma", withTests(test("x [A-1; B-1]")), "B-1 stands without [brackets]"],
    ["a requirement that nobody cites", { tests: [test("[A-1]")] }, "A-2 is neither cited by a test nor excepted"],
    ["an exception that is outdated", withTests(test("[B-1]")), "B-1 is excepted though unit/some.test.ts cites it"],
    ["one outdated by a test that is skipped", withTests(test("[B-1]", "skipped")), "B-1 is excepted though"],
    ["an exception for nothing", { exceptions: { ...sound.exceptions, "C-1": "?" } }, "C-1 is excepted and is no"],
    ["an exception without a reason", { exceptions: { "B-1": " " } }, "B-1 is excepted without a reason"],
    ["a test that fails", { tests: [test("[A-1]"), test("[A-2]", "failed")] }, "A-2 is cited by tests that fail only"],
    ["a test that is still to be written", { tests: [test("[A-1]"), test("[A-2]", "todo")] }, "A-2 is neither cited"],
    ["an id twice", { requirements: [...sound.requirements, requirement("A-1")] }, "A-1 is there twice"],
  ];
  it.each(planted)("sees %s", (_what, changes, fault) => {
    const faults = faultsOf(changes);
    expect(faults.filter((each) => each.startsWith(fault))).toHaveLength(1);
  });

  it.each(["skipped", "pending"])("counts a test that is %s for nothing, and says so", (status) => {
    const coverage = coverageOf({ ...sound, tests: [test("[A-1]"), test("[A-2]", status)] });
    expect(coverage.rows[1]?.state).toBe("not run");
    expect(summaryOf(coverage)).toBe("1 of 3 requirements proven by tests, 1 excepted, 1 not run here");
  });
});

describe("the page", () => {
  it("has a line for each requirement, with what proves it or why nothing does", () => {
    const lines = documentOf(coverageOf(sound)).split("\n");
    expect(lines).toContain("2 of 3 are proven by tests.");
    const place = "since 2025-11-25 · authorization · RFC 1 §2";
    expect(lines.filter((line) => line.startsWith("| **"))).toEqual([
      `| **A-1** what A-1 asks for \\| &lt;more><br>*MUST · ${place}* | unit/other, unit/some |`,
      `| **A-2** what A-2 asks for \\| &lt;more><br>*MUST \\* · ${place}* | unit/other |`,
      `| **B-1** what B-1 asks for \\| &lt;more><br>*MUST · ${place}* | **Not proven.** ${sound.exceptions["B-1"]} |`,
    ]);
  });

  it("does not depend on what could be run on this machine", () => {
    const skipped = sound.tests.map((each) => ({ ...each, status: "skipped" }));
    expect(documentOf(coverageOf({ ...sound, tests: skipped }))).toBe(documentOf(coverageOf(sound)));
  });
});

describe("the requirements", () => {
  const requirements = JSON.parse(
    readFileSync(new URL("../requirements/requirements.json", import.meta.url), "utf8"),
  ) as Requirement[];

  it("are all there, each with its words", () => {
    expect(requirements).toHaveLength(220);
    for (const { id, versions, requirement: words, level } of requirements) {
      expect(id).toMatch(/^[A-Z]+-\d+$/);
      expect(versions.length, id).toBeGreaterThan(0);
      expect(words.length, id).toBeGreaterThan(10);
      expect(level, id).toMatch(/MUST|SHOULD|MAY|RECOMMENDED/);
    }
  });

  it("have at most five exceptions", () => {
    expect(Object.keys(exceptions).length).toBeLessThanOrEqual(5);
  });
});
