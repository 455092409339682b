// How many requests a connection costs, counted in the servers' logs.
import { Client as ClientV2, StreamableHTTPClientTransport as StreamableHttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as StreamableHttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { memoryStore, type TokenManager } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { closing, paths, startHost } from "./support/harness.ts";
import { type Pair, startPair } from "./support/real-servers.ts";

const info = { name: "test", version: "1" };

interface Way {
  /** Whose server answers. */
  readonly server: "v1" | "v2";
  readonly connect: (tokens: TokenManager, url: URL) => Promise<unknown>;
  /** What a connection costs without any OAuth, until its stream is open. */
  readonly plain: number;
}

const v1 =
  (option: (tokens: TokenManager, url: URL) => object) =>
  async (tokens: TokenManager, url: URL): Promise<void> =>
    closing(new ClientV1(info)).connect(new StreamableHttpV1(url, option(tokens, url)) as Transport);

const v2 =
  (mode: "auto" | "legacy", option: (tokens: TokenManager, url: URL) => object) =>
  async (tokens: TokenManager, url: URL): Promise<void> =>
    closing(new ClientV2(info, { versionNegotiation: { mode } })).connect(
      new StreamableHttpV2(url, option(tokens, url)),
    );

const byFetch = (tokens: TokenManager, url: URL): object => ({ fetch: tokens.fetch(url) });
const byAuthProvider = (tokens: TokenManager, url: URL): object => ({ authProvider: tokens.authProvider(url) });
const byBearerProvider = (tokens: TokenManager, url: URL): object => ({ authProvider: tokens.bearerProvider(url) });

const ways: Record<string, Way> = {
  "SDK v1 with fetch": { server: "v1", connect: v1(byFetch), plain: 3 },
  "SDK v1 with authProvider": { server: "v1", connect: v1(byAuthProvider), plain: 3 },
  "SDK v2 with fetch": { server: "v1", connect: v2("legacy", byFetch), plain: 3 },
  "SDK v2 with authProvider": { server: "v1", connect: v2("legacy", byAuthProvider), plain: 3 },
  "SDK v2 with bearerProvider": { server: "v1", connect: v2("legacy", byBearerProvider), plain: 3 },
  "SDK v2 with fetch at a 2026-07-28 server": { server: "v2", connect: v2("auto", byFetch), plain: 1 },
  "SDK v2 with authProvider at a 2026-07-28 server": { server: "v2", connect: v2("auto", byAuthProvider), plain: 1 },
};

/** All requests of the host; what the person's browser loads between start and callback counts as one. */
function requestsOf({ as, mcp }: Pair): string[] {
  const own = paths(as.log).filter((path) => !/ \/(auth|interaction)\b/.test(path));
  const browser = as.log.requests.length === own.length ? [] : ["the browser"];
  return [...paths(mcp.log), ...own, ...browser];
}

function clear({ as, mcp }: Pair): void {
  as.log.clear();
  mcp.log.clear();
}

describe.each(Object.entries(ways))("%s", (_name, { server, connect, plain }) => {
  it("signs in with no more than nine requests, and needs none for OAuth or one on a warm start", async () => {
    const pair = await startPair({}, { sdk: server });
    const { url } = pair.mcp;
    const [store, clock] = [memoryStore(), new ManualClock()];
    const settled = async (count: number): Promise<void> => {
      await expect.poll(() => requestsOf(pair).length, { interval: 2, timeout: 10_000 }).toBeGreaterThanOrEqual(count);
      expect(requestsOf(pair), requestsOf(pair).join("\n")).toHaveLength(count);
    };

    const cold = startHost({ store, clock });
    await connect(cold.tokens, url);
    expect(requestsOf(pair).length).toBeLessThanOrEqual(9);
    await settled(plain + 6);
    expect(cold.opened).toHaveLength(1);

    clear(pair);
    await connect(startHost({ store, clock }).tokens, url);
    await settled(plain);

    clear(pair);
    clock.advance(3_600_000);
    const expired = startHost({ store, clock });
    await connect(expired.tokens, url);
    await settled(plain + 1);
    expect(requestsOf(pair)).toContain("POST /token");
    expect(expired.opened).toHaveLength(0);
  });
});
