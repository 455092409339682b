import { describe, expect, it } from "vitest";
import { ResourceScope } from "../../../src/attach/resource-scope.ts";

const SERVER = "https://mcp.example.com/mcp";

describe("ResourceScope", () => {
  it.each<[string, string, boolean]>([
    [SERVER, "https://mcp.example.com/mcp", true],
    [SERVER, "https://mcp.example.com/mcp/", true],
    [SERVER, "https://mcp.example.com/mcp/messages?session=1", true],
    [`${SERVER}?tenant=1`, "https://mcp.example.com/mcp?tenant=2", true],
    ["https://mcp.example.com", "https://mcp.example.com/anything", true],
    [SERVER, "https://mcp.example.com/", false],
    [SERVER, "https://mcp.example.com/mcpx", false],
    [SERVER, "https://mcp.example.com/other", false],
    [SERVER, "https://mcp.example.com/mcp/../admin", false],
    [SERVER, "https://mcp.example.com/mcp/%2e%2e/admin", false],
    [SERVER, "https://mcp.example.com:8443/mcp", false],
    [SERVER, "http://mcp.example.com/mcp", false],
    [SERVER, "https://evil.example/mcp", false],
    [SERVER, "https://mcp.example.com.evil.example/mcp", false],
    [SERVER, "https://mcp.example.com@evil.example/mcp", false],
    ["http://mcp.example.com/mcp", "http://mcp.example.com/mcp", false],
    ["http://localhost:3000/mcp", "http://localhost:3000/mcp", true],
    ["http://localhost:3000/mcp", "http://127.0.0.1:3000/mcp", false],
  ])("a token for %s may travel to %s: %s [TOK-6] [TOK-7]", (server, target, expected) => {
    expect(new ResourceScope(server).includes(new URL(target))).toBe(expected);
  });

  it("takes in what the server itself named, on its own origin only [TOK-6]", () => {
    const scope = new ResourceScope("https://mcp.example.com/sse");
    const base = new URL("https://mcp.example.com/sse");
    expect(scope.vouch("/messages?sessionId=1", base)?.href).toBe("https://mcp.example.com/messages?sessionId=1");
    expect(scope.includes(new URL("https://mcp.example.com/messages?sessionId=2"))).toBe(true);
    expect(scope.includes(new URL("https://mcp.example.com/messages/deeper"))).toBe(false);
    expect(scope.vouch("https://evil.example/messages", base)?.href).toBe("https://evil.example/messages");
    expect(scope.includes(new URL("https://evil.example/messages"))).toBe(false);
    scope.vouch("http://mcp.example.com/plain", base);
    expect(scope.includes(new URL("https://mcp.example.com/plain"))).toBe(false);
    expect(scope.vouch("http://", base)).toBeUndefined();
  });

  it("takes in only so many", () => {
    const scope = new ResourceScope("https://mcp.example.com/sse");
    for (let index = 0; index < 200; index++) scope.vouch(`/m${index}`, new URL("https://mcp.example.com/sse"));
    const includes = (path: string): boolean => scope.includes(new URL(path, "https://mcp.example.com"));
    expect([includes("/m99"), includes("/m100")]).toEqual([true, false]);
  });
});
