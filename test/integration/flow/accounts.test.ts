// Several accounts on one server, and the end of a session.
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, type Host, startHost, startScripted } from "./support/harness.ts";
import { startPair } from "./support/real-servers.ts";

/** A host whose browser signs in as whoever is named. */
function startShared(): Host & { as: { login: string } } {
  const as = { login: "alice" };
  const opened: URL[] = [];
  const host = startHost({
    openBrowser: (url) => {
      opened.push(url);
      void new UserAgent({ login: as.login }).open(url);
    },
  });
  return { ...host, opened, as };
}

it("keeps two accounts on one server apart, in use and at the end", async () => {
  const { as, mcp } = await startPair();
  const host = startShared();
  const { tokens } = host;
  const work = await tokens.get(mcp.url, { account: "work" });
  host.as.login = "bob";
  const home = await tokens.get(mcp.url, { account: "home" });
  const subjectOf = async (token: { reveal(): string }): Promise<unknown> =>
    (await as.verifyAccessToken(token.reveal(), mcp.resource))?.subject;
  expect([await subjectOf(work.accessToken), await subjectOf(home.accessToken)]).toEqual(["alice", "bob"]);
  expect(host.opened).toHaveLength(2);
  expect((await tokens.get(mcp.url, { account: "work" })).accessToken.reveal()).toBe(work.accessToken.reveal());
  const sent = async (account: string): Promise<unknown> => {
    await tokens.fetch(mcp.url, { account })(mcp.url, { method: "POST", body: "{}" });
    return mcp.log.requests.at(-1)?.headers.authorization;
  };
  expect([await sent("work"), await sent("home")]).toEqual([
    `Bearer ${work.accessToken.reveal()}`,
    `Bearer ${home.accessToken.reveal()}`,
  ]);
  await tokens.signOut(mcp.url, { account: "work" });
  expect(await tokens.status()).toMatchObject([{ account: "home", state: "signed_in" }]);
  expect([await subjectOf(work.accessToken), await subjectOf(home.accessToken)]).toEqual([undefined, "bob"]);
});

it("takes the account of the manager where a call names none", async () => {
  const server = await startScripted();
  const store = memoryStore();
  await startHost({ store, account: "work" }).tokens.get(server.mcpUrl);
  const other = startHost({ store, interactive: false });
  await failure(other.tokens.get(server.mcpUrl), "interaction_required");
  expect((await other.tokens.get(server.mcpUrl, { account: "work" })).issuer).toBe(server.issuer);
});

it("tells about sessions before and after, without their tokens", async () => {
  const clock = new ManualClock();
  const { as, mcp } = await startPair();
  const host = startHost({ clock });
  expect(await host.tokens.status()).toEqual([]);
  const signedInAt = clock.now();
  const { accessToken } = await host.tokens.get(mcp.url);
  const status = await host.tokens.status();
  expect(status).toMatchObject([
    {
      server: mcp.url.href,
      account: "default",
      state: "signed_in",
      store: "memory",
      issuer: as.issuer,
      resource: mcp.resource,
      clientId: host.opened[0]?.searchParams.get("client_id"),
      scope: "mcp:tools",
      refreshable: true,
      signedInAt,
      expiresAt: signedInAt + 3_600_000,
      refreshAt: signedInAt + 2_880_000,
    },
  ]);
  expect(JSON.stringify(status)).not.toContain(accessToken.reveal());
  await host.tokens.signOut(mcp.url);
  expect(await host.tokens.status()).toEqual([]);
});

it("revokes the refresh token and then the access token, and asks the person again afterwards [REV-1] [REV-3] [REV-4]", async () => {
  const { as, mcp } = await startPair({ accessTokenFormat: "opaque" });
  const host = startHost();
  const { accessToken } = await host.tokens.get(mcp.url);
  const results = await host.tokens.signOut(mcp.url);
  expect(results).toEqual([{ server: mcp.url.href, account: "default", issuer: as.issuer, revocation: "revoked" }]);
  const sent = as.log.find("POST", "/token/revocation").map(({ body }) => new URLSearchParams(body));
  expect(sent.map((form) => form.get("token_type_hint"))).toEqual(["refresh_token", "access_token"]);
  expect(sent[1]?.get("token")).toBe(accessToken.reveal());
  for (const form of sent) expect(form.get("client_id")).toBe(host.opened[0]?.searchParams.get("client_id"));
  expect(host.told("token_revoked").map(({ token, outcome }) => [token, outcome])).toEqual([
    ["refresh_token", "revoked"],
    ["access_token", "revoked"],
  ]);
  expect(host.told("signed_out")).toHaveLength(1);
  expect(await as.verifyAccessToken(accessToken.reveal(), mcp.resource)).toBeUndefined();
  await host.tokens.get(mcp.url);
  expect(host.opened).toHaveLength(2);
});

it("says that there was nothing to sign out of", async () => {
  const server = await startScripted();
  const host = startHost();
  expect(await host.tokens.signOut(server.mcpUrl)).toEqual([
    { server: server.mcpUrl.href, account: "default", revocation: "no_session" },
  ]);
  expect(server.log.count("*")).toBe(0);
  expect(host.told("signed_out")).toEqual([]);
});

it("says that it removed a session which it could not read, whose tokens may still live", async () => {
  const server = await startScripted();
  const store = memoryStore();
  const host = startHost({ store });
  await host.tokens.get(server.mcpUrl);
  const name = `session/default/${server.mcpUrl.href}`;
  const lock = await store.lock(name);
  await store.set(name, "damaged", lock);
  await lock.release();
  const later = startHost({ store });
  expect(await later.tokens.signOut(server.mcpUrl)).toMatchObject([
    { revocation: "unreadable", error: { code: "store_unreadable", server: server.mcpUrl.href } },
  ]);
  expect(later.told("signed_out")).toHaveLength(1);
  expect(server.log.count("POST", "/revoke")).toBe(0);
  expect(await store.get(name)).toBeUndefined();
});

it("ends all sessions of the account that is named, and tells of one session whether or not there is one", async () => {
  const [one, other] = [await startScripted(), await startScripted()];
  const { tokens } = startHost();
  for (const { mcpUrl } of [one, other]) for (const account of ["home", "work"]) await tokens.get(mcpUrl, { account });
  const stateOf = async (url: URL, account: string) =>
    (await tokens.status(url, { account })).map(({ server, state }) => [server, state]);
  await tokens.signOut(one.mcpUrl, { all: true, account: "work" });
  expect(await stateOf(one.mcpUrl, "work")).toEqual([[one.mcpUrl.href, "signed_out"]]);
  expect(await stateOf(other.mcpUrl, "work")).toEqual([[other.mcpUrl.href, "signed_in"]]);
  await tokens.signOut(undefined, { all: true, account: "work" });
  expect((await tokens.status()).map(({ account }) => account)).toEqual(["home", "home"]);
});

it("removes the local copy when the authorization server is down, and says so [REV-6]", async () => {
  const server = await startScripted();
  const store = memoryStore();
  const host = startHost({ store });
  await host.tokens.get(server.mcpUrl);
  await server.close();
  const [result] = await host.tokens.signOut(server.mcpUrl);
  expect(result).toMatchObject({ revocation: "unreachable", error: { code: "network_failed", issuer: server.issuer } });
  expect((await store.keys()).filter((key) => key.startsWith("session/"))).toEqual([]);
});

it("waits ten seconds for a slow authorization server in all, and removes the local copy [REV-6]", async () => {
  const clock = new ManualClock();
  const server = await startScripted();
  const host = startHost({ clock });
  await host.tokens.get(server.mcpUrl);
  server.options.revoke = (request, _usual, { hang }) => {
    setImmediate(() => clock.advance(10_000));
    return hang(request);
  };
  const before = clock.now();
  const [result] = await host.tokens.signOut(server.mcpUrl);
  expect(result).toMatchObject({ revocation: "unreachable" });
  expect(clock.now() - before).toBe(10_000);
  expect(server.log.count("POST", "/revoke")).toBe(1);
  expect(await host.tokens.status()).toEqual([]);
});

it("removes the local copy when the caller no longer waits [REV-6]", async () => {
  const server = await startScripted();
  const host = startHost();
  await host.tokens.get(server.mcpUrl);
  const [result] = await host.tokens.signOut(server.mcpUrl, { signal: AbortSignal.abort() });
  expect(result).toMatchObject({ revocation: "unreachable" });
  expect(await host.tokens.status()).toEqual([]);
});

for (const [name, answer, expected] of [
  [
    "refuses",
    { status: 401, body: { error: "invalid_client" } },
    { revocation: "refused", error: { oauthError: "invalid_client" } },
  ],
  [
    "says not now",
    { status: 503, body: {} },
    { revocation: "unreachable", error: { status: 503, retryAfterMs: 30_000 } },
  ],
] as const) {
  it(`removes the local copy when the authorization server ${name}, and says why [REV-5] [REV-6]`, async () => {
    const server = await startScripted({
      revoke: (_r, _u, { json }) => json(answer.body, answer.status, { "retry-after": "30" }),
    });
    const host = startHost();
    await host.tokens.get(server.mcpUrl);
    expect((await host.tokens.signOut(server.mcpUrl))[0]).toMatchObject(expected);
    expect(await host.tokens.status()).toEqual([]);
  });
}

it("takes a session for revoked that its server ends with the refresh token, and tells what it refused [REV-5]", async () => {
  const { as, mcp } = await startPair();
  const host = startHost();
  const { accessToken } = await host.tokens.get(mcp.url);
  expect(await host.tokens.signOut(mcp.url)).toMatchObject([{ revocation: "revoked" }]);
  expect(host.told("token_revoked").map(({ outcome }) => outcome)).toEqual(["revoked", "refused"]);
  expect(await as.verifyAccessToken(accessToken.reveal(), mcp.resource)).toBeUndefined();
});

it("is content when only the refresh token can be revoked [REV-5]", async () => {
  const server = await startScripted({
    revoke: ({ form }, usual, { json }) =>
      form.get("token_type_hint") === "access_token" ? json({ error: "unsupported_token_type" }, 400) : usual(),
  });
  const host = startHost();
  await host.tokens.get(server.mcpUrl);
  expect((await host.tokens.signOut(server.mcpUrl))[0]).toMatchObject({ revocation: "revoked" });
  expect(server.refreshTokens.size).toBe(0);
});

it("says that a server has no way to revoke", async () => {
  const server = await startScripted({ metadata: { revocation_endpoint: undefined } });
  const host = startHost();
  await host.tokens.get(server.mcpUrl);
  expect(await host.tokens.signOut(server.mcpUrl)).toMatchObject([{ revocation: "unsupported" }]);
  expect(server.log.count("*", "/revoke")).toBe(0);
});

it("signs out of one account, of all on a server, or of everything, and of nothing by mistake", async () => {
  const [one, other] = [await startScripted(), await startScripted()];
  const { tokens } = startHost();
  const left = async (): Promise<string[]> =>
    (await tokens.status())
      .map(({ server, account }) => `${account} ${server === one.mcpUrl.href ? "one" : "other"}`)
      .sort();
  for (const account of ["a", "b", "default"]) await tokens.get(one.mcpUrl, { account });
  for (const account of ["a", "default"]) await tokens.get(other.mcpUrl, { account });
  await failure(tokens.signOut(), "invalid_argument");
  await tokens.signOut(one.mcpUrl);
  expect(await left()).toEqual(["a one", "a other", "b one", "default other"]);
  expect(await tokens.signOut(one.mcpUrl, { all: true })).toHaveLength(2);
  expect(await left()).toEqual(["a other", "default other"]);
  expect(await tokens.signOut(undefined, { all: true })).toHaveLength(2);
  expect(await left()).toEqual([]);
  expect([one, other].map(({ log }) => log.count("POST", "/revoke"))).toEqual([6, 4]);
});
