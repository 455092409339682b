// Clients live longer than a run of the host, and sometimes shorter than their server's memory (pains 14 and 15).
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { listen } from "../../servers/request-log.ts";
import type { ScriptedOverride } from "../../servers/scripted-authorization-server.ts";
import { withJson } from "../../servers/scripted-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { closing, failure, startHost, startScripted } from "./support/harness.ts";
import { startPair } from "./support/real-servers.ts";

it("uses the client of an earlier run, with the port that it registered [BIND-1] [RUR-2]", async () => {
  const { as, mcp } = await startPair();
  const store = memoryStore();
  const runs = [startHost({ store }), startHost({ store }), startHost({ store })];
  for (const { tokens } of runs) await tokens.signIn(mcp.url);
  expect(as.log.count("POST", "/reg")).toBe(1);
  const asked = runs.map(({ opened }) => opened[0]?.searchParams);
  expect(new Set(asked.map((query) => query?.get("client_id"))).size).toBe(1);
  expect(new Set(asked.map((query) => query?.get("redirect_uri"))).size).toBe(1);
  expect(runs.flatMap(({ opened }) => opened)).toHaveLength(3);
});

it("registers anew when the port of an earlier run is taken [NAT-3]", async () => {
  const { as, mcp } = await startPair();
  const store = memoryStore();
  const first = startHost({ store });
  await first.tokens.signIn(mcp.url);
  const redirectUri = first.opened[0]?.searchParams.get("redirect_uri") ?? "";
  closing(await listen((_request, response) => response.end(), { port: Number(new URL(redirectUri).port) }));
  const second = startHost({ store });
  await second.tokens.signIn(mcp.url);
  expect(second.opened[0]?.searchParams.get("redirect_uri")).not.toBe(redirectUri);
  expect(as.log.count("POST", "/reg")).toBe(2);
});

it("registers anew where another port is configured than the one that was registered", async () => {
  const { as, mcp } = await startPair();
  const store = memoryStore();
  await startHost({ store }).tokens.signIn(mcp.url);
  const other = startHost({ store, redirect: { host: "localhost" } });
  await other.tokens.signIn(mcp.url);
  expect(other.opened[0]?.searchParams.get("redirect_uri")).toContain("http://localhost:");
  expect(as.log.count("POST", "/reg")).toBe(2);
});

it("notices before the person does that the server has forgotten the client, and registers again, once [DCR-8]", async () => {
  const { as, mcp } = await startPair();
  const store = memoryStore();
  const first = startHost({ store });
  await first.tokens.signIn(mcp.url);
  as.forgetClients();
  const forgotten = first.opened[0]?.searchParams.get("client_id");
  const second = startHost({ store });
  await second.tokens.signIn(mcp.url);
  expect(as.log.count("POST", "/reg")).toBe(2);
  expect(second.opened).toHaveLength(1);
  expect(second.opened[0]?.searchParams.get("client_id")).not.toBe(forgotten);
  expect(second.told("client_forgotten")).toMatchObject([{ clientId: forgotten, issuer: as.issuer }]);
  const third = startHost({ store });
  await third.tokens.signIn(mcp.url);
  expect(as.log.count("POST", "/reg")).toBe(2);
  expect(third.told("client_forgotten")).toEqual([]);
});

it("registers again within one call when the refresh tells that the client is forgotten [DCR-8]", async () => {
  const { as, mcp } = await startPair();
  const [store, clock] = [memoryStore(), new ManualClock()];
  await startHost({ store, clock }).tokens.get(mcp.url);
  as.forgetClients();
  clock.advance(3_600_000);
  const second = startHost({ store, clock });
  await second.tokens.get(mcp.url);
  expect(as.log.count("POST", "/reg")).toBe(2);
  expect(second.opened).toHaveLength(1);
  expect(second.told("client_forgotten")).toHaveLength(1);
});

it("notices a forgotten client in a host that has been running for long, too [DCR-8]", async () => {
  const { as, mcp } = await startPair({ refreshTokens: "none" });
  const clock = new ManualClock();
  const host = startHost({ clock });
  await host.tokens.get(mcp.url);
  as.forgetClients();
  clock.advance(24 * 3_600_000);
  await host.tokens.get(mcp.url);
  expect(as.log.count("POST", "/reg")).toBe(2);
  expect(host.opened).toHaveLength(2);
});

it("does not look after a client that it has just used", async () => {
  const server = await startScripted();
  const host = startHost();
  for (let run = 0; run < 3; run++) await host.tokens.signIn(server.mcpUrl);
  expect(server.log.count("GET", "/authorize")).toBe(3);
});

const invalidClient =
  (isForgotten: (clientId: string | null) => boolean): ScriptedOverride =>
  ({ form }, usual, { json }) =>
    isForgotten(form.get("client_id")) ? json({ error: "invalid_client" }, 401) : usual();

it("registers again, once, when only the token endpoint knows that the client is forgotten [DCR-8]", async () => {
  const server = await startScripted();
  const store = memoryStore();
  const first = startHost({ store });
  await first.tokens.signIn(server.mcpUrl);
  const forgotten = first.opened[0]?.searchParams.get("client_id") ?? null;
  server.options.token = invalidClient((clientId) => clientId === forgotten);
  const second = startHost({ store });
  await second.tokens.signIn(server.mcpUrl);
  expect(second.opened).toHaveLength(2);
  expect(server.log.count("POST", "/register")).toBe(2);
});

it("does not register again and again at a server that refuses every client [DCR-8]", async () => {
  const server = await startScripted();
  const store = memoryStore();
  await startHost({ store }).tokens.signIn(server.mcpUrl);
  server.options.token = invalidClient(() => true);
  const host = startHost({ store });
  const error = await failure(host.tokens.signIn(server.mcpUrl), "token_request_failed");
  expect(error.oauthError).toBe("invalid_client");
  expect(server.log.count("POST", "/register")).toBe(2);
  expect(host.opened.length).toBeLessThanOrEqual(2);
});

for (const [name, lastsSeconds, registrations] of [
  ["anew, once, when its secret has expired", 3600, 2],
  ["once when its secret never expires", 0, 1],
] as const) {
  it(`registers a client ${name} [DCR-7]`, async () => {
    const [store, clock] = [memoryStore(), new ManualClock()];
    const server = await startScripted({
      metadata: { token_endpoint_auth_methods_supported: ["client_secret_basic"] },
      register: async (_request, usual) => {
        const client_secret_expires_at = lastsSeconds === 0 ? 0 : Math.floor(clock.now() / 1000) + lastsSeconds;
        return withJson(await usual(), { client_secret: "s", client_secret_expires_at });
      },
    });
    for (const pauseMs of [0, 60_000, 3_600_000, 0]) {
      clock.advance(pauseMs);
      await startHost({ store, clock }).tokens.signIn(server.mcpUrl);
    }
    expect(server.log.count("POST", "/register")).toBe(registrations);
  });
}
