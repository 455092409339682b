import { describe, expect, it } from "vitest";
import { parseRetryAfter } from "../../../src/core/retry-after.ts";

const NOW = Date.UTC(2026, 7, 22, 12);

describe("parseRetryAfter", () => {
  it.each<[string, number | undefined]>([
    ["0", 0],
    ["120", 120_000],
    [" 5 ", 5000],
    ["Sat, 22 Aug 2026 12:01:00 GMT", 60_000],
    ["Sat, 22 Aug 2026 11:00:00 GMT", 0],
    ["99999999999", 86_400_000],
    ["9".repeat(400), 86_400_000],
    ["Fri, 31 Dec 9999 23:59:59 GMT", 86_400_000],
    ["soon", undefined],
    ["", undefined],
  ])("%j is %s ms [ERR-3]", (value, expected) => {
    expect(parseRetryAfter(new Headers({ "retry-after": value }), NOW)).toBe(expected);
  });

  it("is undefined where the field is missing", () => {
    expect(parseRetryAfter(new Headers(), NOW)).toBeUndefined();
  });
});
