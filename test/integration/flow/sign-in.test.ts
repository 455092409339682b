// Sign-ins that go well, against real authorization servers.
import { createHash } from "node:crypto";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { findMcpOAuthError, memoryStore, Secret } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { startBetterAuthServer } from "../../servers/better-auth-server.ts";
import { startSdkAuthRouterServer } from "../../servers/sdk-auth-router-server.ts";
import { closing, paths, startHost } from "./support/harness.ts";
import { startAs, startMcp, startPair } from "./support/real-servers.ts";

const loopbackClient = {
  client_id: "known",
  application_type: "native",
  redirect_uris: ["http://127.0.0.1/callback"],
  grant_types: ["authorization_code", "refresh_token"],
  response_types: ["code"],
  token_endpoint_auth_method: "none",
};

it("signs in with a client that it registers, and gets a token that the server accepts [CHL-1] [CHL-6] [PRM-1] [ASM-1] [ASM-3] [REG-1] [STATE-1]", async () => {
  const { as, mcp } = await startPair();
  const { tokens, opened, told } = startHost();
  const result = await tokens.get(mcp.url);
  expect(await as.verifyAccessToken(result.accessToken.reveal(), mcp.resource)).toMatchObject({
    subject: "alice",
    scopes: ["mcp:tools"],
  });
  expect(result).toMatchObject({ tokenType: "Bearer", issuer: as.issuer });
  expect(paths(mcp.log)).toEqual(["POST /mcp", "GET /.well-known/oauth-protected-resource/mcp"]);
  const back = as.log.requests.filter(({ path }) => !/^\/(auth|interaction)/.test(path));
  expect(back.map(({ path }) => path)).toEqual(["/.well-known/oauth-authorization-server", "/reg", "/token"]);
  expect(opened).toHaveLength(1);
  expect(told("authorization_server_selected")).toMatchObject([
    { authorizationServer: new URL(as.issuer).host, choices: 1 },
  ]);
  expect(told("token_issued")).toMatchObject([{ server: mcp.url.href, issuer: as.issuer, refreshable: true }]);
});

it("sends a code request with S256, state, resource and redirect URI, and repeats them when it redeems the code [PKCE-1] [PKCE-2] [AZR-1] [AZR-3] [AZR-4] [RES-1] [RES-3] [RUR-2] [NAT-7] [DCR-1] [DCR-6] [CIMD-6]", async () => {
  const { as, mcp } = await startPair();
  const { tokens, opened } = startHost();
  await tokens.signIn(mcp.url);
  const asked = Object.fromEntries(opened[0]?.searchParams ?? []);
  const redeemed = new URLSearchParams(as.log.find("POST", "/token")[0]?.body);
  const registered = JSON.parse(as.log.find("POST", "/reg")[0]?.body ?? "{}") as Record<string, unknown>;
  expect(registered).toMatchObject({
    application_type: "native",
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    redirect_uris: [asked.redirect_uri],
  });
  expect(asked).toMatchObject({ response_type: "code", code_challenge_method: "S256", resource: mcp.resource });
  expect(asked.redirect_uri).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/);
  expect(asked.state?.length).toBeGreaterThanOrEqual(43);
  expect(redeemed.get("redirect_uri")).toBe(asked.redirect_uri);
  expect(redeemed.get("resource")).toBe(mcp.resource);
  expect(redeemed.get("client_id")).toBe(asked.client_id);
  const verifier = redeemed.get("code_verifier") ?? "";
  expect(verifier).toMatch(/^[A-Za-z0-9\-._~]{43,128}$/);
  expect(createHash("sha256").update(verifier).digest("base64url")).toBe(asked.code_challenge);
});

it("uses another verifier and another state for each sign-in [PKCE-5]", async () => {
  const { mcp } = await startPair();
  const { tokens, opened } = startHost();
  await tokens.signIn(mcp.url);
  await tokens.signIn(mcp.url);
  const [first, second] = opened.map(({ searchParams }) => searchParams);
  for (const name of ["state", "code_challenge"]) expect(first?.get(name)).not.toBe(second?.get(name));
});

it("signs in as a client ID metadata document, without registering [REG-4] [REG-2]", async () => {
  const { as, mcp } = await startPair({ clientIdMetadataDocuments: true });
  const clientMetadataUrl = "https://client.example/metadata.json";
  as.clientMetadataDocuments.set(clientMetadataUrl, { ...loopbackClient, client_id: clientMetadataUrl });
  const { tokens, told } = startHost({ clientMetadataUrl });
  const { accessToken } = await tokens.get(mcp.url);
  expect(await as.verifyAccessToken(accessToken.reveal(), mcp.resource)).toMatchObject({ clientId: clientMetadataUrl });
  expect(as.log.count("*", "/reg")).toBe(0);
  expect(told("client_obtained")).toMatchObject([{ how: "metadata-document", clientId: clientMetadataUrl }]);
});

it("registers where a server does not say that it takes client ID metadata documents [REG-4]", async () => {
  const { as, mcp } = await startPair();
  const { tokens, told } = startHost({ clientMetadataUrl: "https://client.example/metadata.json" });
  await tokens.get(mcp.url);
  expect(as.log.count("POST", "/reg")).toBe(1);
  expect(told("client_obtained")).toMatchObject([{ how: "dynamic" }]);
});

it("uses a public client that was registered by hand before anything else [REG-2] [REG-3]", async () => {
  const { as, mcp } = await startPair({ clientIdMetadataDocuments: true, clients: [loopbackClient] });
  const clients = [{ issuer: as.issuer, clientId: "known" }];
  const { tokens } = startHost({ clients, clientMetadataUrl: "https://client.example/metadata.json" });
  const { accessToken } = await tokens.get(mcp.url);
  expect(await as.verifyAccessToken(accessToken.reveal(), mcp.resource)).toMatchObject({ clientId: "known" });
  expect(as.log.count("*", "/reg")).toBe(0);
});

for (const method of ["client_secret_basic", "client_secret_post"] as const) {
  it(`authenticates a confidential client with ${method} and nothing else [CA-1] [CA-3] [CA-4]`, async () => {
    const secret = "s3cr:t/%+ and &=";
    const client = { ...loopbackClient, client_secret: secret, token_endpoint_auth_method: method };
    const { as, mcp } = await startPair({ clients: [client] });
    const entry = {
      issuer: as.issuer,
      clientId: "known",
      clientSecret: new Secret(secret),
      authenticationMethod: method,
    };
    const { tokens } = startHost({ clients: [entry] });
    await tokens.get(mcp.url);
    const [request] = as.log.find("POST", "/token");
    const body = new URLSearchParams(request?.body);
    expect(request?.status).toBe(200);
    expect(request?.query.size).toBe(0);
    if (method === "client_secret_post") {
      expect(body.get("client_secret")).toBe(secret);
      expect(request?.headers.authorization).toBeUndefined();
    } else {
      const sent = Buffer.from(request?.headers.authorization?.slice("Basic ".length) ?? "", "base64").toString();
      expect(sent.split(":").map((part) => new URLSearchParams(`v=${part}`).get("v"))).toEqual(["known", secret]);
      expect(body.has("client_secret")).toBe(false);
    }
  });
}

it("signs in at an issuer with a path, looking at the path-inserted place first [ASM-2]", async () => {
  const { as, mcp } = await startPair({ issuerPath: "/tenant" });
  const { tokens } = startHost();
  const { issuer } = await tokens.get(mcp.url);
  expect(issuer).toBe(as.issuer);
  expect(as.log.requests[0]?.path).toBe("/.well-known/oauth-authorization-server/tenant");
  expect(as.log.count("*", /^\/\.well-known\/[^/]+$/)).toBe(0);
});

it("finds metadata that only stands where OpenID Connect appends it, after the other places [ASM-1] [ASM-2]", async () => {
  const { as, mcp } = await startPair({ issuerPath: "/tenant" });
  const notFound = (_request: unknown, response: { writeHead(status: number): { end(): void } }): void =>
    response.writeHead(404).end();
  as.respond("/.well-known/oauth-authorization-server/tenant", notFound);
  expect((await startHost().tokens.get(mcp.url)).issuer).toBe(as.issuer);
  expect(paths(as.log).slice(0, 3)).toEqual([
    "GET /.well-known/oauth-authorization-server/tenant",
    "GET /.well-known/openid-configuration/tenant",
    "GET /tenant/.well-known/openid-configuration",
  ]);
});

it("works with opaque access tokens [TOK-5]", async () => {
  const { as, mcp } = await startPair({ accessTokenFormat: "opaque" });
  const { accessToken } = await startHost().tokens.get(mcp.url);
  expect(accessToken.reveal()).not.toContain(".");
  expect(await as.verifyAccessToken(accessToken.reveal(), mcp.resource)).toMatchObject({ subject: "alice" });
});

it("signs in where no refresh token is given, and says so [OFF-2]", async () => {
  const { mcp } = await startPair({ refreshTokens: "none" });
  const { tokens, told } = startHost();
  await tokens.get(mcp.url);
  expect(told("token_issued")).toMatchObject([{ refreshable: false }]);
  expect(await tokens.status()).toMatchObject([{ state: "signed_in", refreshable: false }]);
});

it("asks for offline_access, with a consent prompt, only where the server lists it [OFF-1] [OFF-3]", async () => {
  const listed = await startPair({ refreshTokenNeedsOfflineAccess: true });
  const unlisted = await startPair({ scopes: ["mcp:tools"] });
  const { tokens, opened, told } = startHost();
  await tokens.get(listed.mcp.url);
  await tokens.get(unlisted.mcp.url);
  expect(opened.map(({ searchParams }) => [searchParams.get("scope"), searchParams.get("prompt")])).toEqual([
    ["mcp:tools offline_access", "consent"],
    ["mcp:tools", null],
  ]);
  expect(told("token_issued").map(({ refreshable }) => refreshable)).toEqual([true, true]);
});

it("asks for the scope of the challenge before what the metadata supports, and for none when neither says [SCO-2] [SCO-3] [SCO-4]", async () => {
  const as = await startAs({ scopes: ["mcp:tools", "mcp:admin"], defaultScope: "mcp:tools" });
  const challenged = await startMcp(as, { challengeScope: "mcp:admin", scopes: ["mcp:tools"] });
  const supported = await startMcp(as, { scopes: ["mcp:tools", "mcp:admin"] });
  const silent = await startMcp(as, { scopes: [] });
  const { tokens, opened } = startHost();
  for (const { url } of [challenged, supported, silent]) await tokens.get(url);
  expect(opened.map(({ searchParams }) => searchParams.get("scope"))).toEqual([
    "mcp:admin",
    "mcp:tools mcp:admin",
    null,
  ]);
});

it("lets the host ask for less, and the caller for something else [SCO-1]", async () => {
  const { mcp } = await startPair({ scopes: ["mcp:tools", "mcp:admin"] }, { scopes: ["mcp:tools", "mcp:admin"] });
  const narrow = startHost({ narrowScope: ({ scopes }) => scopes.filter((scope) => scope !== "mcp:admin") });
  expect((await narrow.tokens.get(mcp.url)).scope).toBe("mcp:tools");
  const wide = startHost();
  await wide.tokens.signIn(mcp.url, { scope: "mcp:admin" });
  expect(wide.opened[0]?.searchParams.get("scope")).toBe("mcp:admin");
});

it("asks nobody again for a scope that the host does not let be asked for [SCO-1] [STEP-5]", async () => {
  const { mcp } = await startPair({ scopes: ["mcp:tools", "mcp:admin"] }, { scopes: ["mcp:tools"] });
  const { tokens, opened } = startHost({
    narrowScope: ({ scopes }) => scopes.filter((scope) => scope !== "mcp:admin"),
  });
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(new StreamableHTTPClientTransport(mcp.url, { fetch: tokens.fetch(mcp.url) }));
  const error: unknown = await client.callTool({ name: "admin", arguments: {} }).catch((reason: unknown) => reason);
  expect(findMcpOAuthError(error)?.code).toBe("insufficient_scope");
  expect(opened).toHaveLength(1);
  await client.close();
});

it("signs in at better-auth, whose issuer has a path and whose registration is strict", async () => {
  const server = closing(await startBetterAuthServer());
  const { tokens, told } = startHost();
  const result = await tokens.get(server.url);
  expect(result.issuer).toBe(server.issuer);
  expect(told("token_issued")).toMatchObject([{ refreshable: true }]);
  expect(server.log.count("POST", "/auth/oauth2/register")).toBe(1);
});

it("signs in at the SDK's own auth router, whose issuer ends in a slash and who sends no iss [ASM-6] [ISS-5]", async () => {
  const server = closing(await startSdkAuthRouterServer());
  const { tokens } = startHost();
  const result = await tokens.get(server.url);
  expect(result.issuer).toBe(server.issuer);
  expect(server.issuer).toMatch(/\/$/);
});

it("refuses the SDK's proxy, whose response comes from the server behind it [ISS-4] [ISS-7]", async () => {
  const upstream = await startAs();
  const server = closing(await startSdkAuthRouterServer({ upstream }));
  const { tokens } = startHost();
  await expect(tokens.get(server.url)).rejects.toMatchObject({ code: "issuer_mismatch", server: server.url.href });
  expect(server.log.count("*", "/token")).toBe(0);
  expect(upstream.log.count("*", "/token")).toBe(0);
});

it("goes through no OAuth at all with a server that asks for none [APP-1]", async () => {
  const { as, mcp } = await startPair();
  mcp.respond("/mcp", (_request, response) => response.writeHead(200).end());
  const { tokens, opened } = startHost();
  await expect(tokens.get(mcp.url)).rejects.toMatchObject({ code: "sign_in_required" });
  expect((await tokens.fetch(mcp.url)(mcp.url)).status).toBe(200);
  expect([as.log.count("*"), mcp.log.count("*", /well-known/), opened.length]).toEqual([0, 0, 0]);
});

it("keeps a token for the next manager on the same store, without asking anybody", async () => {
  const { as, mcp } = await startPair();
  const store = memoryStore();
  const first = startHost({ store });
  const { accessToken } = await first.tokens.get(mcp.url);
  as.log.clear();
  const second = startHost({ store });
  expect((await second.tokens.get(mcp.url)).accessToken.reveal()).toBe(accessToken.reveal());
  expect(as.log.count("*")).toBe(0);
  expect(second.opened).toHaveLength(0);
});
