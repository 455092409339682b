// Many sign-ins at once share nothing but the listener; many callers that need the same one share it.
import { Client as ClientV2, StreamableHTTPClientTransport as StreamableHttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as StreamableHttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { listen } from "../../servers/request-log.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { callbackOf, closing, failure, startHost, startScripted } from "./support/harness.ts";
import { startPair } from "./support/real-servers.ts";

it("signs in to ten servers at once, and mixes nothing up [PKCE-5] [STATE-3]", async () => {
  const servers = await Promise.all(Array.from({ length: 10 }, () => startScripted()));
  const host = startHost({ person: "nobody" });
  const signIns = servers.map(({ mcpUrl }) => host.tokens.get(mcpUrl));
  await host.whenOpened(10);
  // Answered in another order than they began.
  for (const url of [...host.opened].reverse()) void new UserAgent().open(url);
  const results = await Promise.all(signIns);
  for (const [index, server] of servers.entries()) {
    expect(results[index]?.issuer).toBe(server.issuer);
    expect(server.accessTokens.get(results[index]?.accessToken.reveal() ?? "")?.resource).toBe(server.mcpUrl.href);
    expect(server.log.count("POST", "/token")).toBe(1);
  }
  for (const name of ["state", "code_challenge"])
    expect(new Set(host.opened.map(({ searchParams }) => searchParams.get(name))).size).toBe(10);
});

it("refuses the response of one server when it comes with the state of another [STATE-2] [ISS-2]", async () => {
  const [good, evil] = [await startScripted(), await startScripted()];
  const host = startHost({ person: "nobody" });
  const [first, second] = [host.tokens.signIn(good.mcpUrl), host.tokens.signIn(evil.mcpUrl)];
  await host.whenOpened(2);
  const urlOf = (origin: string): URL => host.opened.find((url) => url.origin === origin) as URL;
  const state = urlOf(good.url).searchParams.get("state") ?? "";
  const fromEvil = await fetch(urlOf(evil.url), { redirect: "manual" });
  const code = new URL(fromEvil.headers.get("location") ?? "").searchParams.get("code") ?? "";
  const outcome = failure(first, "issuer_mismatch", good.mcpUrl);
  expect((await fetch(callbackOf(urlOf(good.url), { state, code, iss: evil.issuer }))).status).toBe(400);
  await outcome;
  expect([good, evil].map(({ log }) => log.count("POST", "/token"))).toEqual([0, 0]);
  void new UserAgent().open(urlOf(evil.url));
  expect((await second).issuer).toBe(evil.issuer);
});

it("lets two sign-ins share a fixed port, within one manager and between two", async () => {
  const free = await listen(() => undefined);
  await free.close();
  const redirect = { port: free.port };
  const servers = [await startScripted(), await startScripted(), await startScripted()];
  const hosts = [startHost({ redirect, person: "nobody" }), startHost({ redirect, person: "nobody" })];
  const signIns = servers.map(({ mcpUrl }, index) => hosts[index % 2]?.tokens.get(mcpUrl));
  await Promise.all([hosts[0]?.whenOpened(2), hosts[1]?.whenOpened()]);
  const urls = hosts.flatMap((host) => host.opened);
  for (const url of urls) expect(callbackOf(url).port).toBe(String(free.port));
  for (const url of urls) void new UserAgent().open(url);
  const issuers = (await Promise.all(signIns)).map((result) => result?.issuer);
  expect(issuers).toEqual(servers.map(({ issuer }) => issuer));
});

it("lets no stray request end a sign-in: other paths, methods, hosts and prefetches [NAT-5]", async () => {
  const server = await startScripted();
  const host = startHost({ person: "nobody" });
  const signIn = host.tokens.signIn(server.mcpUrl);
  const url = await host.whenOpened();
  const real = callbackOf(url, { code: "stolen", state: url.searchParams.get("state") ?? "", iss: server.issuer });
  const favicon = await fetch(new URL("/favicon.ico", real));
  const otherPath = await fetch(real.href.replace("/callback", "/callback/x"));
  const otherMethod = await fetch(real, { method: "DELETE" });
  const prefetch = await fetch(real, { headers: { "sec-purpose": "prefetch" } });
  const json = await fetch(real, { method: "POST", headers: { "content-type": "application/json" }, body: "{}" });
  expect([favicon, otherPath, otherMethod, prefetch, json].map(({ status }) => status)).toEqual([
    404, 404, 405, 503, 415,
  ]);
  expect(server.log.count("POST", "/token")).toBe(0);
  void new UserAgent().open(url);
  await signIn;
  expect(new URLSearchParams(server.log.find("POST", "/token")[0]?.body).get("code")).not.toBe("stolen");
});

it("opens one browser for all requests that meet a 401 at once, and sends each of them again", async () => {
  const server = await startScripted();
  const host = startHost();
  const send = (id: number): Promise<Response> =>
    host.tokens.fetch(server.mcpUrl)(server.mcpUrl, {
      method: "POST",
      body: JSON.stringify({ jsonrpc: "2.0", id, method: "ping" }),
    });
  const answers = await Promise.all(Array.from({ length: 20 }, (_, id) => send(id)));
  expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
  const ids = await Promise.all(answers.map(async (answer) => ((await answer.json()) as { id: number }).id));
  expect(ids).toEqual(Array.from({ length: 20 }, (_, id) => id));
  expect(host.opened).toHaveLength(1);
  for (const path of ["/register", "/token"]) expect(server.log.count("POST", path)).toBe(1);
});

it("opens one browser for get, signIn, fetch and both kinds of provider together", async () => {
  const { as, mcp } = await startPair();
  const { tokens, opened: urls } = startHost();
  const info = { name: "test", version: "1" };
  await Promise.all([
    tokens.get(mcp.url),
    tokens.fetch(mcp.url)(mcp.url, { method: "POST", body: "{}" }),
    closing(new ClientV1(info)).connect(new StreamableHttpV1(mcp.url, { fetch: tokens.fetch(mcp.url) }) as Transport),
    closing(new ClientV1(info)).connect(
      new StreamableHttpV1(mcp.url, { authProvider: tokens.authProvider(mcp.url) }) as Transport,
    ),
    closing(new ClientV2(info)).connect(new StreamableHttpV2(mcp.url, { fetch: tokens.fetch(mcp.url) })),
    closing(new ClientV2(info)).connect(new StreamableHttpV2(mcp.url, { authProvider: tokens.authProvider(mcp.url) })),
    closing(new ClientV2(info)).connect(
      new StreamableHttpV2(mcp.url, { authProvider: tokens.bearerProvider(mcp.url) }),
    ),
    tokens.signIn(mcp.url),
  ]);
  expect(urls).toHaveLength(1);
  expect(as.log.count("POST", "/token")).toBe(1);
});

it("goes on with a sign-in when the request that began it gives up, and gives it to the next", async () => {
  const server = await startScripted();
  const host = startHost({ person: "nobody" });
  const send = (signal?: AbortSignal): Promise<Response> =>
    host.tokens.fetch(server.mcpUrl)(server.mcpUrl, {
      method: "POST",
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      ...(signal && { signal }),
    });
  const abort = new AbortController();
  const first = send(abort.signal);
  const url = await host.whenOpened();
  abort.abort();
  await expect(first).rejects.toMatchObject({ name: "AbortError" });
  const second = send();
  await new UserAgent().open(url);
  expect((await second).status).toBe(200);
  expect(host.opened).toHaveLength(1);
  expect(server.log.count("POST", "/token")).toBe(1);
});

it("gives a sign-in that was finished after its request gave up to the next request, without a second browser", async () => {
  const server = await startScripted();
  const host = startHost({ person: "nobody" });
  const abort = new AbortController();
  const first = host.tokens.get(server.mcpUrl, { signal: abort.signal });
  const url = await host.whenOpened();
  abort.abort();
  await failure(first, "aborted");
  await new UserAgent().open(url);
  await expect.poll(() => host.told("token_issued").length, { interval: 2, timeout: 10_000 }).toBe(1);
  expect((await host.tokens.get(server.mcpUrl)).issuer).toBe(server.issuer);
  expect(host.opened).toHaveLength(1);
});

it("ends an explicit sign-in on abort only when nobody else waits for it", async () => {
  const server = await startScripted();
  const host = startHost({ person: "nobody" });
  const abort = new AbortController();
  const explicit = host.tokens.signIn(server.mcpUrl, { signal: abort.signal });
  const url = await host.whenOpened();
  const request = host.tokens.get(server.mcpUrl);
  abort.abort();
  await failure(explicit, "aborted");
  await new UserAgent().open(url);
  expect((await request).issuer).toBe(server.issuer);
  expect(host.opened).toHaveLength(1);
});

it("shares one sign-in between two managers on one store, as between two processes", async () => {
  const { as, mcp } = await startPair();
  const store = memoryStore();
  const hosts = [startHost({ store }), startHost({ store })];
  const results = await Promise.all(hosts.map(({ tokens }) => tokens.get(mcp.url)));
  expect(new Set(results.map(({ accessToken }) => accessToken.reveal())).size).toBe(1);
  expect(hosts.flatMap((host) => host.opened)).toHaveLength(1);
  expect(as.log.count("POST", "/reg")).toBe(1);
});

it("registers one client when two managers on one store meet one issuer through two servers", async () => {
  const [store, redirect] = [
    memoryStore(),
    { port: await listen(() => undefined).then((s) => s.close().then(() => s.port)) },
  ];
  const server = await startScripted();
  const other = await startScripted({ protectedResource: { authorization_servers: [server.issuer] } });
  const hosts = [startHost({ store, redirect }), startHost({ store, redirect })];
  const [one, two] = await Promise.all([hosts[0]?.tokens.get(server.mcpUrl), hosts[1]?.tokens.get(other.mcpUrl)]);
  expect([one?.issuer, two?.issuer]).toEqual([server.issuer, server.issuer]);
  expect(server.log.count("POST", "/register")).toBe(1);
});

it("lets the next waiting manager ask when the first one's person said no", async () => {
  const { mcp } = await startPair();
  const store = memoryStore();
  const no = startHost({ store, person: new UserAgent({ deny: true }) });
  const yes = startHost({ store });
  const refused = failure(no.tokens.get(mcp.url), "authorization_denied");
  await no.whenOpened();
  const granted = yes.tokens.get(mcp.url);
  await refused;
  expect((await granted).tokenType).toBe("Bearer");
});
