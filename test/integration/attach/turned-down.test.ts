// A sign-in for the stream of the older transport that somebody refused, or did not notice: the event source under the SDKs
// asks again every few seconds, and nobody closes it when connect() has failed.
import type { TokenManager } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, newConnection, type Sdk, startHost, startServers } from "./support/host.ts";
import { startResource } from "./support/resource.ts";

/** What an event source sends, at first and each time that it connects anew. */
const stream = { headers: { Accept: "text/event-stream" } };

/** An MCP server with the older transport, and somebody in front of the browser who says no until told to agree. */
async function startDenied() {
  const { as, mcp } = await startServers({ transport: "sse" });
  let agent = new UserAgent({ deny: true });
  const host = startHost({ person: { open: (url) => agent.open(url) } });
  const fetch = host.tokens.fetch(mcp.url);
  const agree = (yes: boolean): void => {
    agent = new UserAgent({ deny: !yes });
  };
  const open = async (): Promise<number> => {
    const response = await fetch(mcp.url, stream);
    await response.body?.cancel();
    return response.status;
  };
  return { ...host, as, mcp, fetch, open, agree };
}

/** What connect() rejects with. */
function connecting(sdk: Sdk, tokens: TokenManager, url: URL, fetch: typeof globalThis.fetch): Promise<void> {
  return newConnection({ sdk, way: "fetch", wire: "SSE", transportOptions: { fetch } }, tokens, url).connect();
}

describe("who has said no to a stream of the older transport", () => {
  it.each<Sdk>(["v1", "v2"])("is not asked again when it reconnects, with SDK %s", async (sdk) => {
    const { tokens, opened, mcp, fetch, open } = await startDenied();
    const denied = await failure(connecting(sdk, tokens, mcp.url, fetch), "authorization_denied");
    mcp.log.clear();
    for (let reconnect = 0; reconnect < 3; reconnect += 1) expect(await failure(open(), denied.code)).toBe(denied);
    // Nothing is looked up anew, either.
    expect(new Set(mcp.log.requests.map(({ method, path, status }) => `${method} ${path} ${status}`))).toEqual(
      new Set(["GET /sse 401"]),
    );
    expect(opened).toHaveLength(1);
  });

  it("gets the stream by signIn, and is asked again when that session has ended", async () => {
    const { tokens, opened, as, mcp, fetch, open, agree } = await startDenied();
    await failure(connecting("v1", tokens, mcp.url, fetch), "authorization_denied");
    agree(true);
    await tokens.signIn(mcp.url);
    expect(await open()).toBe(200);
    agree(false);
    as.revokeAll();
    await failure(open(), "authorization_denied");
    await failure(open(), "authorization_denied");
    expect(opened).toHaveLength(3);
  });

  it("is asked again for other requests, for another fetch, and for a stream of a session", async () => {
    const { tokens, opened, mcp, fetch, open } = await startDenied();
    await failure(open(), "authorization_denied");
    const { headers } = stream;
    const others = [
      () => fetch(mcp.url, { method: "POST", body: "{}" }),
      () => fetch(mcp.url, { headers: { accept: "application/json" } }),
      () => fetch(mcp.url, { headers: { ...headers, "mcp-session-id": "1" } }),
      () => tokens.fetch(mcp.url)(mcp.url, stream),
    ];
    for (const [before, other] of others.entries()) {
      await failure(other(), "authorization_denied");
      expect(opened).toHaveLength(2 + before);
    }
    await failure(open(), "authorization_denied");
    expect(opened).toHaveLength(1 + others.length);
  });
});

describe("who did nothing when a stream of the older transport asked", () => {
  it("is not asked again when it reconnects", async () => {
    const clock = new ManualClock();
    const { mcp } = await startServers({ transport: "sse" });
    const { tokens, opened } = startHost({ clock, person: { open: () => clock.advance(300_000) } });
    const fetch = tokens.fetch(mcp.url);
    const late = await failure(fetch(mcp.url, stream), "timeout");
    expect(await failure(fetch(mcp.url, stream), "timeout")).toBe(late);
    expect(opened).toHaveLength(1);
  });

  it("is told from a server that does not answer in time: that passes", async () => {
    const clock = new ManualClock();
    const resource = await startResource(
      {},
      {
        token: (request, _usual, { hang }) => {
          setImmediate(() => clock.advance(30_000));
          return hang(request);
        },
      },
    );
    const { tokens, opened } = startHost({ clock });
    const fetch = tokens.fetch(resource.mcpUrl);
    const late = await failure(fetch(resource.mcpUrl, stream), "timeout");
    expect(late.message).toContain("did not answer within");
    delete resource.options.token;
    expect((await fetch(resource.mcpUrl, stream)).status).toBe(200);
    expect(opened).toHaveLength(2);
  });
});
