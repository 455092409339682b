// Tokens are for the one server they were issued for: nothing hands them, or what came with them, on to somebody else.
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import type { LoggedRequest } from "../../servers/request-log.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { shown } from "../../support/failure.ts";
import { closing, startHost, startScripted } from "../flow/support/harness.ts";

const ID_TOKEN = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbGljZSJ9.";

const PING = { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }) };

/** Everything of a request that somebody could read. */
const readable = ({ path, query, headers, body }: LoggedRequest): string =>
  [path, query.toString(), decodeURIComponent(query.toString()), JSON.stringify(headers), body].join("\n");

it("an ID token is neither kept nor sent nor handed out [TOK-8]", async () => {
  const server = await startScripted({ tokenResponse: { id_token: ID_TOKEN }, accessTokenSeconds: 1 });
  const store = memoryStore();
  const { tokens, events } = startHost({ store });
  const result = await tokens.get(server.mcpUrl);
  expect(result.accessToken.reveal()).not.toBe(ID_TOKEN);
  expect(Object.keys(result).sort()).toEqual(["accessToken", "expiresAt", "issuer", "scope", "tokenType"]);
  expect((await tokens.fetch(server.mcpUrl)(server.mcpUrl, PING)).status).toBe(200);
  const stored = await Promise.all((await store.keys()).map((key) => store.get(key)));
  expect(stored.length).toBeGreaterThan(0);
  for (const record of stored) expect(record?.value).not.toContain(ID_TOKEN);
  await tokens.signOut(server.mcpUrl);
  for (const request of server.log.requests) expect(readable(request)).not.toContain(ID_TOKEN);
  expect(shown(events)).not.toContain(ID_TOKEN);
});

it("an access token goes to its own server, and as a token to revoke to its issuer, and nowhere else [TOK-8]", async () => {
  const upstream = closing(await startScriptedServer({ "*": (_request, { text }) => text("upstream") }));
  const server = await startScripted();
  const { tokens } = startHost();
  const token = (await tokens.get(server.mcpUrl)).accessToken.reveal();
  const fetch = tokens.fetch(server.mcpUrl);
  await fetch(server.mcpUrl, PING);
  await fetch(upstream.url, PING);
  await tokens.get(server.mcpUrl, { minTtlSeconds: 1e9 }).catch(() => undefined);
  await tokens.signOut(server.mcpUrl);
  for (const request of upstream.log.requests) expect(readable(request)).not.toContain(token);
  expect(upstream.log.requests).toHaveLength(1);
  const holders = server.log.requests.filter((request) => readable(request).includes(token));
  expect([...new Set(holders.map(({ method, path }) => `${method} ${path}`))]).toEqual(["POST /mcp", "POST /revoke"]);
});
