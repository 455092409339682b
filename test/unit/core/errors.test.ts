import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { findMcpOAuthError, McpOAuthError, mcpOAuthErrorCodes } from "../../../src/core/errors.ts";

describe("McpOAuthError", () => {
  it("carries what is known, and nothing that is not [ERR-1]", () => {
    const cause = new Error("below");
    const details = {
      cause,
      server: "s",
      issuer: "i",
      oauthError: "o",
      status: 400,
      requiredScope: "r",
      retryAfterMs: 0,
    };
    const error = new McpOAuthError("token_request_failed", "It failed.", details);
    expect(error).toMatchObject({
      ...details,
      code: "token_request_failed",
      message: "It failed.",
      name: "McpOAuthError",
    });
    expect(Object.keys(new McpOAuthError("closed", "Closed."))).toEqual(["name", "code"]);
    expect("cause" in new McpOAuthError("closed", "Closed.")).toBe(false);
  });

  it("has a message of one short line that no terminal obeys, whatever a caller puts into it [CHL-9]", () => {
    const address = `https://as.example.com/\u202e\u001b[2J\n${"x".repeat(5000)}`;
    const { message } = new McpOAuthError("invalid_response", `The metadata at ${address} is no JSON.`);
    expect(message).toMatch(/^The metadata at https:\/\/as\.example\.com\/ \[2J x+…$/);
    expect(message.length).toBeLessThan(2000);
  });

  it("recognises errors of another copy of this package, and nothing else", () => {
    const foreign = Object.assign(new Error("x"), { [Symbol.for("mcp-oauth-client.error")]: true });
    expect(foreign).toBeInstanceOf(McpOAuthError);
    for (const other of [new Error("x"), { code: "closed" }, null, "closed", undefined]) {
      expect(other instanceof McpOAuthError).toBe(false);
    }
  });

  it("adds a server and an issuer that a lower floor did not know, and keeps those that it did", () => {
    const low = new McpOAuthError("timeout", "Late.", { issuer: "i", status: 504, retryAfterMs: 5, cause: "c" });
    const told = low.withContext({ server: "s", issuer: "other" });
    expect(told).toMatchObject({
      server: "s",
      issuer: "i",
      status: 504,
      retryAfterMs: 5,
      cause: "c",
      stack: low.stack,
    });
    expect(told.withContext({ server: "t" })).toBe(told);
  });

  it("has every code in its list once", () => {
    expect(new Set(mcpOAuthErrorCodes).size).toBe(mcpOAuthErrorCodes.length);
    expect(mcpOAuthErrorCodes).toContain("insufficient_scope");
  });
});

describe("findMcpOAuthError", () => {
  const ours = new McpOAuthError("closed", "Closed.");

  it.each([
    ["itself", ours],
    ["a cause of a cause", new Error("a", { cause: new Error("b", { cause: ours }) })],
    ["an aggregate", new AggregateError([new Error("a"), ours])],
    ["the property error", Object.assign(new Error("a"), { error: ours })],
    ["the property reason", { reason: ours }],
    ["the property data", { data: { originalError: ours } }],
    ["a list", [1, [ours]]],
  ])("finds it in %s", (_where, wrapper) => {
    expect(findMcpOAuthError(wrapper)).toBe(ours);
  });

  it("ends on loops and on values that are no objects", () => {
    const loop: { cause?: unknown } = {};
    loop.cause = { cause: loop };
    for (const value of [loop, undefined, null, "x", 5])
      expect(findMcpOAuthError(value), inspect(value)).toBeUndefined();
  });
});
