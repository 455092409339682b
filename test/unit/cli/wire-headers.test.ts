import { describe, expect, it } from "vitest";
import type { Message } from "../../../src/cli/proxy/json-rpc.ts";
import { headerValue, WireHeaders } from "../../../src/cli/proxy/wire-headers.ts";

const envelope = { "io.modelcontextprotocol/protocolVersion": "2026-07-28" };

function message(method: string, params: Record<string, unknown> = {}): Message {
  return { jsonrpc: "2.0", id: 1, method, params: { ...params, _meta: envelope } };
}

it.each([
  ["plain", "plain"],
  ["with a space inside", "with a space inside"],
  ["", "=?base64??="],
  [" space before", "=?base64?IHNwYWNlIGJlZm9yZQ==?="],
  ["tab\tinside", "tab\tinside"],
  ["line\nbreak", "=?base64?bGluZQpicmVhaw==?="],
  ["Zürich", "=?base64?WsO8cmljaA==?="],
  ["=?base64?QQ==?=", "=?base64?PT9iYXNlNjQ/UVE9PT89?="],
])("writes %j as the header value %j", (text, value) => {
  expect(headerValue(text)).toBe(value);
});

describe("the headers of a message", () => {
  const headers = new WireHeaders();

  it("are none for revisions that know none", () => {
    expect(headers.of({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "a" } })).toEqual({});
    expect(headers.of({ jsonrpc: "2.0", id: 1, result: { _meta: envelope } })).toEqual({});
  });

  it.each([
    ["tools/call", { name: "a b" }, "a b"],
    ["prompts/get", { name: "a" }, "a"],
    ["resources/read", { uri: "file:///ä" }, "=?base64?ZmlsZTovLy/DpA==?="],
    ["tasks/get", { taskId: "1" }, "1"],
    ["tools/list", { name: "a" }, undefined],
    ["tools/call", { name: 7 }, undefined],
    ["constructor", { name: "a" }, undefined],
  ])("name revision, method and subject: %s %j", (method, params, name) => {
    expect(headers.of(message(method, params))).toEqual({
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(name !== undefined && { "mcp-name": name }),
    });
  });
});

describe("arguments that are repeated", () => {
  const properties = {
    region: { type: "string", "x-mcp-header": "Region" },
    deep: { type: "object", properties: { count: { type: "integer", "x-mcp-header": "Count" } } },
    flag: { type: "boolean", "x-mcp-header": "Flag" },
    odd: { type: "string", "x-mcp-header": "not a name" },
    silent: { type: "string" },
  };
  const headers = new WireHeaders();
  headers.learn([{ name: "tool", inputSchema: { type: "object", properties } }, null, { name: 1 }]);
  const mirrored = (name: string, args: unknown): string[] =>
    Object.entries(headers.of(message("tools/call", { name, arguments: args })))
      .filter(([header]) => header.startsWith("mcp-param-"))
      .map((pair) => pair.join(": "));

  it.each([
    [{ region: "here", silent: "x", odd: "x" }, ["mcp-param-Region: here"]],
    [{ deep: { count: 3 }, flag: false }, ["mcp-param-Count: 3", "mcp-param-Flag: false"]],
    [{ region: null, deep: { count: 2 ** 60 } }, []],
    [{ region: { nested: true }, deep: "text" }, []],
    [undefined, []],
  ])("are those that the tool marks: %j", (args, expected) => {
    expect(mirrored("tool", args)).toEqual(expected);
  });

  it("are none of a tool that is not known", () => {
    expect(mirrored("other", { region: "here" })).toEqual([]);
  });
});
