import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Challenge, parseChallenges } from "../../../src/challenge/parse.ts";

/** A challenge as the tables below write it: scheme, parameters, and what else there is to say. */
function plain({ scheme, parameters, token68, usable }: Challenge): unknown[] {
  const rest = token68 === undefined ? [] : [{ token68 }];
  return [scheme, Object.fromEntries(parameters), ...rest, ...(usable ? [] : ["unusable"])];
}

function parsed(fieldValue: string): unknown[][] {
  return parseChallenges(fieldValue).map(plain);
}

describe("parseChallenges", () => {
  it.each([
    ["one challenge", 'Bearer realm="a"', [["bearer", { realm: "a" }]]],
    [
      "a comma inside quotes",
      'Basic realm="a, b", Bearer scope="x"',
      [
        ["basic", { realm: "a, b" }],
        ["bearer", { scope: "x" }],
      ],
    ],
    [
      "Bearer in the second place",
      'Basic realm="a", Bearer error="b"',
      [
        ["basic", { realm: "a" }],
        ["bearer", { error: "b" }],
      ],
    ],
    [
      "Negotiate, DPoP and Bearer",
      'Negotiate, DPoP algs="ES256 PS256", Bearer scope="x"',
      [
        ["negotiate", {}],
        ["dpop", { algs: "ES256 PS256" }],
        ["bearer", { scope: "x" }],
      ],
    ],
    [
      "several schemes without parameters",
      "Negotiate, NTLM, Bearer",
      [
        ["negotiate", {}],
        ["ntlm", {}],
        ["bearer", {}],
      ],
    ],
    [
      "something like a challenge inside quotes",
      'Bearer a="Basic realm=x, Digest y=z"',
      [["bearer", { a: "Basic realm=x, Digest y=z" }]],
    ],
  ])("accepts several challenges in one field: %s [CHL-2]", (_case, text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    ["a token", "Bearer error=invalid_token", [["bearer", { error: "invalid_token" }]]],
    ["a quoted-string", 'Bearer error="invalid_token"', [["bearer", { error: "invalid_token" }]]],
    ["an empty quoted-string", 'Bearer realm=""', [["bearer", { realm: "" }]]],
    ["escaped quotes", 'Bearer realm="say \\"hi\\""', [["bearer", { realm: 'say "hi"' }]]],
    [
      "an escaped backslash before the end",
      'Bearer realm="a\\\\", scope="b"',
      [["bearer", { realm: "a\\", scope: "b" }]],
    ],
    ["escapes that were not needed", 'Bearer realm="\\a\\b"', [["bearer", { realm: "ab" }]]],
    ["equals and commas inside quotes", 'Bearer scope="a=b, c=d"', [["bearer", { scope: "a=b, c=d" }]]],
    ["a quoted scope with many words", 'Bearer scope="a b  c"', [["bearer", { scope: "a b  c" }]]],
    [
      "white space around equals and commas",
      'Bearer \t realm = "a" \t,\t scope\t=\tb',
      [["bearer", { realm: "a", scope: "b" }]],
    ],
    [
      "no white space at all",
      'Bearer realm="a",scope="b",Basic x=y',
      [
        ["bearer", { realm: "a", scope: "b" }],
        ["basic", { x: "y" }],
      ],
    ],
    ["empty list items", ', ,, Bearer realm="a",,\t, scope="b", ,', [["bearer", { realm: "a", scope: "b" }]]],
    [
      "token68 data",
      "Negotiate YIIJvwYGKwYBBQUCoIIJszCCCa+gDTALBgkq==",
      [["negotiate", {}, { token68: "YIIJvwYGKwYBBQUCoIIJszCCCa+gDTALBgkq==" }]],
    ],
    [
      "token68 data and another challenge",
      'Negotiate a/b==, Bearer scope="x"',
      [
        ["negotiate", {}, { token68: "a/b==" }],
        ["bearer", { scope: "x" }],
      ],
    ],
    ["characters of Latin-1", 'Bearer realm="caf\u00e9"', [["bearer", { realm: "caf\u00e9" }]]],
    [
      "an unquoted URL, which breaks the grammar",
      "Bearer resource_metadata=https://h/.well-known/x?a=b, scope=s",
      [["bearer", { resource_metadata: "https://h/.well-known/x?a=b", scope: "s" }]],
    ],
    ["a value that is missing", 'Bearer a=b, realm= , scope="b"', [["bearer", { a: "b", realm: "", scope: "b" }]]],
  ])("reads values in every form of the grammar: %s [CHL-3]", (_case, text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    ["schemes", 'bEaReR realm="a"', [["bearer", { realm: "a" }]]],
    ["parameter names", "Bearer RESOURCE_METADATA=u", [["bearer", { resource_metadata: "u" }]]],
    ["values keep their case", "Bearer Scope=ReadAll", [["bearer", { scope: "ReadAll" }]]],
  ])("is case-insensitive where the grammar is: %s [CHL-4]", (_case, text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    ["twice in different case", 'Bearer scope="a", SCOPE="b"', [["bearer", { scope: "a" }, "unusable"]]],
    ["twice with the same value", "Bearer scope=a, scope=a", [["bearer", { scope: "a" }, "unusable"]]],
    [
      "twice, but in two challenges",
      "Bearer scope=a, DPoP scope=b",
      [
        ["bearer", { scope: "a" }],
        ["dpop", { scope: "b" }],
      ],
    ],
    [
      "once in a good challenge after a bad one",
      "Bearer a=1, a=2, DPoP b=3",
      [
        ["bearer", { a: "1" }, "unusable"],
        ["dpop", { b: "3" }],
      ],
    ],
  ])("makes a challenge with a repeated parameter unusable: %s [CHL-4]", (_case, text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  it.each([
    ["an empty field", "", []],
    ["only commas", " , ,\t,", []],
    ["a quote that is never closed", 'Bearer realm="a, scope="', [["bearer", { realm: "a, scope=" }]]],
    ["a cut-off quoted-string", 'Bearer scope="a b', [["bearer", { scope: "a b" }, "unusable"]]],
    ["a cut-off escape", 'Bearer scope="a\\', [["bearer", { scope: "a\\" }, "unusable"]]],
    ["a quoted-string without a name", '"a, b", Bearer scope=c', [["bearer", { scope: "c" }]]],
    ["characters outside the grammar", "@@@ , Bearer scope=c", [["bearer", { scope: "c" }]]],
  ])("copes with a broken field: %s", (_case, text, expected) => {
    expect(parsed(text)).toEqual(expected);
  });

  const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  const token = fc.string({ unit: fc.constantFrom(...TOKEN_CHARACTERS), minLength: 1, maxLength: 12 });
  const token68 = fc.stringMatching(/^[A-Za-z0-9\-._~+/]{1,20}={0,2}$/);
  const optionalSpace = fc.stringMatching(/^[ \t]{0,3}$/);
  const space = fc.stringMatching(/^[ \t]{1,3}$/);
  const separator = fc.tuple(optionalSpace, fc.stringMatching(/^,[ \t,]{0,3}$/)).map((parts) => parts.join(""));
  /** Everything that a quoted-string can hold, with or without an escape before it. */
  const quotedCharacter = fc.tuple(
    fc
      .integer({ min: 0x20, max: 0xff })
      .filter((code) => code < 0x7f || code > 0x9f)
      .map((code) => String.fromCharCode(code)),
    fc.boolean(),
  );
  const quotedValue = fc.array(quotedCharacter, { maxLength: 20 }).map((characters) => ({
    value: characters.map(([character]) => character).join(""),
    wire: `"${characters.map(([character, escaped]) => (escaped || '"\\'.includes(character) ? `\\${character}` : character)).join("")}"`,
  }));
  const tokenValue = token.map((value) => ({ value, wire: value }));
  const parameter = fc
    .record({ name: token, value: fc.oneof(quotedValue, tokenValue), before: optionalSpace, after: optionalSpace })
    .map(({ name, value, before, after }) => ({
      name: name.toLowerCase(),
      value: value.value,
      wire: `${name}${before}=${after}${value.wire}`,
    }));
  const challenge = fc.oneof(
    fc.record({ scheme: token, gap: space, data: token68 }).map(({ scheme, gap, data }) => ({
      expected: [scheme.toLowerCase(), {}, { token68: data }],
      wire: `${scheme}${gap}${data}`,
    })),
    fc
      .record({
        scheme: token,
        gap: space,
        separator,
        parameters: fc.uniqueArray(parameter, { selector: ({ name }) => name, maxLength: 5 }),
      })
      .map(({ scheme, gap, separator, parameters }) => ({
        expected: [scheme.toLowerCase(), Object.fromEntries(parameters.map(({ name, value }) => [name, value]))],
        wire: [
          `${scheme}${parameters.length === 0 ? "" : gap}${parameters[0]?.wire ?? ""}`,
          ...parameters.slice(1).map(({ wire }) => wire),
        ].join(separator),
      })),
  );

  it("finds in any list, in any order, case, white space and escaping, what was put into it [CHL-2] [CHL-3] [CHL-4]", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(separator, challenge), { maxLength: 5 }), (list) => {
        const wire = list.map(([gap, { wire }], index) => (index === 0 ? wire : `${gap}${wire}`)).join("");
        expect(parsed(wire)).toEqual(list.map(([, { expected }]) => expected));
      }),
      { numRuns: 500 },
    );
  });

  it("never throws, whatever a server sends", () => {
    const piece = fc.oneof(
      fc.string(),
      fc.constantFrom('"', "\\", ",", "=", " ", "Bearer ", 'a="', 'b="c"', "==", "\u0000"),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        for (const { scheme } of parseChallenges(pieces.join(""))) expect(scheme).toBe(scheme.toLowerCase());
      }),
      { numRuns: 500 },
    );
  });

  // Anything quadratic would need some ten thousand times as long for these and run into the test's time limit.
  it.each([
    "a",
    "a ",
    "a=",
    "=",
    " ",
    ",",
    '"',
    '\\"',
    "\\",
    'a="',
    'a="b",',
    "a,",
    "a =,",
    "a b=c,",
    "\u00e9",
    'a "',
    "a  \t",
  ])("reads 200,000 characters of %j in linear time", (piece) => {
    const text = piece.repeat(200_000 / piece.length);
    expect(() => parseChallenges(text)).not.toThrow();
    expect(() => parseChallenges(`Bearer a="${text}`)).not.toThrow();
    expect(() => parseChallenges(`Bearer ${text}`)).not.toThrow();
  });
});
