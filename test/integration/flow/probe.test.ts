// What a server that redirects says about authorization: only who looked at the request can ask for a token.
import { describe, expect, it } from "vitest";
import type { RunningScriptedAuthorizationServer } from "../../servers/scripted-authorization-server.ts";
import { createScriptedMcpEndpoint } from "../../servers/scripted-mcp-endpoint.ts";
import { type RunningScriptedServer, type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { closing, failure, startHost, startScripted } from "./support/harness.ts";

/** The endpoint behind its bearer check, with a challenge that says what is written nowhere else. */
function guarded({ url, accessTokens }: RunningScriptedAuthorizationServer): ScriptedRoute {
  const challenge = `Bearer scope="from:challenge", resource_metadata="${url}/metadata"`;
  return createScriptedMcpEndpoint({ accessTokens, challenge: () => challenge });
}

const metadata: ScriptedRoute = (_request, { json, url }) =>
  json({ resource: `${url}/mcp`, authorization_servers: [url] });

/** A server that redirects from `/mcp` to `/mcp/` before it looks at the token, as frameworks do. */
async function startSlashed(status: number): Promise<RunningScriptedAuthorizationServer> {
  const server = await startScripted();
  server.options.routes = {
    "/mcp": (_request, { redirect }) => redirect("/mcp/", status),
    "/mcp/": guarded(server),
    "GET /metadata": metadata,
  };
  return server;
}

/** A server whose endpoint stands behind so many redirects. */
async function startBehind(redirects: number): Promise<RunningScriptedAuthorizationServer> {
  const server = await startScripted();
  const route: ScriptedRoute = (request, helpers) => {
    const left = Number(request.url.searchParams.get("left") ?? redirects);
    return left === 0 ? guarded(server)(request, helpers) : helpers.redirect(`/mcp?left=${left - 1}`, 307);
  };
  server.options.routes = { "/mcp": route, "GET /metadata": metadata };
  return server;
}

interface Astray {
  readonly server: RunningScriptedAuthorizationServer;
  /** Whom no request may reach. */
  readonly elsewhere: RunningScriptedServer;
}

/** A server that redirects where nobody follows. */
async function startAstray(status: number, location: (own: URL, elsewhere: string) => string): Promise<Astray> {
  const elsewhere = closing(await startScriptedServer({ "*": (_request, { text }) => text("welcome") }));
  const server = await startScripted();
  server.options.routes = {
    "/mcp": (_request, { redirect }) => redirect(location(new URL(server.url), elsewhere.url), status),
    "/login": (_request, { text }) => text("welcome"),
  };
  return { server, elsewhere };
}

describe("a redirect that keeps the method, within the origin", () => {
  it.each([307, 308])("by %s leads to the challenge, with what only that says", async (status) => {
    const server = await startSlashed(status);
    const host = startHost();
    const { accessToken } = await host.tokens.get(server.mcpUrl);
    expect([...server.accessTokens.keys()]).toContain(accessToken.reveal());
    expect(host.opened[0]?.searchParams.get("scope")).toBe("from:challenge");
    expect(server.log.count("GET", "/metadata")).toBe(1);
    const [first, second] = server.log.find("*", /^\/mcp/);
    expect([first?.path, second?.path]).toEqual(["/mcp", "/mcp/"]);
    expect(second).toMatchObject({ method: "POST", body: first?.body });
    expect(second?.body).toContain('"ping"');
  });

  it("tells an explicit sign-in what the server asks for, too", async () => {
    const server = await startSlashed(307);
    const host = startHost();
    await host.tokens.signIn(server.mcpUrl);
    expect(host.opened[0]?.searchParams.get("scope")).toBe("from:challenge");
  });

  it("is followed three times, and no more", async () => {
    const near = await startBehind(3);
    await startHost().tokens.get(near.mcpUrl);
    const far = await startBehind(4);
    const host = startHost();
    const error = await failure(host.tokens.get(far.mcpUrl), "sign_in_required", far.mcpUrl);
    expect(error.message).toContain("redirects");
    expect(far.log.count("POST", "/mcp")).toBe(4);
    expect(host.opened).toEqual([]);
  });

  it("takes the token along, which is looked at where it leads", async () => {
    const server = await startSlashed(307);
    const provider = startHost().tokens.bearerProvider(server.mcpUrl);
    const token = await provider.token();
    server.log.clear();
    await provider.onUnauthorized({ response: new Response(null, { status: 401 }) });
    const sent = server.log.find("POST", "/mcp/").map(({ headers, status }) => [headers.authorization, status]);
    expect(sent[0]).toEqual([`Bearer ${token}`, 200]);
  });
});

describe("any other redirect says nothing about authorization:", () => {
  const elsewhere: [string, number, (own: URL, elsewhere: string) => string][] = [
    ["301", 301, () => "/login"],
    ["302", 302, () => "/login"],
    ["303", 303, () => "/login"],
    ["307 to another origin", 307, (_own, other) => `${other}/mcp`],
    ["308 to another name of the same machine", 308, (own) => `http://localhost:${own.port}/login`],
    ["307 to an address with a user name", 307, (own) => `http://user:pass@${own.host}/login`],
    ["308 to another scheme", 308, () => "ftp://files.example/mcp"],
    ["307 to nowhere", 307, () => "http://"],
  ];

  it.each(elsewhere)("%s", async (_name, status, location) => {
    const { server, elsewhere: other } = await startAstray(status, location);
    const host = startHost();
    const error = await failure(host.tokens.get(server.mcpUrl), "sign_in_required", server.mcpUrl);
    expect(error.message).toContain("redirects to");
    expect(error.message).not.toContain("pass@");
    expect(host.opened).toEqual([]);
    // Whoever wants to sign in all the same can.
    expect((await host.tokens.signIn(server.mcpUrl)).issuer).toBe(server.issuer);
    expect(other.log.requests).toEqual([]);
    expect(server.log.count("*", "/login")).toBe(0);
  });

  it("a token that was only redirected has not been accepted", async () => {
    const { server, elsewhere: other } = await startAstray(307, (_own, place) => `${place}/mcp`);
    const host = startHost();
    const provider = host.tokens.bearerProvider(server.mcpUrl);
    expect(await provider.token()).toBeUndefined();
    const refuse = (): Promise<void> =>
      provider.onUnauthorized({
        response: new Response(null, { status: 401, headers: { "www-authenticate": "Bearer" } }),
      });
    await refuse();
    expect(await provider.token()).toBeDefined();
    await failure(refuse(), "token_rejected", server.mcpUrl);
    expect(host.opened).toHaveLength(1);
    expect(server.log.count("POST", "/token")).toBe(1);
    expect(other.log.requests).toEqual([]);
  });
});
