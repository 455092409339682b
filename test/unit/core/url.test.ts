import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  appendWellKnown,
  canonicalServerUrl,
  insertWellKnown,
  isLoopbackHost,
  isWithin,
  requireSecureUrl,
} from "../../../src/core/url.ts";
import { anyUrl } from "../../support/any-text.ts";
import { failureOf } from "../../support/failure.ts";

describe("requireSecureUrl", () => {
  it.each([
    "https://as.example.com/token",
    "HTTPS://as.example.com:8443",
    "http://localhost:3000/x",
    "http://127.0.0.1/x",
    "http://127.9.8.7/x",
    "http://[::1]:9/x",
    "http://LOCALHOST/x",
    "http://0x7f.1/x",
  ])("lets %s through [TLS-1] [TLS-2]", (url) => {
    expect(requireSecureUrl(url, "The endpoint").href).toBe(new URL(url).href);
  });

  it.each([
    "http://as.example.com/",
    "http://localhost.evil/",
    "http://localhost.evil.example/",
    "http://evil-localhost/",
    "http://127.0.0.1.evil.example/",
    "http://10.0.0.1/",
    "http://0.0.0.0/",
    "http://[::2]/",
    "http://[::ffff:127.0.0.1]/",
    "ws://localhost/",
    "ftp://as.example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
  ])("refuses %s [TLS-1] [TLS-2]", async (url) => {
    const error = await failureOf(() => requireSecureUrl(url, "The token endpoint", { issuer: "i" }));
    expect(error).toMatchObject({ code: "insecure_url", issuer: "i" });
    expect(error.message).toContain("The token endpoint");
  });

  it.each([
    "",
    "not a url",
    "/token",
    "//as.example.com/token",
    "https://",
    "https://user:hunter2@as.example.com/",
    "https://user@as.example.com/",
  ])("does not take %j for a URL", async (url) => {
    const error = await failureOf(() => requireSecureUrl(url, "The token endpoint"));
    expect(error.code).toBe("invalid_response");
    expect(error.message).not.toContain("hunter2");
  });

  it("throws nothing but McpOAuthError, and lets nothing but https and loopback pass [TLS-1]", async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), anyUrl), async (text) => {
        try {
          const { protocol, hostname } = requireSecureUrl(text, "It");
          expect(protocol === "https:" || isLoopbackHost(hostname)).toBe(true);
        } catch (error) {
          await failureOf(Promise.reject(error));
        }
      }),
    );
  });
});

describe("canonicalServerUrl", () => {
  it.each([
    ["https://mcp.example.com", "https://mcp.example.com"],
    ["https://mcp.example.com/", "https://mcp.example.com"],
    ["HTTPS://MCP.Example.COM/Path", "https://mcp.example.com/Path"],
    ["https://mcp.example.com:443/mcp", "https://mcp.example.com/mcp"],
    ["https://mcp.example.com:8443/mcp", "https://mcp.example.com:8443/mcp"],
    ["https://mcp.example.com/mcp/", "https://mcp.example.com/mcp/"],
    ["https://mcp.example.com/server/mcp", "https://mcp.example.com/server/mcp"],
    ["https://mcp.example.com/mcp?tenant=a", "https://mcp.example.com/mcp?tenant=a"],
    ["http://[::1]:3000/mcp", "http://[::1]:3000/mcp"],
    ["https://bücher.example/mcp", "https://xn--bcher-kva.example/mcp"],
  ])("%s is %s [RES-6]", (given, canonical) => {
    expect(canonicalServerUrl(given)).toBe(canonical);
    expect(canonicalServerUrl(new URL(given))).toBe(canonical);
    expect(canonicalServerUrl(canonical)).toBe(canonical);
  });

  it.each(["https://mcp.example.com/mcp#part", "https://mcp.example.com/mcp#"])(
    "drops the fragment of %s [RES-2]",
    (given) => {
      expect(canonicalServerUrl(given)).toBe("https://mcp.example.com/mcp");
    },
  );

  it.each([
    "",
    "mcp.example.com",
    "/mcp",
    "stdio:server",
    "ws://mcp.example.com",
    "https://user:hunter2@mcp.example.com/",
  ])("refuses %j", async (given) => {
    const error = await failureOf(() => canonicalServerUrl(given));
    expect(error.code).toBe("invalid_argument");
    expect(error.message).not.toContain("hunter2");
  });
});

describe("isWithin", () => {
  it.each<[string, string, boolean]>([
    ["https://h/mcp", "https://h/mcp", true],
    ["https://h/mcp", "https://h/mcp/messages", true],
    ["https://h/mcp/", "https://h/mcp", true],
    ["https://h", "https://h/any/thing", true],
    ["https://h/mcp", "https://h/mcp?x=1", true],
    ["https://h/mcp?x=1", "https://h/mcp?x=1", true],
    ["https://h/mcp?x=1", "https://h/mcp?x=2", false],
    ["https://h/mc", "https://h/mcp", false],
    ["https://h/mcp", "https://h/mc", false],
    ["https://h/mcp", "https://h/", false],
    ["https://h/mcp", "https://h/MCP", false],
    ["https://h/mcp", "https://h:8443/mcp", false],
    ["https://h/mcp", "http://h/mcp", false],
    ["https://h/mcp", "https://h.evil/mcp", false],
    ["https://h/a%2Fb", "https://h/a/b", false],
    ["https://h/mcp", "https://h/mcp/../admin", false],
    ["https://h/mcp", "https://h/mcp/%2e%2e/admin", false],
  ])("%s holds %s: %s [PRM-6]", (base, target, expected) => {
    expect(isWithin(new URL(base), new URL(target))).toBe(expected);
  });
});

describe("well-known URLs", () => {
  it.each([
    ["https://h/mcp", "https://h/.well-known/x/mcp"],
    ["https://h", "https://h/.well-known/x"],
    ["https://h/", "https://h/.well-known/x"],
    ["https://h/a/b/", "https://h/.well-known/x/a/b"],
    ["https://h/mcp?t=1", "https://h/.well-known/x/mcp?t=1"],
    ["https://h/?t=1", "https://h/.well-known/x?t=1"],
    ["https://h:8443/mcp", "https://h:8443/.well-known/x/mcp"],
    ["http://[::1]:3000/mcp", "http://[::1]:3000/.well-known/x/mcp"],
  ])("are inserted between host and path: %s gives %s [PRM-3]", (identifier, expected) => {
    expect(insertWellKnown(new URL(identifier), "x")).toBe(expected);
  });

  it.each([
    ["https://h/tenant", "https://h/tenant/.well-known/x"],
    ["https://h/tenant/", "https://h/tenant/.well-known/x"],
    ["https://h", "https://h/.well-known/x"],
  ])("are appended for OpenID Connect: %s gives %s [ASM-2]", (identifier, expected) => {
    expect(appendWellKnown(new URL(identifier), "x")).toBe(expected);
  });
});
