// Dynamic registration, as servers in the field do it.
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import type { ScriptedOverride } from "../../servers/scripted-authorization-server.ts";
import { withJson } from "../../servers/scripted-server.ts";
import { failure, paths, startHost, startScripted } from "./support/harness.ts";

function registrationAnswer(changes: Record<string, unknown>, status = 201): ScriptedOverride {
  return async (_request, usual) => {
    const answer = await withJson(await usual(), changes);
    return answer === "reset" ? answer : new Response(answer.body, { status, headers: answer.headers });
  };
}

it("accepts 200 for a registration [DCR-4]", async () => {
  const server = await startScripted({ register: registrationAnswer({}, 200) });
  await startHost().tokens.signIn(server.mcpUrl);
  const [request] = server.log.find("POST", "/register");
  expect(request?.headers["content-type"]).toContain("application/json");
  expect(request?.status).toBe(200);
});

for (const [name, answer, sent] of [
  ["names no method", { token_endpoint_auth_method: undefined }, "basic"],
  ["names post", { token_endpoint_auth_method: "client_secret_post" }, "post"],
  ["says none all the same", { token_endpoint_auth_method: "none" }, "none"],
  ["names a method that nobody knows", { token_endpoint_auth_method: "magic" }, "basic"],
] as const) {
  it(`authenticates with the secret that a server forces on it and ${name} [DCR-5] [CA-1] [CA-2]`, async () => {
    const server = await startScripted({
      metadata: { token_endpoint_auth_methods_supported: ["none", "client_secret_basic", "client_secret_post"] },
      register: registrationAnswer({ client_id: "id", client_secret: "forced", ...answer }),
    });
    await startHost().tokens.signIn(server.mcpUrl);
    const [request] = server.log.find("POST", "/token");
    const inBody = new URLSearchParams(request?.body).get("client_secret");
    expect(request?.headers.authorization).toBe(sent === "basic" ? `Basic ${btoa("id:forced")}` : undefined);
    expect(inBody).toBe(sent === "post" ? "forced" : null);
  });
}

it("registers with a secret where a server takes no public clients [CA-2]", async () => {
  const server = await startScripted({
    metadata: { token_endpoint_auth_methods_supported: ["client_secret_post"] },
    register: registrationAnswer({ client_secret: "s" }),
  });
  await startHost().tokens.signIn(server.mcpUrl);
  expect(JSON.parse(server.log.find("POST", "/register")[0]?.body ?? "")).toMatchObject({
    token_endpoint_auth_method: "client_secret_post",
  });
  expect(new URLSearchParams(server.log.find("POST", "/token")[0]?.body).get("client_secret")).toBe("s");
});

it("puts up with numbers as texts, nulls and empty members [DCR-7]", async () => {
  const store = memoryStore();
  const server = await startScripted({
    register: registrationAnswer({
      client_id_issued_at: "1700000000",
      client_secret: "s",
      client_secret_expires_at: "0",
      logo_uri: null,
      registration_access_token: "",
    }),
  });
  for (let run = 0; run < 2; run++) await startHost({ store }).tokens.signIn(server.mcpUrl);
  expect(server.log.count("POST", "/register")).toBe(1);
});

it("asks once more with less when a server refuses the metadata [DCR-3]", async () => {
  const server = await startScripted({
    register: (request, usual, { json }) =>
      (request.json() as { grant_types: string[] }).grant_types.length > 1
        ? json({ error: "invalid_client_metadata", error_description: "unknown grant refresh_token" }, 400)
        : usual(),
  });
  await startHost().tokens.signIn(server.mcpUrl);
  const [first, second] = server.log.find("POST", "/register").map(({ body }) => JSON.parse(body) as object);
  expect(first).toMatchObject({ grant_types: ["authorization_code", "refresh_token"], scope: "mcp:tools" });
  expect(second).toMatchObject({ grant_types: ["authorization_code"], application_type: "native" });
  expect(second).not.toHaveProperty("scope");
});

it.each([
  ["invalid_scope", 400],
  ["insufficient_scope", 403],
])("signs in where a server answers %s (%i) to the scopes of a registration", async (oauthError, status) => {
  const server = await startScripted({
    register: (request, usual, { json }) =>
      "scope" in (request.json() as object) ? json({ error: oauthError }, status) : usual(),
  });
  const host = startHost();
  await host.tokens.signIn(server.mcpUrl);
  // What is asked for is the authorization request's matter.
  expect(host.opened[0]?.searchParams.get("scope")).toBe("mcp:tools");
  await host.tokens.signIn(server.mcpUrl, { scope: "more" });
  const [, second, ...others] = server.log.find("POST", "/register").map(({ body }) => JSON.parse(body) as object);
  expect(second).toMatchObject({ grant_types: ["authorization_code", "refresh_token"] });
  expect(second).not.toHaveProperty("scope");
  expect(others).toEqual([]);
});

it("does not ask a third time [DCR-3]", async () => {
  const server = await startScripted({
    register: (_r, _u, { json }) => json({ error: "invalid_client_metadata" }, 400),
  });
  const host = startHost();
  const error = await failure(host.tokens.signIn(server.mcpUrl), "registration_failed", server.mcpUrl);
  expect(error).toMatchObject({ oauthError: "invalid_client_metadata", status: 400, issuer: server.issuer });
  expect(server.log.count("POST", "/register")).toBe(2);
  expect(host.opened).toHaveLength(0);
});

it("says what to change when a server refuses the redirect URI, and asks once [DCR-3]", async () => {
  const server = await startScripted({
    register: (_r, _u, { json }) => json({ error: "invalid_redirect_uri", error_description: "use localhost" }, 400),
  });
  const host = startHost();
  const error = await failure(host.tokens.signIn(server.mcpUrl), "registration_failed");
  expect(error.oauthError).toBe("invalid_redirect_uri");
  expect(error.message).toMatch(/refuses the redirect URI http:\/\/127\.0\.0\.1:\d+\/callback/);
  expect(error.message).toContain('{ host: "localhost" }');
  expect((error.cause as Error).message).toContain("use localhost");
  expect(server.log.count("POST", "/register")).toBe(1);
  expect(host.opened).toHaveLength(0);
});

it("registers and sends the host that was configured: localhost [NAT-2] [RUR-2]", async () => {
  const server = await startScripted();
  const host = startHost({ redirect: { host: "localhost", path: "/oauth/done" } });
  await host.tokens.signIn(server.mcpUrl);
  const { redirect_uris: registered } = JSON.parse(server.log.find("POST", "/register")[0]?.body ?? "") as {
    redirect_uris: string[];
  };
  expect(registered[0]).toMatch(/^http:\/\/localhost:\d+\/oauth\/done$/);
  expect(host.opened[0]?.searchParams.get("redirect_uri")).toBe(registered[0]);
});

it("registers as a web client for a redirect URI elsewhere, and listens where it is told [DCR-2]", async () => {
  const server = await startScripted();
  const uri = "https://host.example/oauth/callback";
  const host = startHost({ person: "nobody", redirect: { uri, port: 0 }, prompt: async () => undefined });
  void host.tokens.signIn(server.mcpUrl).catch(() => undefined);
  await host.whenOpened();
  expect(host.opened[0]?.searchParams.get("redirect_uri")).toBe(uri);
  expect(JSON.parse(server.log.find("POST", "/register")[0]?.body ?? "")).toMatchObject({
    application_type: "web",
    redirect_uris: [uri],
  });
});

for (const [name, register, code] of [
  ["a page", ((_r, _u, { html }) => html("<h1>Oops", 200)) as ScriptedOverride, "invalid_response"],
  ["no client id", registrationAnswer({ client_id: undefined }), "invalid_response"],
  ["an empty 403", ((_r, _u, { text }) => text("", 403)) as ScriptedOverride, "registration_failed"],
  [
    "an error under status 200",
    ((_r, _u, { json }) => json({ error: "access_denied" })) as ScriptedOverride,
    "registration_failed",
  ],
  [
    "a redirect [SSRF-4]",
    ((_r, _u, { redirect }) => redirect("/elsewhere", 307)) as ScriptedOverride,
    "invalid_response",
  ],
  ["a cut connection", (() => "reset") as ScriptedOverride, "network_failed"],
] as const) {
  it(`fails with ${code} when a registration is answered by ${name}, and opens no browser [ERR-1]`, async () => {
    const server = await startScripted({ register });
    const host = startHost();
    await failure(host.tokens.signIn(server.mcpUrl), code, server.mcpUrl);
    expect(host.opened).toHaveLength(0);
    expect(paths(server.log).filter((path) => path === "POST /register")).toHaveLength(1);
    expect(server.log.count("*", "/elsewhere")).toBe(0);
  });
}
