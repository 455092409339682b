import { describe, expect, it } from "vitest";
import { coversScope, scopesOf, unionOfScopes } from "../../../src/core/scope.ts";

describe("scopes", () => {
  it("are separated by spaces, each counted once, and case matters [SCO-6]", () => {
    expect(scopesOf("a  B b a ")).toEqual(["a", "B", "b"]);
    expect(scopesOf(undefined)).toEqual([]);
    expect(coversScope("read", "READ")).toBe(false);
  });

  it.each<[string | undefined, string | undefined, string | undefined]>([
    ["a b", "b c", "a b c"],
    [undefined, "a", "a"],
    ["a", undefined, "a"],
    [undefined, undefined, undefined],
    ["", " ", undefined],
    ["files", "files:read", "files files:read"],
  ])("unite without anybody assuming that one includes another: %j and %j [STEP-2]", (left, right, expected) => {
    expect(unionOfScopes(left, right)).toBe(expected);
  });

  it.each<[string | undefined, string | undefined, boolean]>([
    ["a b", "b", true],
    ["a b", "a b", true],
    ["a", "a b", false],
    [undefined, "a", false],
    [undefined, undefined, true],
    ["files", "files:read", false],
  ])("%j covers %j: %s [SCO-5]", (granted, wanted, expected) => {
    expect(coversScope(granted, wanted)).toBe(expected);
  });
});
