// Pushed authorization requests (RFC 9126): the browser gets only a reference.
import { memoryStore } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import type {
  RunningScriptedAuthorizationServer,
  ScriptedAuthorizationServerOptions,
} from "../../servers/scripted-authorization-server.ts";
import type { ScriptedRoute } from "../../servers/scripted-server.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";

const formOf = (body = ""): Record<string, string> => Object.fromEntries(new URLSearchParams(body));

/** A scripted server with an endpoint for pushed requests; without an answer of the test's own it works. */
async function startPushing(
  push?: ScriptedRoute,
  metadata: Record<string, unknown> = {},
  options: ScriptedAuthorizationServerOptions = {},
): Promise<RunningScriptedAuthorizationServer> {
  const pushed = new Map<string, string>();
  const server = await startScripted({
    metadata: (usual) => ({
      ...usual,
      pushed_authorization_request_endpoint: `${String(usual.issuer)}/par`,
      ...metadata,
    }),
    ...options,
    routes: {
      "POST /par": (request, helpers) => {
        if (push !== undefined) return push(request, helpers);
        const uri = `urn:request:${pushed.size}`;
        pushed.set(uri, request.body);
        return helpers.json({ request_uri: uri, expires_in: 60 }, 201);
      },
    },
  });
  server.options.authorize ??= (request, usual) => {
    const body = pushed.get(request.url.searchParams.get("request_uri") ?? "");
    for (const [name, value] of new URLSearchParams(body)) request.url.searchParams.set(name, value);
    return usual();
  };
  return server;
}

describe("a request is pushed", () => {
  it("where oidc-provider offers it, with everything that it consists of", async () => {
    const { as, mcp } = await startPair({ features: { pushedAuthorizationRequests: true } });
    const host = startHost();
    expect((await host.tokens.get(mcp.url)).scope).toContain("mcp:tools");
    expect([...(host.opened[0]?.searchParams.keys() ?? [])].sort()).toEqual(["client_id", "request_uri"]);
    const [pushed] = as.log.find("POST", "/request");
    expect(formOf(pushed?.body)).toEqual({
      response_type: "code",
      client_id: host.opened[0]?.searchParams.get("client_id"),
      redirect_uri: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/callback$/),
      scope: "mcp:tools offline_access",
      state: expect.any(String),
      code_challenge: expect.any(String),
      code_challenge_method: "S256",
      resource: mcp.resource,
      prompt: "consent",
    });
  });

  it("with the client's authentication, and bound to the key of the tokens [DPOP-11] [CA-1]", async () => {
    const { as, mcp } = await startPair(
      {
        features: { pushedAuthorizationRequests: true, dpop: true },
        clients: [
          {
            client_id: "confidential",
            client_secret: "s3cret",
            application_type: "native",
            redirect_uris: ["http://127.0.0.1/callback"],
            grant_types: ["authorization_code", "refresh_token"],
          },
        ],
      },
      { dpop: "required" },
    );
    const clients = [{ issuer: as.issuer, clientId: "confidential", clientSecret: "s3cret" }];
    const { tokens } = startHost({ clients });
    expect((await tokens.get(mcp.url)).tokenType).toBe("DPoP");
    const [pushed] = as.log.find("POST", "/request");
    expect(pushed?.headers.authorization).toBe(`Basic ${btoa("confidential:s3cret")}`);
    expect(formOf(pushed?.body)).toHaveProperty("dpop_jkt");
    expect(formOf(pushed?.body)).not.toHaveProperty("client_secret");
  });

  it("though the answer says 200 for 201, or leaves out how long it lasts", async () => {
    for (const [status, more] of [
      [200, { expires_in: 60 }],
      [201, {}],
      [201, { expires_in: "60" }],
    ] as const) {
      const server = await startPushing((_request, { json }) =>
        json({ request_uri: "urn:request:1", ...more }, status),
      );
      server.options.authorize = ({ url }, _usual, { text }) => text(url.searchParams.get("request_uri") ?? "", 400);
      const host = startHost({ person: "nobody" });
      const signIn = host.tokens.signIn(server.mcpUrl).catch(() => undefined);
      expect((await host.whenOpened()).searchParams.get("request_uri")).toBe("urn:request:1");
      await host.tokens.close();
      await signIn;
    }
  });
});

const failing: [string, ScriptedRoute][] = [
  ["500", (_request, { text }) => text("", 500)],
  ["a page with status 503", (_request, { html }) => html("<h1>Down", 503)],
  ["a cut connection", () => "reset"],
];

describe("an endpoint that fails", () => {
  it.each(failing)("with %s is gone around where pushing is only offered, as an event says", async (_name, push) => {
    const server = await startPushing(push);
    const host = startHost();
    await host.tokens.signIn(server.mcpUrl);
    expect(host.opened[0]?.searchParams.get("code_challenge_method")).toBe("S256");
    expect(host.told("deviation")).toMatchObject([{ rule: "RFC 9126", issuer: server.issuer }]);
    expect(server.log.count("POST", "/par")).toBe(1);
  });

  it.each(failing)("with %s is an error where pushing is required, and no browser opens", async (_name, push) => {
    const server = await startPushing(push, { require_pushed_authorization_requests: true });
    const host = startHost();
    const code = push.length === 0 ? "network_failed" : "authorization_failed";
    await failure(host.tokens.signIn(server.mcpUrl), code, server.mcpUrl);
    expect(host.opened).toEqual([]);
  });

  it.each<[string, ScriptedRoute, object]>([
    ["invalid_request", (_r, { json }) => json({ error: "invalid_request" }, 400), { oauthError: "invalid_request" }],
    ["invalid_scope", (_r, { json }) => json({ error: "invalid_scope" }, 400), { oauthError: "invalid_scope" }],
    ["an error under 200", (_r, { json }) => json({ error: "invalid_target" }), { oauthError: "invalid_target" }],
    ["an empty 403", (_r, { text }) => text("", 403), { status: 403 }],
  ])(
    "refusing the request itself with %s is an error: the browser would only show it [ERR-1]",
    async (_n, push, expected) => {
      const server = await startPushing(push);
      const host = startHost();
      const error = await failure(host.tokens.signIn(server.mcpUrl), "authorization_failed", server.mcpUrl);
      expect(error).toMatchObject(expected);
      expect(host.opened).toEqual([]);
    },
  );

  it.each<[string, ScriptedRoute]>([
    ["a page", (_request, { html }) => html("<h1>Hello")],
    ["no reference", (_request, { json }) => json({ expires_in: 60 }, 201)],
    ["a redirect", (_request, { redirect }) => redirect("/elsewhere", 307)],
  ])("answering with %s is an error", async (_name, push) => {
    const server = await startPushing(push);
    await failure(startHost().tokens.signIn(server.mcpUrl), "invalid_response");
  });
});

describe("a forgotten client", () => {
  it("is registered anew, once, before anybody is asked [DCR-8]", async () => {
    const store = memoryStore();
    const { as, mcp } = await startPair({ features: { pushedAuthorizationRequests: true } });
    const first = startHost({ store });
    await first.tokens.signIn(mcp.url);
    as.forgetClients();
    const second = startHost({ store });
    await second.tokens.signIn(mcp.url);
    expect(as.log.count("POST", "/reg")).toBe(2);
    expect(second.opened).toHaveLength(1);
    expect(second.told("client_forgotten")).toMatchObject([
      { clientId: first.opened[0]?.searchParams.get("client_id") },
    ]);
  });

  it("is not registered again and again at a server that refuses every client [DCR-8]", async () => {
    const store = memoryStore();
    const works = await startPushing();
    await startHost({ store }).tokens.signIn(works.mcpUrl);
    works.options.routes = {
      "POST /par": (_request, { json }) => json({ error: "invalid_client" }, 401),
    };
    const error = await failure(startHost({ store }).tokens.signIn(works.mcpUrl), "authorization_failed");
    expect(error.oauthError).toBe("invalid_client");
    expect(works.log.count("POST", "/register")).toBe(2);
  });
});
