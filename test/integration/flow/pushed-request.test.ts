import { memoryStore, TokenManager } from "mcp-oauth-client";
import { afterEach, describe, expect, it } from "vitest";
import { startAuthorizationServer } from "../../servers/authorization-server.ts";
import { startProtectedMcpServer } from "../../servers/protected-mcp-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";

const closing: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

function later<Thing extends { close(): Promise<void> | void }>(thing: Thing): Thing {
  closing.push(thing);
  return thing;
}

describe("pushed authorization requests", () => {
  it("carry the request where the server offers them, and the browser gets only a reference", async () => {
    const authorizationServer = later(
      await startAuthorizationServer({ features: { pushedAuthorizationRequests: true } }),
    );
    const mcp = later(
      await startProtectedMcpServer({
        sdk: "v2",
        authorizationServers: [authorizationServer.issuer],
        verifyAccessToken: authorizationServer.verifyAccessToken,
      }),
    );
    const agent = new UserAgent();
    let opened: URL | undefined;
    const tokens = later(
      new TokenManager({
        clientName: "Test",
        store: memoryStore(),
        openBrowser: (url) => {
          opened = url;
          return agent.open(url);
        },
      }),
    );
    expect((await tokens.get(mcp.url)).scope).toContain("mcp:tools");
    expect([...(opened?.searchParams.keys() ?? [])].sort()).toEqual(["client_id", "request_uri"]);
    const [pushed] = authorizationServer.log.find("POST", "/request");
    expect(new URLSearchParams(pushed?.body).get("code_challenge_method")).toBe("S256");
  });
});
