// Servers of MCP 2025-03-26, which are their own authorization servers and know no protected resource metadata.
import { expect, it } from "vitest";
import type {
  RunningScriptedAuthorizationServer,
  ScriptedAuthorizationServerOptions,
} from "../../servers/scripted-authorization-server.ts";
import { createScriptedMcpEndpoint } from "../../servers/scripted-mcp-endpoint.ts";
import type { ScriptedRoute } from "../../servers/scripted-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, paths, startHost, startScripted } from "./support/harness.ts";

const notFound: ScriptedRoute = (_request, { text }) => text("not found", 404);
const withoutResourceMetadata = {
  "GET /.well-known/oauth-protected-resource/mcp": notFound,
  "GET /.well-known/oauth-protected-resource": notFound,
};

function startLegacy(options: ScriptedAuthorizationServerOptions = {}): Promise<RunningScriptedAuthorizationServer> {
  return startScripted({ challenge: null, ...options, routes: { ...withoutResourceMetadata, ...options.routes } });
}

it("finds the metadata at the server's origin, after both places of resource metadata [LEG-1] [LEG-2] [PRM-2] [PRM-9] [CHL-7]", async () => {
  const server = await startLegacy();
  const endpoint = createScriptedMcpEndpoint({ accessTokens: server.accessTokens, challenge: () => null });
  Object.assign(server.options.routes ?? {}, { "/v1/mcp": endpoint });
  const { tokens } = startHost();
  const { issuer } = await tokens.get(`${server.url}/v1/mcp`);
  expect(issuer).toBe(server.url);
  expect(paths(server.log)).toEqual([
    "POST /v1/mcp",
    "GET /.well-known/oauth-protected-resource/v1/mcp",
    "GET /.well-known/oauth-protected-resource",
    "GET /.well-known/oauth-authorization-server",
    "POST /register",
    "GET /authorize",
    "POST /token",
  ]);
  expect(server.log.find("GET", /authorization-server/)[0]?.headers["mcp-protocol-version"]).toBeDefined();
});

it("uses the endpoints of the metadata, and never the default ones beside them [LEG-2]", async () => {
  const server = await startLegacy({
    metadata: ({ issuer, ...usual }) => ({
      ...usual,
      issuer,
      authorization_endpoint: `${String(issuer)}/oauth/authorize`,
      token_endpoint: `${String(issuer)}/oauth/token`,
      registration_endpoint: `${String(issuer)}/oauth/register`,
    }),
    routes: {
      "POST /oauth/register": (request, { json }) => json({ ...(request.json() as object), client_id: "c" }, 201),
      "GET /oauth/authorize": ({ url }, { url: iss, redirect }) => {
        const response = new URLSearchParams({ code: "c", state: url.searchParams.get("state") ?? "", iss });
        return redirect(`${url.searchParams.get("redirect_uri")}?${response}`);
      },
      "POST /oauth/token": (_request, { json }) => json({ access_token: "from-metadata", token_type: "Bearer" }),
    },
  });
  const { accessToken } = await startHost().tokens.get(server.mcpUrl);
  expect(accessToken.reveal()).toBe("from-metadata");
  for (const path of ["/authorize", "/token", "/register"]) expect(server.log.count("*", path)).toBe(0);
});

it("uses the default endpoints where there is no metadata at all, with PKCE and the resource [LEG-3] [LEG-4] [RES-5]", async () => {
  const server = await startLegacy({ routes: { "GET /.well-known/oauth-authorization-server": notFound } });
  const { tokens, opened } = startHost();
  const { accessToken } = await tokens.get(server.mcpUrl);
  expect(server.accessTokens.get(accessToken.reveal())).toMatchObject({ resource: server.mcpUrl.href });
  expect(opened[0]?.origin).toBe(server.url);
  expect(Object.fromEntries(opened[0]?.searchParams ?? [])).toMatchObject({
    code_challenge_method: "S256",
    resource: server.mcpUrl.href,
  });
  expect(new URLSearchParams(server.log.find("POST", "/token")[0]?.body).get("resource")).toBe(server.mcpUrl.href);
  expect(paths(server.log).slice(-3)).toEqual(["POST /register", "GET /authorize", "POST /token"]);
});

it("refuses metadata at the origin that is for another issuer [LEG-5]", async () => {
  const server = await startLegacy({ metadata: { issuer: "https://other.example" } });
  const { tokens, opened } = startHost();
  const error = await failure(tokens.get(server.mcpUrl), "issuer_mismatch", server.mcpUrl);
  expect(error.message).toContain("https://other.example");
  expect(opened).toHaveLength(0);
  expect(server.log.count("POST", "/register")).toBe(0);
});

it("stops where there is no resource metadata and the fallback is off [PRM-9]", async () => {
  const server = await startLegacy();
  const { tokens } = startHost({ legacyFallback: false });
  await failure(tokens.get(server.mcpUrl), "discovery_failed", server.mcpUrl);
  expect(server.log.count("*", /authorization-server|authorize/)).toBe(0);
});

const uncertain: Record<
  string,
  { answer: ScriptedRoute; code: "discovery_failed" | "invalid_response" | "network_failed" | "resource_mismatch" }
> = {
  "a server error": { answer: (_request, { text }) => text("oops", 500), code: "discovery_failed" },
  "too many requests": { answer: (_request, { text }) => text("slow down", 429), code: "discovery_failed" },
  "broken JSON": {
    answer: (_request, { text }) => text("{", 200, { "content-type": "application/json" }),
    code: "invalid_response",
  },
  "a cut connection": { answer: () => "reset", code: "network_failed" },
  "metadata of another resource": {
    answer: (_request, { json, url }) => json({ resource: "https://other.example/mcp", authorization_servers: [url] }),
    code: "resource_mismatch",
  },
};

for (const [name, { answer, code }] of Object.entries(uncertain)) {
  it(`does not take ${name} for the absence of resource metadata [LEG-6]`, async () => {
    const server = await startLegacy({ routes: { "GET /.well-known/oauth-protected-resource/mcp": answer } });
    const { tokens, opened } = startHost();
    await failure(tokens.get(server.mcpUrl), code, server.mcpUrl);
    expect(server.log.count("*", /authorization-server|authorize|register|token/)).toBe(0);
    expect(opened).toHaveLength(0);
  });
}

it("does not take silence for the absence of resource metadata [LEG-6]", async () => {
  const clock = new ManualClock();
  const server = await startLegacy({
    routes: {
      "GET /.well-known/oauth-protected-resource/mcp": (request, { hang }) => {
        setImmediate(() => clock.advance(1000));
        return hang(request);
      },
    },
  });
  await failure(startHost({ clock, requestTimeoutMs: 1000 }).tokens.get(server.mcpUrl), "timeout", server.mcpUrl);
  expect(server.log.count("*", /authorization-server/)).toBe(0);
});

it("never guesses endpoints for an authorization server that resource metadata names [ASM-10]", async () => {
  const server = await startScripted({ routes: { "GET /.well-known/oauth-authorization-server": notFound } });
  const { tokens, opened } = startHost();
  const error = await failure(tokens.get(server.mcpUrl), "discovery_failed", server.mcpUrl);
  expect(error.issuer).toBe(server.issuer);
  expect(server.log.count("*", /^\/(authorize|register|token)/)).toBe(0);
  expect(opened).toHaveLength(0);
});
