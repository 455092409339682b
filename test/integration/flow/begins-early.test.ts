// What is under way before the first request: hosts name their servers, and then load and build other things.
import { McpOAuthError, memoryStore, type TokenManager, type TokenStore } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { failureOf } from "../../support/failure.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { paths, startHost } from "./support/harness.ts";
import { type Pair, startPair } from "./support/real-servers.ts";

const ways: Record<string, (tokens: TokenManager, url: URL) => unknown> = {
  fetch: (tokens, url) => tokens.fetch(url),
  authProvider: (tokens, url) => tokens.authProvider(url),
  bearerProvider: (tokens, url) => tokens.bearerProvider(url),
};

/** Somebody has signed in, and the token's hour is over. */
async function withExpiredSession(): Promise<Pair & { store: TokenStore; clock: ManualClock }> {
  const pair = await startPair();
  const [store, clock] = [memoryStore(), new ManualClock()];
  const earlier = startHost({ store, clock });
  await earlier.tokens.signIn(pair.mcp.url);
  await earlier.tokens.close();
  clock.advance(3_600_000);
  pair.as.log.clear();
  pair.mcp.log.clear();
  return { ...pair, store, clock };
}

describe.each(Object.entries(ways))("tokens.%s", (_name, attach) => {
  it("begins the refresh that the first request would wait for, and no other", async () => {
    const { as, mcp, store, clock } = await withExpiredSession();
    const host = startHost({ store, clock });
    attach(host.tokens, mcp.url);
    await expect.poll(() => host.told("token_refreshed").length, { interval: 2 }).toBe(1);
    expect(paths(mcp.log)).toEqual([]);
    attach(host.tokens, mcp.url);
    const answers = await Promise.all(Array.from({ length: 10 }, () => host.tokens.fetch(mcp.url)(mcp.url)));
    expect(answers.map(({ status }) => status)).not.toContain(401);
    expect(paths(as.log)).toEqual(["POST /token"]);
  });

  it("asks nobody for a session that is not there", async () => {
    const { as, mcp } = await startPair();
    const host = startHost();
    attach(host.tokens, mcp.url);
    await host.tokens.status(mcp.url);
    expect([...paths(as.log), ...paths(mcp.log), ...host.opened]).toEqual([]);
  });

  it("leaves what fails to the first request", async () => {
    const { mcp } = await startPair();
    const get = async (): Promise<never> => {
      throw new McpOAuthError("store_unreadable", "The disk is gone.");
    };
    const host = startHost({ store: Object.assign(memoryStore(), { get }) });
    attach(host.tokens, mcp.url);
    expect((await failureOf(host.tokens.fetch(mcp.url)(mcp.url))).code).toBe("store_unreadable");
    expect((await failureOf(host.tokens.get(mcp.url))).code).toBe("store_unreadable");
    expect(host.opened).toEqual([]);
  });
});

it("A token manager that is closed at once ends what it has begun", async () => {
  const { as, mcp, store, clock } = await withExpiredSession();
  const host = startHost({ store, clock });
  host.tokens.fetch(mcp.url);
  await host.tokens.close();
  const begun = paths(as.log).length;
  expect(begun).toBeLessThanOrEqual(1);
  // Whatever had begun was ended properly: the session goes on in the next program.
  const next = startHost({ store, clock });
  expect((await next.tokens.get(mcp.url)).accessToken).toBeDefined();
  expect(next.opened).toEqual([]);
});
