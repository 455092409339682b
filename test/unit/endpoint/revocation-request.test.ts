import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { revokeToken } from "../../../src/endpoint/revocation-request.ts";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { clientAt, closingAfterEach, endpointAt, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();
const TOKEN = new Secret("planted-token-1");

async function revoking(route: ScriptedRoute, changes: (url: string) => Parameters<typeof endpointAt>[1] = () => ({})) {
  const server = await closing(startScriptedServer({ "*": route }));
  const outcome = revokeToken(endpointAt(server.url, changes(server.url)), TOKEN, "refresh_token");
  outcome.catch(() => undefined);
  return { server, outcome };
}

describe("revokeToken", () => {
  it("posts the token and what it is as a form to the endpoint of the metadata [REV-3]", async () => {
    const { server, outcome } = await revoking((_, { text }) => text(""));
    await outcome;
    expect(server.log.requests[0]).toMatchObject({ method: "POST", path: "/revoke" });
    expect(server.log.requests[0]?.query.size).toBe(0);
    expect(Object.fromEntries(new URLSearchParams(server.log.requests[0]?.body))).toEqual({
      token: "planted-token-1",
      token_type_hint: "refresh_token",
      client_id: "client",
    });
  });

  it.each<[string[] | undefined, "client_secret_basic" | "client_secret_post", "basic" | "post"]>([
    [undefined, "client_secret_basic", "basic"],
    [undefined, "client_secret_post", "post"],
    [["client_secret_post"], "client_secret_basic", "post"],
    [["client_secret_basic"], "client_secret_post", "basic"],
    [["client_secret_post", "client_secret_basic"], "client_secret_post", "post"],
    [["private_key_jwt"], "client_secret_post", "basic"],
  ])(
    "authenticates as the endpoint wants: %j, registered %s [REV-3] [CA-1]",
    async (supported, authenticationMethod, way) => {
      const { server, outcome } = await revoking(
        (_, { text }) => text(""),
        (url) => ({
          metadata: { revocation_endpoint_auth_methods_supported: supported },
          client: clientAt(url, { secret: "s3cret", authenticationMethod }),
        }),
      );
      await outcome;
      const [request] = server.log.requests;
      expect(request?.headers.authorization !== undefined).toBe(way === "basic");
      expect(new URLSearchParams(request?.body).has("client_secret")).toBe(way === "post");
    },
  );

  it.each(["http://as.example.com/revoke", "http://localhost.evil/revoke", "javascript:alert(1)"])(
    "sends nothing to %s [REV-2] [TLS-1]",
    async (revocation_endpoint) => {
      const { server, outcome } = await revoking(
        (_, { text }) => text(""),
        () => ({ metadata: { revocation_endpoint } }),
      );
      const error = await failureOf(outcome);
      expect(["insecure_url", "invalid_response"]).toContain(error.code);
      expect(shown(error)).not.toContain("planted");
      expect(server.log.requests).toEqual([]);
    },
  );

  it.each<[string, ScriptedRoute]>([
    ["200", (_, { text }) => text("")],
    ["200 with something in it", (_, { json }) => json({ message: "unknown token" })],
    ["200 with a page", (_, { html }) => html("<h1>ok</h1>")],
    ["201", (_, { text }) => text("", 201)],
    ["204", () => new Response(null, { status: 204 })],
  ])("takes %s for success [REV-4]", async (_case, route) => {
    await expect((await revoking(route)).outcome).resolves.toBeUndefined();
  });

  it.each<[string, ScriptedRoute, object]>([
    [
      "503, with the time after which to try again",
      (_, { text }) => text("", 503, { "retry-after": "30" }),
      { code: "revocation_failed", status: 503, retryAfterMs: 30_000 },
    ],
    [
      "a token type that is not supported",
      (_, { json }) => json({ error: "unsupported_token_type" }, 400),
      { code: "revocation_failed", oauthError: "unsupported_token_type", status: 400 },
    ],
    [
      "401 for a public client",
      (_, { json }) => json({ error: "invalid_client" }, 401, { "www-authenticate": "Basic" }),
      { code: "revocation_failed", oauthError: "invalid_client", status: 401 },
    ],
    [
      "200 with an error",
      (_, { json }) => json({ error: "invalid_request" }),
      { code: "revocation_failed", oauthError: "invalid_request", status: 200 },
    ],
    ["404", (_, { text }) => text("no", 404), { code: "revocation_failed", status: 404 }],
    ["a redirect", (_, { redirect }) => redirect("/elsewhere", 307), { code: "invalid_response" }],
    ["a cut connection", () => "reset", { code: "network_failed" }],
  ])("gives a typed error for %s [REV-5] [ERR-1]", async (_case, route, expected) => {
    const { server, outcome } = await revoking(route);
    const error = await failureOf(outcome);
    expect(error).toMatchObject({ ...expected, server: SERVER, issuer: server.url });
    expect(server.log.requests).toHaveLength(1);
  });

  it("shows neither the token nor the secret when the server echoes them", async () => {
    const { outcome } = await revoking(
      ({ body, headers }, { json }) => json({ error: "x", error_description: `${body} ${headers.authorization}` }, 400),
      (url) => ({ client: clientAt(url, { secret: "planted-secret-2", authenticationMethod: "client_secret_post" }) }),
    );
    expect(shown(await failureOf(outcome))).not.toContain("planted");
  });

  it("ends with the caller's signal [ERR-3]", async () => {
    const stop = new AbortController();
    const { outcome } = await revoking(
      (request, { hang }) => {
        stop.abort();
        return hang(request);
      },
      () => ({ signal: stop.signal }),
    );
    expect((await failureOf(outcome)).code).toBe("aborted");
  });
});
