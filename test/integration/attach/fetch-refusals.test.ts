// How `tokens.fetch` answers a server that refuses a request.
import { memoryStore } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import type { ScriptedOverride } from "../../servers/scripted-authorization-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { connected, failure, jsonRpc, slowPerson, startHost, startServers, tokenRequests } from "./support/host.ts";
import { echoed, NEEDS, type Resource, signedIn, startResource } from "./support/resource.ts";

const needing = (scope: string): RequestInit => ({ headers: { [NEEDS]: scope } });

/** The scopes that each authorization request asked for, sorted. */
function askedScopes(resource: Resource): string[][] {
  return resource.authorizations().map(({ query }) => (query.get("scope") ?? "").split(" ").sort());
}

describe("a 401", () => {
  it("is answered by one refresh and the same request once more [CHL-10]", async () => {
    const resource = await startResource();
    const { tokens, opened } = startHost();
    await signedIn(tokens, resource);
    resource.accessTokens.clear();
    const { headers } = await echoed(await tokens.fetch(resource.mcpUrl)(resource.mcpUrl));
    expect(headers.authorization).toBe(`Bearer ${(await tokens.get(resource.mcpUrl)).accessToken.reveal()}`);
    expect(resource.asked().map(({ status }) => status)).toEqual([401, 200]);
    expect([tokenRequests(resource), opened.length]).toEqual([1, 1]);
  });

  it.each([
    ["there is no token yet", {}, false],
    ["there is nothing to refresh with", { tokenResponse: { refresh_token: undefined } }, true],
  ])("is answered by a sign-in when %s [CHL-1]", async (_when, options, before) => {
    const resource = await startResource({}, options);
    const { tokens, opened } = startHost();
    if (before) await signedIn(tokens, resource);
    resource.accessTokens.clear();
    opened.length = 0;
    expect((await tokens.fetch(resource.mcpUrl)(resource.mcpUrl)).status).toBe(200);
    expect(
      resource
        .asked()
        .map(({ status }) => status)
        .slice(-2),
    ).toEqual([401, 200]);
    expect([tokenRequests(resource, "refresh_token"), opened.length]).toEqual([0, 1]);
  });

  it("for a new token as well ends in token_rejected, and goes on doing so without asking for more tokens [CHL-10]", async () => {
    const resource = await startResource({ "/mcp": (_request, { text }) => text("no", 401) });
    const { tokens, opened } = startHost();
    await signedIn(tokens, resource);
    const fetch = tokens.fetch(resource.mcpUrl);
    const error = await failure(fetch(resource.mcpUrl), "token_rejected");
    expect([error.server, error.issuer, error.status]).toEqual([resource.mcpUrl.href, resource.issuer, 401]);
    expect(resource.asked()).toHaveLength(2);
    expect(tokenRequests(resource)).toBe(1);
    for (let call = 0; call < 5; call += 1) await failure(fetch(resource.mcpUrl), "token_rejected");
    expect(tokenRequests(resource)).toBe(1);
    expect(opened).toHaveLength(1);
  });

  it("for the token of a new sign-in ends in token_rejected, without a second browser tab [CHL-10]", async () => {
    const refuse: ScriptedOverride = (_request, usual) => usual();
    const resource = await startResource({}, { mcp: refuse, tokenResponse: { access_token: "not-in-the-list" } });
    const { tokens, opened } = startHost();
    await failure(tokens.fetch(resource.mcpUrl)(resource.mcpUrl), "token_rejected");
    expect([opened.length, tokenRequests(resource)]).toEqual([1, 1]);
  });

  it("is met by a token that was good for long with a refresh, not with token_rejected", async () => {
    const clock = new ManualClock();
    const resource = await startResource({}, { tokenResponse: { expires_in: 36_000 } });
    const { tokens } = startHost({ clock });
    await tokens.get(resource.mcpUrl);
    clock.advance(3_600_000);
    resource.accessTokens.clear();
    expect((await tokens.fetch(resource.mcpUrl)(resource.mcpUrl)).status).toBe(200);
  });
});

describe("other refusals are the caller's, as they came [CHL-10]", () => {
  const challenges = {
    "400 with a challenge": [400, 'Bearer error="invalid_request"'],
    "403 without a challenge": [403, undefined],
    "403 with a challenge without error": [403, "Bearer"],
    "403 invalid_token": [403, 'Bearer error="invalid_token"'],
    "403 of another scheme": [403, 'Basic realm="insufficient_scope"'],
    "403 whose description says insufficient_scope": [
      403,
      'Bearer error="x", error_description="error=insufficient_scope"',
    ],
    "404": [404, undefined],
    "429": [429, 'Bearer error="insufficient_scope"'],
    "500": [500, 'Bearer error="invalid_token"'],
  } as const;

  it.each(Object.entries(challenges))("such as %s", async (_name, [status, challenge]) => {
    const resource = await startResource({
      "/mcp": (_request, { text }) =>
        text("the server's own words", status, challenge && { "www-authenticate": challenge }),
    });
    const { tokens, opened } = startHost();
    await signedIn(tokens, resource);
    const response = await tokens.fetch(resource.mcpUrl)(resource.mcpUrl);
    expect([response.status, await response.text()]).toEqual([status, "the server's own words"]);
    expect(response.headers.get("www-authenticate")).toBe(challenge ?? null);
    expect([resource.log.requests.length, opened.length]).toEqual([1, 1]);
  });
});

describe("a 403 insufficient_scope", () => {
  it("makes the user be asked for the union of scopes, and the same request go out once more [STEP-1, STEP-2, SCO-5]", async () => {
    const resource = await startResource();
    const { tokens, opened, events } = startHost();
    const old = await signedIn(tokens, resource);
    const response = await tokens.fetch(resource.mcpUrl)(resource.mcpUrl, {
      ...needing("files:write"),
      method: "POST",
      body: "hello",
    });
    const sent = await echoed(response);
    expect(sent.body).toBe("hello");
    expect(sent.headers.authorization).not.toBe(old);
    expect(resource.asked().map(({ status }) => status)).toEqual([403, 200]);
    expect(askedScopes(resource)).toEqual([["files:write", "mcp:tools"]]);
    expect(opened).toHaveLength(2);
    expect(events.filter(({ type }) => type === "step_up")).toMatchObject([{ scope: "mcp:tools files:write" }]);
  });

  it("never leads to a refresh, which cannot widen a scope, though there is a refresh token [STEP-3]", async () => {
    const resource = await startResource();
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    expect(resource.refreshTokens.size).toBe(1);
    expect((await tokens.fetch(resource.mcpUrl)(resource.mcpUrl, needing("files:write"))).status).toBe(200);
    expect([tokenRequests(resource, "refresh_token"), resource.authorizations().length]).toEqual([0, 1]);
  });

  it("a second time keeps what the first added, and so does a later sign-in [STEP-2]", async () => {
    const resource = await startResource();
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    const fetch = tokens.fetch(resource.mcpUrl);
    expect((await fetch(resource.mcpUrl, needing("files:write"))).status).toBe(200);
    expect((await fetch(resource.mcpUrl, needing("mail:send"))).status).toBe(200);
    resource.accessTokens.clear();
    resource.refreshTokens.clear();
    expect((await fetch(resource.mcpUrl)).status).toBe(200);
    const all = ["files:write", "mail:send", "mcp:tools"];
    expect(askedScopes(resource)).toEqual([["files:write", "mcp:tools"], all, all]);
  });

  it("for what was asked and not granted ends in insufficient_scope, and the next call does so at once [STEP-4, STEP-5]", async () => {
    const resource = await startResource({}, { tokenResponse: { scope: "mcp:tools" } });
    resource.options.mcp = (_request, _usual, { text }) =>
      text("no", 403, { "www-authenticate": 'Bearer error="insufficient_scope", scope="mcp:admin"' });
    const { tokens, opened } = startHost();
    await signedIn(tokens, resource);
    const fetch = tokens.fetch(resource.mcpUrl);
    const error = await failure(fetch(resource.mcpUrl), "insufficient_scope");
    expect([error.requiredScope, error.status]).toEqual(["mcp:admin", 403]);
    await failure(fetch(resource.mcpUrl), "insufficient_scope");
    expect(opened).toHaveLength(2);
  });

  it("that asks for something new each time is given up after three authorizations, the sign-in among them [STEP-4]", async () => {
    let asked = 0;
    const resource = await startResource(
      {},
      {
        mcp: (_request, usual, { text }) =>
          resource.accessTokens.size === 0
            ? usual()
            : text("more", 403, { "www-authenticate": `Bearer error="insufficient_scope", scope="more:${++asked}"` }),
      },
    );
    const { tokens, opened } = startHost();
    const error = await failure(tokens.fetch(resource.mcpUrl)(resource.mcpUrl), "insufficient_scope");
    expect(error.requiredScope).toBe("more:3");
    expect([opened.length, resource.authorizations().length]).toEqual([3, 3]);
  });

  it("without a list of scopes leads to all that the resource supports, and is the caller's when all have been asked [STEP-6]", async () => {
    const resource = await startResource({}, { protectedResource: { scopes_supported: ["mcp:tools", "mcp:admin"] } });
    resource.options.challenge = `Bearer scope="mcp:tools", resource_metadata="${resource.url}/.well-known/oauth-protected-resource/mcp"`;
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    resource.options.mcp = (_request, _usual, { text }) =>
      text("no", 403, { "www-authenticate": 'Bearer error="insufficient_scope"' });
    const response = await tokens.fetch(resource.mcpUrl)(resource.mcpUrl);
    expect([response.status, await response.text()]).toEqual([403, "no"]);
    expect(askedScopes(resource)).toEqual([["mcp:admin", "mcp:tools"]]);
  });

  it("that the user denies is remembered: the next call fails without a browser, until signIn asks again [STEP-5]", async () => {
    const { mcp } = await startServers({ scopes: ["mcp:tools"] });
    let agent = new UserAgent();
    const { tokens, opened } = startHost({ person: { open: (url) => agent.open(url) } });
    await tokens.signIn(mcp.url);
    agent = new UserAgent({ deny: true });
    const fetch = tokens.fetch(mcp.url);
    const callAdmin = (): Promise<Response> => fetch(mcp.url, jsonRpc("tools/call", { name: "admin" }));
    await failure(callAdmin(), "authorization_denied");
    await failure(callAdmin(), "insufficient_scope");
    await failure(callAdmin(), "insufficient_scope");
    expect(opened).toHaveLength(2);
    agent = new UserAgent();
    await tokens.signIn(mcp.url, { scope: "mcp:admin" });
    expect((await callAdmin()).status).not.toBe(403);
    expect(opened).toHaveLength(3);
  });

  it("that the user denies here and grants in another process lets the next call pass at once", async () => {
    const { mcp } = await startServers({ scopes: ["mcp:tools"] });
    const store = memoryStore();
    let agent = new UserAgent();
    const { tokens, opened } = startHost({ store, person: { open: (url) => agent.open(url) } });
    await tokens.signIn(mcp.url);
    agent = new UserAgent({ deny: true });
    const fetch = tokens.fetch(mcp.url);
    const callAdmin = (): Promise<Response> => fetch(mcp.url, jsonRpc("tools/call", { name: "admin" }));
    await failure(callAdmin(), "authorization_denied");
    await startHost({ store }).tokens.signIn(mcp.url, { scope: "mcp:admin" });
    expect((await callAdmin()).status).not.toBe(403);
    expect(opened).toHaveLength(2);
  });

  it("holds up no other request: while the user thinks, and when they say no, the others go on with their token", async () => {
    const { mcp } = await startServers();
    const { goOn, ...person } = slowPerson(new UserAgent({ deny: true }));
    const { tokens, opened } = startHost({
      person: { open: (url) => (opened.length === 1 ? new UserAgent().open(url) : person.open(url)) },
    });
    const connection = await connected({ sdk: "v1", way: "fetch" }, tokens, mcp.url);
    const admin = connection.call("admin").catch((error: unknown) => error);
    await expect.poll(() => opened.length).toBe(2);
    expect(await connection.call("echo", { text: "meanwhile" }, { timeout: 5000 })).toBe("meanwhile");
    goOn();
    await failure(Promise.reject(await admin), "authorization_denied");
    expect(await connection.call("echo", { text: "afterwards" })).toBe("afterwards");
  });
});

describe("fifty calls at once", () => {
  it("on an expired token make exactly one refresh and no request more than fifty [REF-5]", async () => {
    const { as, mcp } = await startServers();
    const clock = new ManualClock(Date.now());
    const { tokens } = startHost({ clock });
    const connection = await connected({ sdk: "v1", way: "fetch" }, tokens, mcp.url);
    clock.jump(3_700_000);
    mcp.log.clear();
    const texts = Array.from({ length: 50 }, (_unused, index) => `call ${index}`);
    expect(await Promise.all(texts.map((text) => connection.call("echo", { text })))).toEqual(texts);
    expect([tokenRequests(as, "refresh_token"), mcp.log.count("POST", "/mcp")]).toEqual([1, 50]);
    expect(tokenRequests(as)).toBe(2);
  });

  it("on a revoked token make exactly one refresh, and each call goes out twice [REF-5]", async () => {
    const { as, mcp } = await startServers();
    const { tokens, opened } = startHost();
    const connection = await connected({ sdk: "v2", way: "fetch" }, tokens, mcp.url);
    await connection.call("echo", { text: "first" });
    mcp.invalidateAll();
    mcp.log.clear();
    const calls = Array.from({ length: 50 }, (_unused, index) => connection.call("echo", { text: `call ${index}` }));
    expect(await Promise.all(calls)).toHaveLength(50);
    expect([tokenRequests(as, "refresh_token"), mcp.log.count("POST", "/mcp")]).toEqual([1, 100]);
    expect(opened).toHaveLength(1);
  });

  it("without a token open exactly one browser tab", async () => {
    const { as, mcp } = await startServers();
    const { tokens, opened } = startHost();
    const fetch = tokens.fetch(mcp.url);
    const responses = await Promise.all(Array.from({ length: 50 }, () => fetch(mcp.url, jsonRpc("initialize"))));
    expect(new Set(responses.map(({ status }) => status)).has(401)).toBe(false);
    expect([opened.length, tokenRequests(as)]).toEqual([1, 1]);
  });
});
