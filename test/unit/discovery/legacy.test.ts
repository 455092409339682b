import { describe, expect, it } from "vitest";
import { discoverLegacyAuthorizationServer } from "../../../src/discovery/legacy.ts";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf } from "../../support/failure.ts";
import { closingAfterEach, manualHttp, metadataAt } from "../../support/stage.ts";
import { asked } from "./support.ts";

const closing = closingAfterEach();
const PLACE = "/.well-known/oauth-authorization-server";

async function lookUp(route: ScriptedRoute) {
  const server = await closing(startScriptedServer({ [PLACE]: route, "*": (_, { text }) => text("no", 404) }));
  return { server, outcome: discoverLegacyAuthorizationServer(manualHttp().http, `${server.url}/v1/mcp?t=1`) };
}

describe("servers of MCP 2025-03-26", () => {
  it("have their metadata at the origin, which wins over the default endpoints [LEG-1] [LEG-2]", async () => {
    const endpoints = { token_endpoint: "https://as.example.com/oauth/token" };
    const { server, outcome } = await lookUp((_, { json, url }) => json(metadataAt(url, endpoints)));
    expect(await outcome).toEqual({ metadata: metadataAt(server.url, endpoints), defaultEndpoints: false });
    expect(asked(server)).toEqual([PLACE]);
  });

  it("have their endpoints at the origin where they publish no metadata [LEG-1] [LEG-3]", async () => {
    const { server, outcome } = await lookUp((_, { text }) => text("no", 404));
    expect(await outcome).toEqual({
      metadata: {
        issuer: server.url,
        authorization_endpoint: `${server.url}/authorize`,
        token_endpoint: `${server.url}/token`,
        registration_endpoint: `${server.url}/register`,
      },
      defaultEndpoints: true,
    });
  });

  it.each<[string, (origin: string) => unknown, boolean]>([
    ["the origin", (origin) => origin, true],
    ["the origin with its slash", (origin) => `${origin}/`, true],
    ["another host", () => "https://evil.example", false],
    ["the server's path", (origin) => `${origin}/v1`, false],
    ["the origin's prefix", (origin) => origin.slice(0, -1), false],
    ["nothing", () => undefined, false],
    ["what cannot be made a text", () => ({ toString: null, valueOf: null }), false],
  ])("must be their own issuer: %s [LEG-5]", async (_case, issuerOf, accepted) => {
    const { outcome } = await lookUp((_, { json, url }) => json({ ...metadataAt(url), issuer: issuerOf(url) }));
    if (accepted) expect((await outcome).defaultEndpoints).toBe(false);
    else expect((await failureOf(outcome)).code).toBe("issuer_mismatch");
  });

  it.each<[string, ScriptedRoute]>([
    ["500", (_, { text }) => text("no", 500)],
    ["broken JSON", (_, { text }) => text("{", 200)],
    ["a cut connection", () => "reset"],
    [
      "an endpoint that is not https",
      (_, { json, url }) => json(metadataAt(url, { token_endpoint: "http://as.example.com/" })),
    ],
  ])("get no default endpoints after %s [LEG-6]", async (_case, route) => {
    await failureOf((await lookUp(route)).outcome);
  });
});
