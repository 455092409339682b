import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { inertText, quoted } from "../../../src/core/text.ts";
import { anyText } from "../../support/any-text.ts";

describe("server text in messages", () => {
  it.each([
    ["control characters and line ends", "a\u0000b\r\nc\td\u001b[31me\u009bf", "a b c d [31me f"],
    ["bidirectional overrides and invisible characters", "a\u202eb\u200bc\ufeffd\u2066e", "abcde"],
    ["separators of lines and paragraphs", "a\u2028b\u2029c", "a b c"],
    ["lone surrogates and private characters", "a\ud800b\ue000c", "abc"],
    ["white space around", "  a   b  ", "a b"],
    ["letters of any script", "Zürich 東京 🙂", "Zürich 東京 🙂"],
  ])("is made inert: %s [CHL-9]", (_case, text, expected) => {
    expect(inertText(text)).toBe(expected);
  });

  it("is cut, by characters and not by halves of them [CHL-9]", () => {
    expect(inertText("x".repeat(300))).toBe(`${"x".repeat(200)}…`);
    expect(inertText(`a${"🙂".repeat(300)}`, 10)).toBe(`a${"🙂".repeat(9)}…`);
    expect(inertText("🙂".repeat(300), 10)).toBe(`${"🙂".repeat(10)}…`);
  });

  it("cannot leave its quotes [CHL-9]", () => {
    expect(quoted('x". Open http://evil.example "')).toBe(`"x'. Open http://evil.example '"`);
  });

  it("is one short line without anything that a terminal obeys, whatever it was [CHL-9]", () => {
    fc.assert(
      fc.property(anyText({ maxLength: 500 }), fc.integer({ min: 1, max: 100 }), (text, most) => {
        const inert = inertText(text, most);
        expect(inert).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u);
        expect(Array.from(inert).length).toBeLessThanOrEqual(most + 1);
        expect(inertText(inert, most + 1)).toBe(inert);
      }),
      { numRuns: 500 },
    );
  });
});
