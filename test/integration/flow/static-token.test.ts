import { McpOAuthError, memoryStore, TokenManager } from "mcp-oauth-client";
import { afterEach, describe, expect, it } from "vitest";
import { startScriptedServer } from "../../servers/scripted-server.ts";

const closing: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const each of closing.splice(0).reverse()) await each.close();
});

async function start() {
  const server = await startScriptedServer({
    "/mcp": (request) =>
      new Response(null, {
        status: request.headers["x-api-key"] === "good" || request.headers.authorization === "Bearer good" ? 200 : 401,
      }),
  });
  const tokens = new TokenManager({
    clientName: "Test",
    store: memoryStore(),
    openBrowser: () => {
      throw new Error("no browser belongs here");
    },
  });
  closing.push(server, tokens);
  return { server, tokens, url: `${server.url}/mcp` };
}

describe("a static key", () => {
  it.each([undefined, "X-API-Key"])("goes to its server and nowhere else (header %s) [TOK-3]", async (header) => {
    const { server, tokens, url } = await start();
    await tokens.setToken(url, "good", header === undefined ? {} : { header });
    const fetch = tokens.fetch(url);
    expect((await fetch(url)).status).toBe(200);
    await fetch(`${server.url}/other`);
    const [elsewhere] = server.log.find("GET", "/other");
    expect(elsewhere?.headers["x-api-key"]).toBeUndefined();
    expect(elsewhere?.headers.authorization).toBeUndefined();
  });

  it("in a header of its own is told with that header's name, for whoever sends it", async () => {
    const { tokens, url } = await start();
    await tokens.setToken(url, "good", { header: "X-API-Key" });
    // The first is looked up, the second comes from memory.
    for (const result of [await tokens.get(url), await tokens.get(url)]) {
      expect([result.header, result.accessToken.reveal()]).toEqual(["X-API-Key", "good"]);
    }
    await tokens.setToken(url, "good");
    expect(await tokens.get(url)).not.toHaveProperty("header");
  });

  it("in a header of its own is not handed to an SDK, which would send it as a bearer token", async () => {
    const { tokens, url } = await start();
    await tokens.setToken(url, "good", { header: "X-API-Key" });
    await expect(tokens.authProvider(url).tokens()).rejects.toMatchObject({ code: "invalid_configuration" });
    await expect(tokens.bearerProvider(url).token()).rejects.toMatchObject({ code: "invalid_configuration" });
  });

  it("that the server refuses is a clear error, and nothing is asked of anybody", async () => {
    const { server, tokens, url } = await start();
    await tokens.setToken(url, "bad");
    const error: unknown = await tokens
      .fetch(url)(url)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(McpOAuthError);
    expect((error as McpOAuthError).code).toBe("token_rejected");
    expect(server.log.requests).toHaveLength(1);
  });

  it.each(["two words", "line\nbreak", ""])("that no header can carry is refused: %j", async (key) => {
    const { tokens, url } = await start();
    await expect(tokens.setToken(url, key)).rejects.toMatchObject({ code: "invalid_argument" });
  });
});
