import { describe, expect, it } from "vitest";
import { acceptedHosts, parseRedirectOptions, redirectUriOf } from "../../../src/adapters/loopback/address.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";
import type { RedirectOptions } from "../../../src/ports/redirect-receiver.ts";

describe("redirect options [RUR-1, NAT-2, NAT-3, NAT-4]", () => {
  const good: readonly (readonly [RedirectOptions, readonly string[], number, string])[] = [
    [{}, ["127.0.0.1"], 0, "http://127.0.0.1:5000/callback"],
    [{ host: "127.0.0.1", port: 5000 }, ["127.0.0.1"], 5000, "http://127.0.0.1:5000/callback"],
    [{ host: "localhost" }, ["127.0.0.1", "::1"], 0, "http://localhost:5000/callback"],
    [{ host: "LocalHost" }, ["127.0.0.1", "::1"], 0, "http://localhost:5000/callback"],
    [{ host: "::1" }, ["::1"], 0, "http://[::1]:5000/callback"],
    [{ host: "[::1]", path: "/a/b%20c" }, ["::1"], 0, "http://[::1]:5000/a/b%20c"],
    [{ path: "/" }, ["127.0.0.1"], 0, "http://127.0.0.1:5000/"],
    [{ uri: "https://a.example/cb", port: 5000 }, ["127.0.0.1"], 5000, "https://a.example/cb"],
    [{ uri: "https://A.Example:443/%7Ecb?x=1", port: 5000 }, ["127.0.0.1"], 5000, "https://A.Example:443/%7Ecb?x=1"],
    [{ uri: "http://localhost:3118/cb" }, ["127.0.0.1", "::1"], 3118, "http://localhost:3118/cb"],
    [{ uri: "http://[::1]:3118/cb" }, ["::1"], 3118, "http://[::1]:3118/cb"],
    [{ uri: "http://localhost/cb" }, ["127.0.0.1", "::1"], 80, "http://localhost/cb"],
    [{ uri: "http://localhost:3118/cb", host: "0.0.0.0" }, ["0.0.0.0"], 3118, "http://localhost:3118/cb"],
    [{ uri: "https://a.example", host: "::", port: 1 }, ["::"], 1, "https://a.example"],
  ];
  it.each(good)("%j", (options, bindHosts, port, uri) => {
    const address = parseRedirectOptions(options);
    expect(address.bindHosts).toEqual(bindHosts);
    expect(address.port).toBe(port);
    expect(redirectUriOf(address, 5000)).toBe(uri);
  });

  const bad: readonly RedirectOptions[] = [
    { host: "0.0.0.0" },
    { host: "::" },
    { host: "192.168.1.2" },
    { host: "localhost.evil.example" },
    { host: "example.com" },
    { host: "" },
    { host: "__proto__" },
    { host: "constructor", uri: "https://a.example/cb", port: 1 },
    { host: "evil.example", uri: "https://a.example/cb", port: 1 },
    { port: -1 },
    { port: 65_536 },
    { port: 1.5 },
    { port: Number.NaN },
    { port: "80" as never },
    { path: "callback" },
    { path: "" },
    { path: "/a?b" },
    { path: "/a#b" },
    { path: "/a b" },
    { path: "/../a" },
    { path: "/a\r\nb" },
    { path: "/\\evil" },
    { uri: "https://a.example/cb" },
    { uri: "http://a.example/cb", port: 1 },
    { uri: "com.example.app:/cb", port: 1 },
    { uri: "https://a.example/cb#", port: 1 },
    { uri: "https://user@a.example/cb", port: 1 },
    { uri: "/cb", port: 1 },
    { uri: "", port: 1 },
    { uri: "javascript:alert(1)", port: 1 },
  ];
  it.each(bad)("refuses %j", (options) => {
    let error: unknown;
    try {
      parseRedirectOptions(options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(McpOAuthError);
    expect(error).toMatchObject({ code: "invalid_configuration" });
  });

  it.each(["com.example.app:/cb", "com.example.app://cb", "com.example.app:///cb", "myapp:/cb", "https+app:/cb"])(
    "takes a claimed https address, and no scheme of one's own: MCP has none, so %s is refused [NAT-6] [RUR-1]",
    (uri) => {
      expect(redirectUriOf(parseRedirectOptions({ uri: "https://app.example.com/cb", port: 1 }), 1)).toMatch(/^https:/);
      expect(() => parseRedirectOptions({ uri, port: 1 })).toThrow(
        expect.objectContaining({ code: "invalid_configuration", message: expect.stringContaining("https") }),
      );
    },
  );

  it("leaves port 80 out of the URI, as browsers do, and accepts both spellings of its host", () => {
    const address = parseRedirectOptions({ port: 80 });
    expect(redirectUriOf(address, 80)).toBe("http://127.0.0.1/callback");
    expect([...acceptedHosts(address, 80)]).toEqual(["127.0.0.1:80", "127.0.0.1"]);
  });

  it("gives options one key exactly when they can share a listener", () => {
    const keyOf = (options: RedirectOptions): string => parseRedirectOptions(options).key;
    expect(keyOf({})).toBe(keyOf({ host: "127.0.0.1", port: 0, path: "/callback" }));
    expect(keyOf({ host: "[::1]" })).toBe(keyOf({ host: "::1" }));
    const different = [
      {},
      { host: "localhost" },
      { host: "::1" },
      { port: 1 },
      { path: "/x" },
      { uri: "https://a.b/", port: 1 },
    ];
    expect(new Set(different.map(keyOf)).size).toBe(different.length);
  });
});
