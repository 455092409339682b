// Which authorization server is used, what is remembered of it, and what happens when a resource moves to another.
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import type { RunningAuthorizationServer } from "../../servers/authorization-server.ts";
import type { RunningProtectedMcpServer } from "../../servers/protected-mcp-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { closing, failure, type Host, paths, startHost, startScripted } from "./support/harness.ts";
import { startAs, startMcp } from "./support/real-servers.ts";

interface Choice {
  first: RunningAuthorizationServer;
  second: RunningAuthorizationServer;
  /** Accepts the tokens of both. */
  mcp: RunningProtectedMcpServer;
}

async function startChoice(): Promise<Choice> {
  const [first, second] = [await startAs(), await startAs()];
  const mcp = await startMcp(first, {
    stateless: true,
    authorizationServers: [first.issuer, second.issuer],
    verifyAccessToken: async (token, resource) =>
      (await first.verifyAccessToken(token, resource)) ?? (await second.verifyAccessToken(token, resource)),
  });
  return { first, second, mcp };
}

function call({ tokens }: Host, mcp: RunningProtectedMcpServer): Promise<Response> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  return tokens.fetch(mcp.url)(mcp.url, { method: "POST", headers, body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' });
}

it("takes the first of several authorization servers, and touches no other [ASS-1]", async () => {
  const { first, second, mcp } = await startChoice();
  const host = startHost();
  expect((await host.tokens.get(mcp.url)).issuer).toBe(first.issuer);
  expect(second.log.count("*")).toBe(0);
  expect(host.told("authorization_server_selected")).toMatchObject([{ issuer: first.issuer, choices: 2 }]);
});

it("lets the host choose among several authorization servers, and tells it which it has credentials of [ASS-1]", async () => {
  const { first, second, mcp } = await startChoice();
  const questions: unknown[] = [];
  const host = startHost({
    chooseAuthorizationServer: (choice) => {
      questions.push(choice);
      return second.issuer;
    },
  });
  expect((await host.tokens.signIn(mcp.url)).issuer).toBe(second.issuer);
  await host.tokens.signIn(mcp.url);
  const question = { server: mcp.url.href, authorizationServers: [first.issuer, second.issuer] };
  expect(questions).toEqual([
    { ...question, withCredentials: [] },
    { ...question, withCredentials: [second.issuer] },
  ]);
  expect(first.log.count("*")).toBe(0);
});

it("refuses a choice that the server does not list", async () => {
  const { mcp } = await startChoice();
  const { tokens, opened } = startHost({ chooseAuthorizationServer: () => "https://elsewhere.example" });
  await failure(tokens.get(mcp.url), "invalid_configuration", mcp.url);
  expect(opened).toHaveLength(0);
});

it("prefers the authorization server that it has credentials of, wherever it stands in the list [ASS-1]", async () => {
  const { first, second, mcp } = await startChoice();
  mcp.setAuthorizationServers([second.issuer]);
  const host = startHost();
  await host.tokens.get(mcp.url);
  mcp.setAuthorizationServers([first.issuer, second.issuer]);
  expect((await host.tokens.signIn(mcp.url)).issuer).toBe(second.issuer);
  expect(first.log.count("*")).toBe(0);
});

it("goes on to the next authorization server where one has no metadata", async () => {
  const { first, second, mcp } = await startChoice();
  first.respond(
    () => true,
    (_request, response) => response.writeHead(404).end(),
  );
  expect((await startHost().tokens.get(mcp.url)).issuer).toBe(second.issuer);
});

it("registers anew and reuses nothing when the resource moves to another authorization server [CHL-8] [ASS-2] [ASS-3] [BIND-1] [BIND-2] [BIND-3]", async () => {
  const { first, second, mcp } = await startChoice();
  mcp.setAuthorizationServers([first.issuer]);
  const host = startHost();
  expect((await call(host, mcp)).status).toBe(200);
  const old = new URLSearchParams(first.log.find("POST", "/token")[0]?.body);
  mcp.setAuthorizationServers([second.issuer]);
  mcp.invalidateAll();
  first.log.clear();
  expect((await call(host, mcp)).status).toBe(200);
  expect(first.log.count("*")).toBe(0);
  expect(second.log.count("POST", "/reg")).toBe(1);
  const sent = JSON.stringify(second.log.requests.map(({ query, body, headers }) => [[...query], body, headers]));
  for (const secret of [old.get("client_id"), old.get("code"), "refresh_token="]) expect(sent).not.toContain(secret);
  expect(await host.tokens.status()).toMatchObject([{ issuer: second.issuer }]);
});

it("goes back to the client and the session it had when the resource moves back [ASS-2]", async () => {
  const { first, second, mcp } = await startChoice();
  const host = startHost();
  for (const { issuer } of [first, second, first]) {
    mcp.setAuthorizationServers([issuer]);
    mcp.invalidateAll();
    expect((await call(host, mcp)).status).toBe(200);
  }
  expect([first, second].map(({ log }) => log.count("POST", "/reg"))).toEqual([1, 1]);
  const results = await host.tokens.signOut(mcp.url);
  expect(results).toMatchObject([{ revocation: "revoked" }]);
  expect([first, second].map(({ log }) => log.count("POST", "/token/revocation"))).toEqual([2, 2]);
});

it("redeems the code where the sign-in began, though the resource names another server meanwhile [ISS-1] [ISS-9]", async () => {
  const { first, second, mcp } = await startChoice();
  mcp.setAuthorizationServers([first.issuer]);
  const person = new UserAgent();
  const { tokens } = startHost({
    openBrowser: (url) => {
      mcp.setAuthorizationServers([second.issuer]);
      void person.open(url);
    },
  });
  expect((await tokens.get(mcp.url)).issuer).toBe(first.issuer);
  expect(first.log.count("POST", "/token")).toBe(1);
  expect(second.log.count("*")).toBe(0);
});

it("keeps authorization server metadata for as long as its server says, and asks the resource every time [PRM-12] [CHL-8]", async () => {
  const clock = new ManualClock();
  const server = await startScripted();
  const document = await (await fetch(`${server.url}/.well-known/oauth-authorization-server`)).text();
  server.options.routes = {
    "GET /.well-known/oauth-authorization-server": (_request, { text }) =>
      text(document, 200, { "content-type": "application/json", "cache-control": "public, max-age=60" }),
  };
  const { tokens } = startHost({ clock });
  server.log.clear();
  const seen: number[][] = [];
  for (const pauseMs of [59_000, 2000, 0]) {
    await tokens.signIn(server.mcpUrl);
    seen.push(["authorization-server", "protected-resource"].map((kind) => server.log.count("GET", new RegExp(kind))));
    clock.advance(pauseMs);
  }
  expect(seen).toEqual([
    [1, 1],
    [1, 2],
    [2, 3],
  ]);
});

it("keeps nothing of metadata that must not be stored [PRM-12]", async () => {
  const server = await startScripted();
  const document = await (await fetch(`${server.url}/.well-known/oauth-authorization-server`)).text();
  server.options.routes = {
    "GET /.well-known/oauth-authorization-server": (_request, { text }) =>
      text(document, 200, { "content-type": "application/json", "cache-control": "no-store" }),
  };
  const { tokens } = startHost();
  server.log.clear();
  await tokens.signIn(server.mcpUrl);
  await tokens.signIn(server.mcpUrl);
  expect(server.log.count("GET", /authorization-server/)).toBe(2);
});

it("shares one client and one look at the metadata among the servers of an issuer, but never a token [RES-8] [BIND-1]", async () => {
  const as = await startAs();
  const [one, other] = [await startMcp(as), await startMcp(as, { path: "/other" })];
  const { tokens, opened } = startHost({ store: memoryStore() });
  const first = await tokens.get(one.url);
  const second = await tokens.get(other.url);
  expect(as.log.count("POST", "/reg")).toBe(1);
  expect(as.log.count("GET", /well-known/)).toBe(1);
  expect(opened.map(({ searchParams }) => searchParams.get("resource"))).toEqual([one.resource, other.resource]);
  expect(first.accessToken.reveal()).not.toBe(second.accessToken.reveal());
  expect(await as.verifyAccessToken(first.accessToken.reveal(), other.resource)).toBeUndefined();
});

it("does not use a stored client that stands under another issuer than its own [BIND-1]", async () => {
  const [own, other] = [await startScripted(), await startScripted()];
  const store = memoryStore();
  await startHost({ store }).tokens.signIn(own.mcpUrl);
  const misplaced = (await store.get(`client/${own.issuer}`))?.value ?? "";
  const { clientId } = JSON.parse(misplaced) as { clientId: string };
  const lock = await store.lock(`client/${other.issuer}`);
  await store.set(`client/${other.issuer}`, misplaced, lock);
  await lock.release();
  const host = startHost({ store });
  await host.tokens.signIn(other.mcpUrl);
  expect(host.opened[0]?.searchParams.get("client_id")).not.toBe(clientId);
  expect(other.log.count("POST", "/register")).toBe(1);
});

it("tells which authorization server a person is sent to before the browser opens [PRM-12]", async () => {
  const server = await startScripted();
  const order: string[] = [];
  const person = new UserAgent();
  const { tokens } = startHost({
    openBrowser: (url) => {
      order.push("opened");
      void person.open(url);
    },
  });
  closing({
    close: tokens.on("authorization_server_selected", ({ authorizationServer }) => order.push(authorizationServer)),
  });
  await tokens.get(server.mcpUrl);
  expect(order).toEqual([new URL(server.issuer).host, "opened"]);
  expect(paths(server.log).filter((path) => path === "GET /authorize")).toHaveLength(1);
});
