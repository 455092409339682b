// With `interactive: false` no browser ever opens, whichever way a token is asked for.
import { Client as ClientV2, StreamableHTTPClientTransport as StreamableHttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as StreamableHttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { memoryStore, type TokenManager } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, startHost, startScripted } from "./support/harness.ts";

const info = { name: "test", version: "1" };
const ways: Record<string, (tokens: TokenManager, url: URL) => Promise<unknown>> = {
  get: (tokens, url) => tokens.get(url),
  signIn: (tokens, url) => tokens.signIn(url),
  "signIn by paste": (tokens, url) => tokens.signIn(url, { flow: "paste" }),
  fetch: (tokens, url) => tokens.fetch(url)(url, { method: "POST", body: "{}" }),
  "fetch under SDK v1": (tokens, url) =>
    new ClientV1(info).connect(new StreamableHttpV1(url, { fetch: tokens.fetch(url) }) as Transport),
  "fetch under SDK v2": (tokens, url) =>
    new ClientV2(info, { versionNegotiation: { mode: "auto" } }).connect(
      new StreamableHttpV2(url, { fetch: tokens.fetch(url) }),
    ),
  "authProvider under SDK v1": (tokens, url) =>
    new ClientV1(info).connect(new StreamableHttpV1(url, { authProvider: tokens.authProvider(url) }) as Transport),
  "authProvider under SDK v2": (tokens, url) =>
    new ClientV2(info, { versionNegotiation: { mode: "auto" } }).connect(
      new StreamableHttpV2(url, { authProvider: tokens.authProvider(url) }),
    ),
  "bearerProvider under SDK v2": (tokens, url) =>
    new ClientV2(info).connect(new StreamableHttpV2(url, { authProvider: tokens.bearerProvider(url) })),
};

for (const [name, ask] of Object.entries(ways)) {
  it(`says interaction_required through ${name}: nothing opened, nothing registered, nobody prompted`, async () => {
    const server = await startScripted();
    let prompts = 0;
    const prompt = (): void => {
      prompts += 1;
    };
    const host = startHost({ interactive: false, prompt });
    const error = await failure(ask(host.tokens, server.mcpUrl), "interaction_required", server.mcpUrl);
    expect(error).toMatchObject({ issuer: server.issuer, requiredScope: "mcp:tools" });
    expect([host.opened.length, prompts]).toEqual([0, 0]);
    expect(server.log.count("*", /^\/(register|authorize|token)/)).toBe(0);
  });
}

it("uses and refreshes the session that somebody else began", async () => {
  const server = await startScripted();
  const [store, clock] = [memoryStore(), new ManualClock()];
  await startHost({ store, clock }).tokens.signIn(server.mcpUrl);
  const host = startHost({ store, clock, interactive: false });
  const { accessToken } = await host.tokens.get(server.mcpUrl);
  clock.advance(3_600_000);
  expect((await host.tokens.get(server.mcpUrl)).accessToken.reveal()).not.toBe(accessToken.reveal());
  expect(host.opened).toHaveLength(0);
});

it("finds the session that somebody else has begun since it looked", async () => {
  const server = await startScripted();
  const store = memoryStore();
  const host = startHost({ store, interactive: false });
  await failure(host.tokens.get(server.mcpUrl), "interaction_required");
  const { accessToken } = await startHost({ store }).tokens.signIn(server.mcpUrl);
  expect((await host.tokens.get(server.mcpUrl)).accessToken.reveal()).toBe(accessToken.reveal());
});

it("opens no browser when the session ends for good, either", async () => {
  const server = await startScripted();
  const [store, clock] = [memoryStore(), new ManualClock()];
  await startHost({ store, clock }).tokens.signIn(server.mcpUrl);
  server.accessTokens.clear();
  server.refreshTokens.clear();
  const host = startHost({ store, clock, interactive: false });
  await failure(
    host.tokens.fetch(server.mcpUrl)(server.mcpUrl, { method: "POST", body: "{}" }),
    "interaction_required",
  );
  clock.advance(3_600_000);
  await failure(host.tokens.get(server.mcpUrl), "interaction_required");
  expect(host.opened).toHaveLength(0);
  expect(server.log.count("*", /^\/authorize/)).toBe(1);
});
