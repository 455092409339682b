import { describe, expect, it } from "vitest";
import { argumentsOf, namedArguments } from "../../../src/cli/call-arguments.ts";
import { firstSentence, inertLines } from "../../../src/cli/readable-text.ts";
import { parametersOf } from "../../../src/cli/schema-words.ts";
import { toolResultText } from "../../../src/cli/tool-result-text.ts";

describe("arguments", () => {
  it.each([
    [undefined, {}],
    ['{"a":1}', { a: 1 }],
    ["-", { from: "stdin" }],
  ])("come from %j", async (json, expected) => {
    expect(await argumentsOf(json, async () => '{"from":"stdin"}')).toEqual(expected);
  });

  it.each(["[1]", "text", "", "null"])("are not %j", async (json) => {
    await expect(argumentsOf(json, async () => "")).rejects.toMatchObject({ exitCode: 2 });
  });

  const inputSchema = {
    properties: {
      text: { type: "string" },
      number: { type: "number" },
      list: { type: ["array", "null"] },
      either: { anyOf: [{ type: "string" }, { type: "number" }] },
      free: {},
    },
  };
  it.each([
    ["text=5", { text: "5" }],
    ["text=a=b", { text: "a=b" }],
    ["text=", { text: "" }],
    ["number=5", { number: 5 }],
    ["list=[1]", { list: [1] }],
    ["either=5", { either: "5" }],
    ["free=5", { free: "5" }],
    ["unknown=5", { unknown: "5" }],
  ])("by name are read as the tool takes them: %s", (given, expected) => {
    expect(namedArguments([given], inputSchema)).toEqual(expected);
  });

  it.each(["number=five", "list=[", "nothing", "=5"])("by name are refused: %s", (given) => {
    expect(() => namedArguments([given], inputSchema)).toThrow(/takes/);
  });
});

it.each([
  [{ type: "string" }, "string"],
  [{ type: ["string", "null"] }, "string or null"],
  [{ type: "array", items: { type: "integer" } }, "integer[]"],
  [{ enum: ["a", "b"] }, '"a" or "b"'],
  [{ const: 1 }, "1"],
  [{ oneOf: [{ type: "string" }, { type: "number" }] }, "string or number"],
  [{}, "anything"],
  [true, "anything"],
  [{ type: "str\u001b[31ming" }, "str [31ming"],
])("says what a parameter takes: %j", (schema, type) => {
  expect(parametersOf({ properties: { p: schema }, required: ["p"] })).toMatchObject([
    { name: "p", type, required: true },
  ]);
});

it.each([
  ["One. Two.", "One."],
  ["Uses v1.2 of it. More.", "Uses v1.2 of it."],
  ["No end", "No end"],
  ["A heading\n\nAnd more.", "A heading"],
  ["Broken\nover lines. More.", "Broken over lines."],
  ["\u001b[2JClear", "[2JClear"],
])("takes the first sentence of %j", (text, sentence) => {
  expect(firstSentence(text)).toBe(sentence);
});

it("keeps the lines of a text, and nothing that a terminal obeys", () => {
  expect(inertLines("a\r\n\tb\u001b[2J\n\n  c\u202e")).toBe("a\n  b [2J\n\n  c");
});

it.each([
  [
    {
      content: [
        { type: "text", text: "a" },
        { type: "text", text: "b" },
      ],
    },
    "a\nb",
  ],
  [{ content: [{ type: "image", mimeType: "image/png", data: "AAAA" }] }, "[image: image/png, 3 bytes]"],
  [{ content: [{ type: "audio", mimeType: "audio/wav", data: "A".repeat(8192) }] }, "[audio: audio/wav, 6 KB]"],
  [{ content: [{ type: "resource_link", name: "n", uri: "file:///a" }] }, "[resource_link: n, file:///a]"],
  [{ content: [{ type: "resource", resource: { uri: "a:b", text: "inside" } }] }, "inside"],
  [{ content: [{ type: "resource", resource: { uri: "a:b", blob: "AAAA" } }] }, "[resource: a:b, 3 bytes]"],
  [{ content: [{ type: "text", text: '{"a":1}' }], structuredContent: { a: 1 } }, '{"a":1}'],
  [{ content: [], structuredContent: { a: 1 } }, '{\n  "a": 1\n}'],
  [{}, ""],
])("shows a result as text: %j", (result, text) => {
  expect(toolResultText(result)).toBe(text);
});
