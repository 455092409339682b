// The end of a session: what is revoked, in which order, what is removed, and what the host is told.
import { memoryStore } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { storeKey } from "../../../src/tokens/credential.ts";
import { serializeSession } from "../../../src/tokens/session-record.ts";
import { startBetterAuthServer } from "../../servers/better-auth-server.ts";
import type { ScriptedAuthorizationServerOptions } from "../../servers/scripted-authorization-server.ts";
import { withJson } from "../../servers/scripted-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { credentialAt, metadataAt } from "../../support/stage.ts";
import { closing, failure, startHost, startScripted } from "../flow/support/harness.ts";
import { startMcp, startPair } from "../flow/support/real-servers.ts";

const sessionsIn = async (store: { keys(): Promise<string[]> }): Promise<string[]> =>
  (await store.keys()).filter((key) => key.startsWith("session/"));

describe("signing out while a refresh is under way", () => {
  it("waits for its tokens and revokes those: nothing is left behind at the server [REV-1] [REV-4]", async () => {
    const clock = new ManualClock();
    const server = await startScripted();
    const store = memoryStore();
    const { tokens } = startHost({ clock, store });
    await tokens.get(server.mcpUrl);
    clock.advance(3_600_000);
    let answer = (): void => undefined;
    server.options.token = async (_request, usual) => {
      const refreshed = await usual();
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return refreshed;
    };
    const used = tokens.get(server.mcpUrl);
    await expect.poll(() => server.log.count("POST", "/token"), { interval: 1 }).toBe(2);
    const signedOut = tokens.signOut(server.mcpUrl);
    answer();
    const newest = (await used).accessToken.reveal();
    expect(await signedOut).toMatchObject([{ revocation: "revoked" }]);
    expect(server.refreshTokens.size).toBe(0);
    expect(server.accessTokens.has(newest)).toBe(false);
    expect(server.log.find("POST", "/revoke")).toHaveLength(2);
    expect(await sessionsIn(store)).toEqual([]);
  });

  it("from another manager on the same store does so, too, and the first one hears of it", async () => {
    const clock = new ManualClock();
    const server = await startScripted();
    const store = memoryStore();
    const [host, other] = [startHost({ clock, store }), startHost({ clock, store, interactive: false })];
    await host.tokens.get(server.mcpUrl);
    await other.tokens.signOut(server.mcpUrl);
    expect(server.refreshTokens.size).toBe(0);
    clock.advance(3_600_000);
    // The person signs in again; the token of before is gone.
    await host.tokens.get(server.mcpUrl);
    expect(host.opened).toHaveLength(2);
    expect(host.told("sign_in_required")).toHaveLength(1);
  });
});

describe("revocation", () => {
  it("is not sent to an endpoint that is not https: it is not believed at a sign-in, nor in a store [REV-2] [REV-6]", async () => {
    const endpoint = "http://revoke.example.com/";
    const server = await startScripted({ metadata: { revocation_endpoint: endpoint } });
    const store = memoryStore();
    const sent: string[] = [];
    const watched: typeof fetch = (input, init) => {
      sent.push(String(input));
      return fetch(input, init);
    };
    const { tokens } = startHost({ store, fetch: watched });
    expect((await failure(tokens.get(server.mcpUrl), "insecure_url")).message).toContain(endpoint);
    const key = { server: server.mcpUrl.href, account: "default" };
    const stored = credentialAt(server.issuer, {
      authorizationServer: metadataAt(server.issuer, { revocation_endpoint: endpoint }),
    });
    const lock = await store.lock(storeKey(key));
    const record = { ...key, activeIssuer: server.issuer, credentials: { [server.issuer]: stored } };
    await store.set(storeKey(key), serializeSession(record), lock);
    await lock.release();
    const later = startHost({ store, fetch: watched }).tokens;
    expect(await later.signOut(server.mcpUrl)).toMatchObject([{ error: { code: "insecure_url" } }]);
    expect(sent.filter((url) => url.startsWith(endpoint))).toEqual([]);
    expect(await sessionsIn(store)).toEqual([]);
  });

  it("authenticates a confidential client as its endpoint wants it [REV-3]", async () => {
    const server = await startScripted({
      metadata: {
        token_endpoint_auth_methods_supported: ["client_secret_basic"],
        revocation_endpoint_auth_methods_supported: ["client_secret_post"],
      },
      register: async (_request, usual) =>
        withJson(await usual(), { client_secret: "canary", client_secret_expires_at: 0 }),
    });
    const { tokens } = startHost();
    await tokens.get(server.mcpUrl);
    expect(await tokens.signOut(server.mcpUrl)).toMatchObject([{ revocation: "revoked" }]);
    for (const { headers, body } of server.log.find("POST", "/revoke")) {
      expect(headers.authorization).toBeUndefined();
      expect(new URLSearchParams(body).get("client_secret")).toBe("canary");
    }
  });

  it("is told by an event for each token, with how long it took and no secret", async () => {
    const { mcp } = await startPair({ accessTokenFormat: "opaque" });
    const host = startHost();
    const { accessToken } = await host.tokens.get(mcp.url);
    await host.tokens.signOut(mcp.url);
    for (const event of host.told("token_revoked")) {
      expect(event).toMatchObject({ server: mcp.url.href, account: "default", outcome: "revoked" });
      expect(event.durationMs).toBeGreaterThanOrEqual(0);
    }
    expect(JSON.stringify(host.events)).not.toContain(accessToken.reveal());
  });

  it("works at better-auth, which deviates from RFC 7009, and tells what came of it [REV-6]", async () => {
    const server = closing(await startBetterAuthServer());
    const store = memoryStore();
    const { tokens } = startHost({ store });
    await tokens.get(server.url);
    const [result] = await tokens.signOut(server.url);
    expect(["revoked", "refused"]).toContain(result?.revocation);
    expect(await sessionsIn(store)).toEqual([]);
  });

  it("of everything goes on when one server is down", async () => {
    const [up, down] = [await startScripted(), await startScripted()];
    const store = memoryStore();
    const { tokens } = startHost({ store });
    for (const { mcpUrl } of [down, up]) await tokens.get(mcpUrl);
    await down.close();
    const results = await tokens.signOut(undefined, { all: true });
    expect(results.map(({ revocation }) => revocation).sort()).toEqual(["revoked", "unreachable"]);
    expect(up.refreshTokens.size).toBe(0);
    expect(await sessionsIn(store)).toEqual([]);
  });
});

describe("with unregister: true", () => {
  it("the authorization server deletes the client after its tokens, and the next sign-in registers another (RFC 7592)", async () => {
    const { as, mcp } = await startPair();
    const store = memoryStore();
    const host = startHost({ store });
    await host.tokens.get(mcp.url);
    expect(as.clientCount()).toBe(1);
    const [result] = await host.tokens.signOut(mcp.url, { unregister: true });
    expect(result).toEqual({
      server: mcp.url.href,
      account: "default",
      issuer: as.issuer,
      revocation: "revoked",
      registration: "removed",
    });
    expect(as.clientCount()).toBe(0);
    expect(as.log.find("DELETE").map(({ status }) => status)).toEqual([204]);
    const steps = as.log.requests.map(({ method, path }) => `${method} ${path}`);
    expect(steps.findIndex((step) => step.startsWith("DELETE"))).toBeGreaterThan(
      steps.lastIndexOf("POST /token/revocation"),
    );
    const clientId = host.opened[0]?.searchParams.get("client_id");
    expect(host.told("client_removed")).toMatchObject([{ clientId, outcome: "removed", issuer: as.issuer }]);
    expect(await store.keys()).toEqual([]);
    await host.tokens.get(mcp.url);
    expect(as.log.count("POST", "/reg")).toBe(2);
    expect(host.told("client_forgotten")).toEqual([]);
  });

  it("is off unless it is asked for: the client is kept for the next sign-in", async () => {
    const { as, mcp } = await startPair();
    const host = startHost();
    await host.tokens.get(mcp.url);
    expect((await host.tokens.signOut(mcp.url))[0]).not.toHaveProperty("registration");
    expect([as.clientCount(), as.log.count("DELETE")]).toEqual([1, 0]);
  });

  it("keeps a client that another session uses, until the last one goes", async () => {
    const { as, mcp } = await startPair();
    const other = await startMcp(as);
    const { tokens } = startHost();
    await tokens.get(mcp.url, { account: "a" });
    await tokens.get(mcp.url, { account: "b" });
    await tokens.get(other.url, { account: "a" });
    const out = async (url: URL, account: string) =>
      (await tokens.signOut(url, { account, unregister: true }))[0]?.registration;
    const count = as.clientCount();
    expect([await out(mcp.url, "a"), await out(mcp.url, "b")]).toEqual(["in_use", "in_use"]);
    expect(as.clientCount()).toBe(count);
    expect(await out(other.url, "a")).toBe("removed");
  });

  it("removes it with the last session when everything is signed out of at once", async () => {
    const { as, mcp } = await startPair();
    const { tokens } = startHost();
    for (const account of ["a", "b", "c"]) await tokens.get(mcp.url, { account });
    const results = await tokens.signOut(undefined, { all: true, unregister: true });
    expect(results.map(({ registration }) => registration)).toEqual(["in_use", "in_use", "removed"]);
    expect(as.clientCount()).toBe(0);
  });

  const management = (url: string): Record<string, unknown> => ({
    registration_access_token: "canary-registration",
    registration_client_uri: `${url}/manage/1`,
  });
  const scripted = async (
    answer: NonNullable<ScriptedAuthorizationServerOptions["routes"]>[string],
    changes: (url: string) => Record<string, unknown> = management,
  ) =>
    startScripted({
      register: async (_request, usual, { url }) => withJson(await usual(), changes(url)),
      routes: { "DELETE /manage/1": answer },
    });

  it.each<[string, Parameters<typeof scripted>[0], object]>([
    [
      "answers 405",
      (_, { text }) => text("", 405),
      { registration: "unsupported", registrationError: { status: 405 } },
    ],
    ["answers 501", (_, { text }) => text("", 501), { registration: "unsupported" }],
    [
      "answers 401",
      (_, { json }) => json({ error: "invalid_token" }, 401),
      { registration: "refused", registrationError: { code: "registration_failed", oauthError: "invalid_token" } },
    ],
    ["answers 403", (_, { text }) => text("", 403), { registration: "refused" }],
    [
      "answers 503",
      (_, { text }) => text("", 503, { "retry-after": "9" }),
      { registration: "unreachable", registrationError: { retryAfterMs: 9000 } },
    ],
    [
      "cuts the connection",
      () => "reset",
      { registration: "unreachable", registrationError: { code: "network_failed" } },
    ],
    ["redirects", (_, { redirect }) => redirect("/login"), { registration: "unreachable" }],
    ["answers 200 instead of 204", (_, { json }) => json({}), { registration: "removed" }],
  ])("says what came of it when the server %s, and never fails the sign-out", async (_name, answer, expected) => {
    const server = await scripted(answer);
    const store = memoryStore();
    const host = startHost({ store });
    await host.tokens.get(server.mcpUrl);
    const [result] = await host.tokens.signOut(server.mcpUrl, { unregister: true });
    expect(result).toMatchObject({ revocation: "revoked", ...expected });
    const [sent] = server.log.find("DELETE");
    expect(sent?.headers.authorization).toBe("Bearer canary-registration");
    expect(server.log.count("*", "/login")).toBe(0);
    expect(await sessionsIn(store)).toEqual([]);
    expect(JSON.stringify([result, host.events])).not.toContain("canary-registration");
    // A client that could not be removed is kept, to be used again.
    const isRemoved = result?.registration === "removed";
    expect((await store.keys()).filter((key) => key.startsWith("client/"))).toHaveLength(isRemoved ? 0 : 1);
  });

  it("sends nothing where the server gave no way to do so, nor to an address that is not https", async () => {
    for (const [changes, expected] of [
      [() => ({}), "unsupported"],
      [() => ({ registration_client_uri: "https://as.example.com/manage" }), "unsupported"],
      [
        () => ({
          registration_access_token: "canary-registration",
          registration_client_uri: "http://as.example.com/m",
        }),
        "refused",
      ],
    ] as const) {
      const server = await scripted((_, { text }) => text(""), changes);
      const { tokens } = startHost();
      await tokens.get(server.mcpUrl);
      expect(await tokens.signOut(server.mcpUrl, { unregister: true })).toMatchObject([{ registration: expected }]);
      expect(server.log.count("DELETE")).toBe(0);
    }
  });

  it("leaves alone a client that somebody registered by hand", async () => {
    const server = await startScripted();
    const { tokens } = startHost({ clients: [{ issuer: server.issuer, clientId: "by-hand" }] });
    await tokens.get(server.mcpUrl);
    expect(await tokens.signOut(server.mcpUrl, { unregister: true })).toMatchObject([{ registration: "unsupported" }]);
    expect(server.log.count("DELETE")).toBe(0);
  });

  it("waits ten seconds in all for a server that answers neither", async () => {
    const clock = new ManualClock();
    const server = await scripted(async (request, { hang }) => {
      setImmediate(() => clock.advance(10_000));
      return hang(request);
    });
    const { tokens } = startHost({ clock });
    await tokens.get(server.mcpUrl);
    const before = clock.now();
    expect(await tokens.signOut(server.mcpUrl, { unregister: true })).toMatchObject([
      { revocation: "revoked", registration: "unreachable" },
    ]);
    expect(clock.now() - before).toBe(10_000);
  });

  it("takes a session that cannot be read for one that may use the client", async () => {
    const { as, mcp } = await startPair();
    const store = memoryStore();
    const { tokens } = startHost({ store });
    await tokens.get(mcp.url);
    const lock = await store.lock("session/x/https://other.example/mcp");
    await store.set("session/x/https://other.example/mcp", "damaged", lock);
    await lock.release();
    expect(await tokens.signOut(mcp.url, { unregister: true })).toMatchObject([{ registration: "in_use" }]);
    expect(as.clientCount()).toBe(1);
  });
});

describe("a loop of refusals", () => {
  it("is broken after one forced refresh, for a hundred requests and two managers, with an error that says so", async () => {
    const clock = new ManualClock();
    const store = memoryStore();
    const server = await startScripted({
      mcp: (_request, _usual, { text }) => text("", 401, { "www-authenticate": "Bearer" }),
    });
    const hosts = [startHost({ clock, store }), startHost({ clock, store, interactive: false })];
    for (const { tokens } of hosts) {
      for (let request = 0; request < 100; request++) {
        const error = await failure(
          tokens.fetch(server.mcpUrl)(server.mcpUrl, { method: "POST", body: "{}" }),
          "token_rejected",
        );
        expect(error.message).toMatch(/loop/);
      }
    }
    const grants = server.log.find("POST", "/token").map(({ body }) => new URLSearchParams(body).get("grant_type"));
    expect(grants.filter((grant) => grant === "authorization_code")).toHaveLength(1);
    expect(grants.filter((grant) => grant === "refresh_token")).toHaveLength(1);
    // A token that was good for a minute may have been good before: one refresh a minute, however often the host tries.
    for (let minute = 0; minute < 30; minute++) {
      clock.advance(60_000);
      for (let request = 0; request < 10; request++) {
        for (const { tokens } of hosts) {
          await failure(tokens.fetch(server.mcpUrl)(server.mcpUrl, { method: "POST", body: "{}" }), "token_rejected");
        }
      }
    }
    expect(server.log.count("POST", "/token")).toBe(2 + 30);
    expect(hosts.flatMap(({ opened }) => opened)).toHaveLength(1);
  });
});
