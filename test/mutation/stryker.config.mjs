// npm run mutation: changes src/tokens in a thousand small ways and counts how many of them the unit tests notice.
// A quarter of an hour or so on two cores; survivors.md explains those that nobody can or need notice.

/** @type {import("@stryker-mutator/api/core").PartialStrykerOptions} */
export default {
  plugins: ["@stryker-mutator/vitest-runner"],
  testRunner: "vitest",
  vitest: { configFile: "test/mutation/vitest.config.ts", related: false },
  mutate: ["src/tokens/**/*.ts"],
  coverageAnalysis: "perTest",
  concurrency: 2,
  // Waiting tests poll in a loop; a mutant that makes one wait for ever is found by the test's own limit.
  timeoutMS: 15_000,
  tempDirName: "node_modules/.cache/stryker",
  ignorePatterns: ["dist*", "docs", "reports", "examples", "node_modules/.cache*", "test/bench/node_modules"],
  reporters: ["clear-text", "progress", "json"],
  jsonReporter: { fileName: "reports/mutation.json" },
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  thresholds: { high: 90, low: 85, break: 80 },
};
