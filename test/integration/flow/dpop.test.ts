import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
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

async function start(nonces: boolean) {
  const authorizationServer = later(
    await startAuthorizationServer({ accessTokenSeconds: 3600, features: { dpop: true, dpopNonce: nonces } }),
  );
  const mcp = later(
    await startProtectedMcpServer({
      sdk: "v2",
      authorizationServers: [authorizationServer.issuer],
      verifyAccessToken: authorizationServer.verifyAccessToken,
      dpop: "required",
      dpopNonce: nonces,
    }),
  );
  return { authorizationServer, mcp };
}

describe("DPoP", () => {
  for (const nonces of [false, true]) {
    it(`binds the tokens to a key where the resource requires it, ${nonces ? "with" : "without"} nonces [DPOP-1] [DPOP-2] [DPOP-3] [DPOP-5] [DPOP-6]`, async () => {
      const { authorizationServer, mcp } = await start(nonces);
      const agent = new UserAgent();
      let opened = 0;
      const tokens = later(
        new TokenManager({
          clientName: "Test",
          store: memoryStore(),
          openBrowser: (url) => {
            opened += 1;
            return agent.open(url);
          },
        }),
      );
      const client = later(new Client({ name: "test", version: "1.0.0" }));
      await client.connect(new StreamableHTTPClientTransport(mcp.url, { fetch: tokens.fetch(mcp.url) }));
      const answer = await client.callTool({ name: "echo", arguments: { text: "bound" } });
      expect(JSON.stringify(answer)).toContain("bound");
      const { tokenType } = await tokens.get(mcp.url);
      expect(tokenType).toBe("DPoP");
      expect(opened).toBe(1);
      const authorized = mcp.log.requests.filter((request) => request.headers.authorization !== undefined);
      expect(authorized.length).toBeGreaterThan(1);
      for (const request of authorized) expect(request.headers.authorization).toMatch(/^DPoP /);
      const proofs = [...authorized, ...authorizationServer.log.find("POST", "/token")].map(
        (request) => request.headers.dpop,
      );
      expect(proofs).not.toContain(undefined);
      expect(new Set(proofs).size).toBe(proofs.length);
    });
  }
});
