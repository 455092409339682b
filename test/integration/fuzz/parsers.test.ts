// A short walk through what `npm run fuzz` does at length, the same each time.
import fc from "fast-check";
import { McpOAuthError } from "mcp-oauth-client";
import { describe, expect, it, onTestFinished } from "vitest";
import { fuzzTarget } from "../../fuzz/target.ts";
import { targets } from "../../fuzz/targets.ts";

describe("200 inputs, most of them wrong, leave every parser with a right result or a typed error", () => {
  it.each(targets)("$name", async ({ start }) => {
    const running = await start();
    onTestFinished(() => running.close());
    const outcomes = new Set<string>();
    await fc.assert(
      running.property((outcome) => outcomes.add(outcome)),
      { seed: 20_260_822, numRuns: 200 },
    );
    // Inputs of which none is right would prove little.
    expect(outcomes).toContain("accepted");
  });
});

describe("the fuzzer notices", () => {
  async function failureWith(read: () => unknown): Promise<string> {
    const { start } = fuzzTarget("broken", fc.constant(0), () => ({ read, secretsIn: () => ["planted"] }));
    const { failed, errorInstance } = await fc.check(
      (await start()).property(() => undefined),
      { numRuns: 1 },
    );
    expect(failed).toBe(true);
    return String(errorInstance);
  }
  const fails = (message: string, details = {}) => {
    throw new McpOAuthError("invalid_response", message, details);
  };
  const pollute = (): void => {
    Object.assign(Object.prototype, { polluted: true });
    onTestFinished(() => {
      Reflect.deleteProperty(Object.prototype, "polluted");
    });
  };
  const computeForLong = (): void => {
    const before = process.cpuUsage();
    for (let used = 0; used < 1_100_000; ) {
      const { user, system } = process.cpuUsage(before);
      used = user + system;
    }
  };

  it.each<[string, () => unknown, RegExp]>([
    ["an error of another kind", () => (undefined as unknown as object).toString(), /TypeError/],
    ["a code that does not exist", () => Promise.reject(new McpOAuthError("x" as "closed", "x")), /x is no code/],
    ["a secret in an error's cause", () => fails("x", { cause: new Error("it was planted") }), /a secret is shown/],
    ["a character that is obeyed", () => fails("x", { oauthError: "a\u001b[2J" }), /is obeyed or cannot be seen/],
    ["a scope without end", () => fails("x", { requiredScope: "x".repeat(5000) }), /5000 characters/],
    ["a polluted prototype", pollute, /has been polluted/],
    ["an object whose prototype came in", () => ({ a: Object.create({ polluted: 1 }) }), /out of the input/],
    ["long work", computeForLong, /ms of the processor/],
  ])("%s", async (_case, read, expected) => {
    expect(await failureWith(read)).toMatch(expected);
  });
});
