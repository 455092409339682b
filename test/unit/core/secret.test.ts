import { format, inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/core/secret.ts";

describe("Secret", () => {
  it.each<[string, (secret: Secret) => string]>([
    ["String()", (secret) => String(secret)],
    ["a template", (secret) => `${secret}`],
    // biome-ignore lint/style/useTemplate: this is what is tested
    ["concatenation", (secret) => "" + secret],
    ["JSON", (secret) => JSON.stringify({ secret, list: [secret] })],
    ["inspect with everything hidden shown", (secret) => inspect({ secret }, { showHidden: true, depth: 9 })],
    ["format", (secret) => format("%s %o %O %j", secret, secret, secret, secret)],
    ["a number", (secret) => String(Number(secret))],
    ["its own properties", (secret) => JSON.stringify([Object.entries(secret), Object.getOwnPropertyNames(secret)])],
    ["a copy", (secret) => inspect({ ...secret })],
    ["an error's message", (secret) => new Error(`${secret}`, { cause: secret }).message],
  ])("is not shown by %s", (_way, show) => {
    expect(show(new Secret("hunter2-token"))).not.toContain("hunter2");
  });

  it("gives its value only by reveal, and is frozen", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        const secret = new Secret(value);
        expect(secret.reveal()).toBe(value);
        expect(Object.isFrozen(secret)).toBe(true);
      }),
    );
  });

  it("wraps what may be absent, and knows its own kind", () => {
    expect(Secret.of(undefined)).toBeUndefined();
    expect(Secret.of("")?.reveal()).toBe("");
    expect(Secret.isSecret(new Secret("x"))).toBe(true);
    expect(Secret.isSecret({ reveal: () => "x" })).toBe(false);
    expect(Secret.isSecret(null)).toBe(false);
  });
});
