import { type DeviceSignIn, McpOAuthError, memoryStore, TokenManager } from "mcp-oauth-client";
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

describe("the device flow", () => {
  it("signs in on another device where no browser can be opened [DEV-1] [DEV-2] [DEV-8]", async () => {
    const authorizationServer = later(await startAuthorizationServer({ features: { deviceFlow: true } }));
    const mcp = later(
      await startProtectedMcpServer({
        sdk: "v2",
        authorizationServers: [authorizationServer.issuer],
        verifyAccessToken: authorizationServer.verifyAccessToken,
      }),
    );
    let shown: DeviceSignIn | undefined;
    const agent = new UserAgent();
    const tokens = later(
      new TokenManager({
        clientName: "Test",
        store: memoryStore(),
        openBrowser: () => Promise.reject(new McpOAuthError("browser_unavailable", "none here")),
        devicePrompt: (signIn) => {
          shown = signIn;
          return agent.enterUserCode(signIn.verificationUriComplete ?? signIn.verificationUri, signIn.userCode);
        },
      }),
    );
    const { scope } = await tokens.get(mcp.url);
    expect(scope).toContain("mcp:tools");
    expect(shown?.userCode).toMatch(/\S/);
    const [request] = authorizationServer.log.find("POST", "/device/auth");
    expect(new URLSearchParams(request?.body).get("resource")).toBe(mcp.resource);
  });
});
