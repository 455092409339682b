import { describe, expect, it } from "vitest";
import { clientMetadataFor, registerDynamically } from "../../../src/registration/dynamic.ts";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { closingAfterEach, manualHttp, metadataAt, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();
const REDIRECT = "http://127.0.0.1:4321/callback";
const REQUEST = { clientName: "Test", redirectUri: REDIRECT };

async function registering(route: ScriptedRoute, metadata: Record<string, unknown> = {}, request: object = {}) {
  const server = await closing(startScriptedServer({ "POST /register": route }));
  const authorizationServer = metadataAt(server.url, metadata);
  const outcome = registerDynamically(
    { ...manualHttp(), server: SERVER, authorizationServer },
    { ...REQUEST, ...request },
  );
  outcome.catch(() => undefined);
  const sent = (index = 0): Record<string, unknown> => JSON.parse(server.log.requests[index]?.body ?? "{}");
  return { server, outcome, sent };
}

describe("clientMetadataFor", () => {
  it.each([
    ["http://127.0.0.1:5/callback", "native"],
    ["http://localhost:5/callback", "native"],
    ["http://[::1]:5/callback", "native"],
    ["https://app.example.com/callback", "web"],
  ])("says what kind of application has the redirect URI %s: %s [DCR-1] [DCR-2]", (redirectUri, type) => {
    expect(clientMetadataFor({ clientName: "x", redirectUri }, metadataAt("https://as"))).toMatchObject({
      application_type: type,
    });
  });

  it.each<[string[] | undefined, string]>([
    [undefined, "none"],
    [["none", "client_secret_basic"], "none"],
    [["client_secret_post", "client_secret_basic"], "client_secret_basic"],
    [["client_secret_post"], "client_secret_post"],
    [["private_key_jwt"], "client_secret_basic"],
    [[], "client_secret_basic"],
  ])("says how the client will authenticate where the server takes %j: %s [DCR-6]", (supported, method) => {
    const metadata = metadataAt("https://as", { token_endpoint_auth_methods_supported: supported });
    expect(clientMetadataFor(REQUEST, metadata)).toMatchObject({ token_endpoint_auth_method: method });
  });

  it("asks for refresh tokens, and for nothing but the code flow [CIMD-6] [AZR-1]", () => {
    expect(clientMetadataFor({ ...REQUEST, scope: "a b" }, metadataAt("https://as"))).toEqual({
      client_name: "Test",
      redirect_uris: [REDIRECT],
      application_type: "native",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      scope: "a b",
    });
  });
});

describe("registerDynamically", () => {
  it("posts JSON to the registration endpoint [DCR-4]", async () => {
    const { server, outcome, sent } = await registering((_, { json }) => json({ client_id: "c" }, 201));
    expect(await outcome).toEqual({
      issuer: server.url,
      clientId: "c",
      how: "dynamic",
      authenticationMethod: "none",
      redirectUris: [REDIRECT],
    });
    expect(server.log.requests[0]).toMatchObject({ method: "POST", headers: { "content-type": "application/json" } });
    expect(sent()).toEqual(clientMetadataFor(REQUEST, metadataAt(server.url)));
  });

  it("does not post it where that is not secure [TLS-1]", async () => {
    const { outcome } = await registering((_, { json }) => json({ client_id: "c" }, 201), {
      registration_endpoint: "http://as.example.com/register",
    });
    expect((await failureOf(outcome)).code).toBe("insecure_url");
  });

  it.each<[string, ScriptedRoute, string]>([
    ["201", (_, { json }) => json({ client_id: "c" }, 201), "c"],
    ["200", (_, { json }) => json({ client_id: "c" }, 200), "c"],
    ["another content type", (_, { text }) => text('{"client_id":"c"}', 201), "c"],
    ["an id with special characters", (_, { json }) => json({ client_id: "a/b.c:d+e f%" }, 201), "a/b.c:d+e f%"],
    [
      "members that are null or empty",
      (_, { json }) => json({ client_id: "c", client_secret: null, token_endpoint_auth_method: "" }, 201),
      "c",
    ],
  ])("accepts %s [DCR-4]", async (_case, route, clientId) => {
    expect((await (await registering(route)).outcome).clientId).toBe(clientId);
  });

  it.each<[string, ScriptedRoute, object]>([
    [
      "400 with a code",
      (_, { json }) => json({ error: "invalid_software_statement" }, 400),
      { code: "registration_failed", oauthError: "invalid_software_statement", status: 400 },
    ],
    [
      "400 with an unknown code",
      (_, { json }) => json({ error: "x_custom" }, 400),
      { code: "registration_failed", oauthError: "x_custom" },
    ],
    [
      "200 with an error",
      (_, { json }) => json({ error: "access_denied" }, 200),
      { code: "registration_failed", oauthError: "access_denied", status: 200 },
    ],
    ["401 without a body", (_, { text }) => text("", 401), { code: "registration_failed", status: 401 }],
    [
      "403 with a page",
      () => new Response("<h1>no</h1>", { status: 403 }),
      { code: "registration_failed", status: 403 },
    ],
    [
      "503 with Retry-After",
      (_, { text }) => text("", 503, { "retry-after": "7" }),
      { code: "registration_failed", status: 503, retryAfterMs: 7000 },
    ],
    ["201 without a client id", (_, { json }) => json({}, 201), { code: "invalid_response" }],
    ["201 with an id that is a number", (_, { json }) => json({ client_id: 5 }, 201), { code: "invalid_response" }],
    ["201 with a page", (_, { html }) => html("<h1>ok</h1>", 201), { code: "invalid_response" }],
    ["204", () => new Response(null, { status: 204 }), { code: "invalid_response" }],
    ["a redirect", (_, { redirect }) => redirect("/elsewhere", 307), { code: "invalid_response" }],
    ["a cut connection", () => "reset", { code: "network_failed" }],
  ])("gives a typed error for %s [DCR-4] [ERR-1]", async (_case, route, expected) => {
    const { server, outcome } = await registering(route);
    expect(await failureOf(outcome)).toMatchObject({ ...expected, server: SERVER, issuer: server.url });
    expect(server.log.count("*", "/elsewhere")).toBe(0);
  });

  it.each<[string, object, object, object]>([
    [
      "another method",
      { client_secret: "s3cret", client_secret_expires_at: 0, token_endpoint_auth_method: "client_secret_post" },
      {},
      { authenticationMethod: "client_secret_post" },
    ],
    ["a secret and no method", { client_secret: "s3cret" }, {}, { authenticationMethod: "client_secret_basic" }],
    [
      "a secret and no method, where the server takes only post",
      { client_secret: "s3cret" },
      { token_endpoint_auth_methods_supported: ["client_secret_post"] },
      { authenticationMethod: "client_secret_post" },
    ],
    [
      "a secret and a method that we do not know",
      { client_secret: "s3cret", token_endpoint_auth_method: "tls_client_auth" },
      {},
      { authenticationMethod: "client_secret_basic" },
    ],
    [
      "a secret that it says is not needed",
      { client_secret: "s3cret", token_endpoint_auth_method: "none" },
      {},
      { authenticationMethod: "none" },
    ],
    [
      "a method that needs a secret, and none",
      { token_endpoint_auth_method: "client_secret_basic" },
      {},
      { authenticationMethod: "none" },
    ],
  ])("uses what the server registered: %s [DCR-5]", async (_case, answer, metadata, expected) => {
    const { outcome } = await registering((_, { json }) => json({ client_id: "c", ...answer }, 201), { ...metadata });
    expect(await outcome).toMatchObject(expected);
  });

  it("refuses a client that was registered with other redirect URIs than ours [DCR-5] [RUR-2]", async () => {
    const { outcome } = await registering((_, { json }) =>
      json({ client_id: "c", redirect_uris: ["http://127.0.0.1/other"] }, 201),
    );
    await expect(outcome).rejects.toMatchObject({ code: "registration_failed" });
  });

  it.each<[unknown, number | undefined]>([
    [1_800_000_000, 1_800_000_000_000],
    ["1800000000", 1_800_000_000_000],
    [0, undefined],
    ["0", undefined],
    [undefined, undefined],
    [null, undefined],
    ["never", undefined],
    [1e308, undefined],
    [-1, undefined],
  ])("knows when a secret ends: %j [DCR-7]", async (endsAt, expected) => {
    const answer = { client_id: "c", client_secret: "s3cret", client_secret_expires_at: endsAt };
    expect((await (await registering((_, { json }) => json(answer, 201))).outcome).secretExpiresAt).toBe(expected);
  });

  it("shows neither the secret nor the registration access token [DCR-7]", async () => {
    const answer = {
      client_id: "c",
      client_secret: "planted-1",
      registration_access_token: "planted-2",
      registration_client_uri: "https://as/c",
    };
    const client = await (await registering((_, { json }) => json(answer, 201))).outcome;
    expect([client.clientSecret?.reveal(), client.registrationAccessToken?.reveal()]).toEqual([
      "planted-1",
      "planted-2",
    ]);
    expect(shown(client)).not.toContain("planted");
    const broken = await registering((_, { json }) => json({ ...answer, client_id: 5 }, 201));
    expect(shown(await failureOf(broken.outcome))).not.toContain("planted");
  });

  it("says what to do about a refused redirect URI, and does not try again [DCR-3]", async () => {
    const { server, outcome } = await registering((_, { json }) => json({ error: "invalid_redirect_uri" }, 400));
    const error = await failureOf(outcome);
    expect(error).toMatchObject({
      code: "registration_failed",
      oauthError: "invalid_redirect_uri",
      server: SERVER,
      issuer: server.url,
    });
    expect(error.message).toContain(REDIRECT);
    expect(error.message).toContain("option redirect");
    expect(server.log.requests).toHaveLength(1);
  });

  it("asks once more with less where the metadata is refused, for example for a grant type [DCR-3]", async () => {
    const { server, outcome, sent } = await registering(
      (request, { json }) =>
        (request.json() as { grant_types: string[] }).grant_types.includes("refresh_token")
          ? json({ error: "invalid_client_metadata" }, 400)
          : json({ client_id: "c" }, 201),
      {},
      { scope: "a b" },
    );
    expect(await outcome).toMatchObject({ clientId: "c" });
    expect(await outcome).not.toHaveProperty("registeredScope");
    expect(sent(1)).toEqual({
      ...clientMetadataFor(REQUEST, metadataAt(server.url)),
      grant_types: ["authorization_code"],
    });
  });

  it.each([
    ["invalid_scope", 400],
    ["insufficient_scope", 403],
  ])("asks once more without scopes, and with all else, where %s (%i) refuses them", async (oauthError, status) => {
    const { server, outcome, sent } = await registering(
      (request, { json }) =>
        "scope" in (request.json() as object) ? json({ error: oauthError }, status) : json({ client_id: "c" }, 201),
      {},
      { scope: "a b" },
    );
    expect(await outcome).toMatchObject({ clientId: "c" });
    expect(await outcome).not.toHaveProperty("registeredScope");
    expect(sent()).toEqual(clientMetadataFor({ ...REQUEST, scope: "a b" }, metadataAt(server.url)));
    expect(sent(1)).toEqual(clientMetadataFor(REQUEST, metadataAt(server.url)));
    expect(server.log.requests).toHaveLength(2);
  });

  it.each([
    ["there were none", {}, 1],
    ["they are refused without scopes, too", { scope: "a" }, 2],
  ])("does not ask again for a refusal of scopes where %s", async (_where, request, requests) => {
    const { server, outcome } = await registering((_, { json }) => json({ error: "invalid_scope" }, 400), {}, request);
    expect(await failureOf(outcome)).toMatchObject({ code: "registration_failed", oauthError: "invalid_scope" });
    expect(server.log.requests).toHaveLength(requests);
  });

  it("asks at most twice [DCR-3]", async () => {
    const { server, outcome } = await registering((_, { json }) => json({ error: "invalid_client_metadata" }, 400));
    expect((await failureOf(outcome)).oauthError).toBe("invalid_client_metadata");
    expect(server.log.requests).toHaveLength(2);
  });

  it("shows what the server says, inert and quoted [CHL-9]", async () => {
    const answer = { error: 'bad"\u001b[2J', error_description: "Call\n\u202e555 \u0007now" };
    const error = await failureOf((await registering((_, { json }) => json(answer, 400))).outcome);
    expect(error.message).toContain(`"bad' [2J" ("Call 555 now")`);
    expect(error.oauthError).not.toContain("\u001b");
  });
});
