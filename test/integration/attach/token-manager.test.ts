// Tokens without a transport, and what several transports, managers and callers share.
import { memoryStore } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import {
  connected,
  failure,
  newConnection,
  slowPerson,
  startHost,
  startServers,
  tokenRequests,
} from "./support/host.ts";
import { signedIn, startResource } from "./support/resource.ts";

describe("tokens.get", () => {
  it("signs in when the server asks for it, then answers from memory", async () => {
    const resource = await startResource();
    const clock = new ManualClock();
    const { tokens, opened } = startHost({ clock });
    const result = await tokens.get(resource.mcpUrl);
    expect(resource.accessTokens.has(result.accessToken.reveal())).toBe(true);
    expect(result).toMatchObject({ tokenType: "Bearer", issuer: resource.issuer, scope: "mcp:tools" });
    expect(result.expiresAt).toBe(clock.now() + 3_600_000);
    resource.log.clear();
    const again = await Promise.all(Array.from({ length: 20 }, () => tokens.get(resource.mcpUrl)));
    expect(new Set(again.map(({ accessToken }) => accessToken.reveal()))).toEqual(
      new Set([result.accessToken.reveal()]),
    );
    expect([resource.log.requests.length, opened.length]).toEqual([0, 1]);
  });

  it("gives a token that lasts as long as the caller needs it, by one refresh for all who ask [REF-5]", async () => {
    const resource = await startResource();
    const clock = new ManualClock();
    const { tokens } = startHost({ clock });
    const old = await signedIn(tokens, resource);
    clock.jump(600_000);
    expect(`Bearer ${(await tokens.get(resource.mcpUrl, { minTtlSeconds: 1800 })).accessToken.reveal()}`).toBe(old);
    expect(resource.log.requests).toEqual([]);
    const results = await Promise.all(
      Array.from({ length: 10 }, () => tokens.get(resource.mcpUrl, { minTtlSeconds: 3300 })),
    );
    for (const { expiresAt } of results) expect(expiresAt).toBe(clock.now() + 3_600_000);
    expect(tokenRequests(resource, "refresh_token")).toBe(1);
  });

  it("stops waiting when its signal aborts, and the refresh that others share goes on", async () => {
    const resource = await startResource();
    const clock = new ManualClock();
    const { tokens } = startHost({ clock });
    await signedIn(tokens, resource);
    clock.jump(3_700_000);
    let answer = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      answer = resolve;
    });
    resource.options.token = (_request, usual) => held.then(usual);
    const controller = new AbortController();
    const impatient = tokens.get(resource.mcpUrl, { signal: controller.signal });
    const patient = tokens.get(resource.mcpUrl);
    await expect.poll(() => tokenRequests(resource)).toBe(1);
    const reason = new Error("changed my mind");
    controller.abort(reason);
    expect((await failure(impatient, "aborted")).cause).toBe(reason);
    answer();
    expect(resource.accessTokens.has((await patient).accessToken.reveal())).toBe(true);
    expect(tokenRequests(resource)).toBe(1);
  });

  it("stops waiting for a sign-in when its signal aborts, and the next caller has it in the same browser tab", async () => {
    const resource = await startResource();
    const { goOn, ...person } = slowPerson();
    const { tokens, opened } = startHost({ person });
    const controller = new AbortController();
    const impatient = tokens.get(resource.mcpUrl, { signal: controller.signal });
    await expect.poll(() => opened.length).toBe(1);
    controller.abort();
    await failure(impatient, "aborted");
    const next = tokens.get(resource.mcpUrl);
    goOn();
    expect((await next).issuer).toBe(resource.issuer);
    expect(opened).toHaveLength(1);
  });

  it("has none for a server that asks for no authorization, and asks nobody for one [APP-1]", async () => {
    const resource = await startResource({ "/mcp": (_request, { json }) => json({}) });
    const { tokens, opened } = startHost();
    await failure(tokens.get(resource.mcpUrl), "sign_in_required");
    expect([resource.log.requests.length, opened.length]).toEqual([1, 0]);
  });

  it("opens no browser without a person", async () => {
    const resource = await startResource();
    const { tokens, opened } = startHost({ interactive: false });
    const error = await failure(tokens.get(resource.mcpUrl), "interaction_required");
    expect([error.server, error.issuer, error.requiredScope]).toEqual([
      resource.mcpUrl.href,
      resource.issuer,
      "mcp:tools",
    ]);
    expect([opened.length, resource.log.count("POST", "/register")]).toEqual([0, 0]);
  });
});

describe("tokens.signIn", () => {
  it("asks the person anew, also where there is a session, and for the scopes that are wanted", async () => {
    const resource = await startResource();
    const { tokens, opened } = startHost();
    const old = await signedIn(tokens, resource);
    const { accessToken, scope } = await tokens.signIn(resource.mcpUrl, { scope: "files:read" });
    expect(`Bearer ${accessToken.reveal()}`).not.toBe(old);
    expect(scope?.split(" ").sort()).toEqual(["files:read", "mcp:tools"]);
    expect(opened).toHaveLength(2);
    expect((await tokens.get(resource.mcpUrl)).accessToken.reveal()).toBe(accessToken.reveal());
  });

  it("keeps accounts apart, on requests as well", async () => {
    const resource = await startResource();
    const { tokens, opened } = startHost();
    await tokens.fetch(resource.mcpUrl, { account: "work" })(resource.mcpUrl);
    await tokens.fetch(resource.mcpUrl, { account: "home" })(resource.mcpUrl);
    const sent = resource.asked().filter(({ status }) => status === 200);
    expect(new Set(sent.map(({ headers }) => headers.authorization)).size).toBe(2);
    expect(opened).toHaveLength(2);
  });
});

describe("two transports of one token manager", () => {
  it("share one sign-in, whatever SDK they are of and whichever way they are attached", async () => {
    const { as, mcp } = await startServers();
    const { tokens, opened } = startHost();
    const choices = [
      { sdk: "v1", way: "fetch" },
      { sdk: "v1", way: "authProvider" },
      { sdk: "v2", way: "fetch" },
      { sdk: "v2", way: "authProvider" },
      { sdk: "v2", way: "bearerProvider" },
    ] as const;
    const connections = choices.map((choice) => newConnection(choice, tokens, mcp.url));
    await Promise.all(connections.map((connection) => connection.connect()));
    expect([opened.length, tokenRequests(as)]).toEqual([1, 1]);
    mcp.invalidateAll();
    const texts = await Promise.all(
      connections.map((connection, index) => connection.call("echo", { text: `${index}` })),
    );
    expect(texts).toEqual(["0", "1", "2", "3", "4"]);
    expect([opened.length, tokenRequests(as, "refresh_token")]).toEqual([1, 1]);
  });
});

describe("two token managers with one store", () => {
  it("share a sign-in that both need at once: one browser tab", async () => {
    const { as, mcp } = await startServers();
    const store = memoryStore();
    const hosts = [startHost({ store }), startHost({ store })];
    const results = await Promise.all(hosts.map(({ tokens }) => tokens.get(mcp.url)));
    expect(new Set(results.map(({ accessToken }) => accessToken.reveal())).size).toBe(1);
    expect(hosts.flatMap(({ opened }) => opened)).toHaveLength(1);
    expect(tokenRequests(as)).toBe(1);
  });

  it("take over what the other has refreshed, instead of using the old refresh token once more", async () => {
    const { as, mcp } = await startServers();
    const store = memoryStore();
    const [first, second] = [startHost({ store }), startHost({ store })];
    const one = await connected({ sdk: "v1", way: "fetch" }, first.tokens, mcp.url);
    const other = await connected({ sdk: "v2", way: "authProvider" }, second.tokens, mcp.url);
    mcp.invalidateAll();
    expect(await one.call("echo", { text: "one" })).toBe("one");
    expect(await other.call("echo", { text: "other" })).toBe("other");
    // The fixture ends the whole session when a refresh token comes twice.
    expect([tokenRequests(as, "refresh_token"), first.opened.length, second.opened.length]).toEqual([1, 1, 0]);
    expect(second.events.map(({ type }) => type)).toContain("token_adopted");
  });
});
