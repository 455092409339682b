// Client credentials: tokens for machines, without a person and without a browser (OAuth 2.1 section 4.2).
import { generateKeyPairSync } from "node:crypto";
import { createLocalJWKSet, exportJWK, exportPKCS8, generateKeyPair, jwtVerify } from "jose";
import { type ClientCredentialsGrant, type MachineGrant, memoryStore, Secret } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";
import { type Pair, startPair } from "../flow/support/real-servers.ts";

const CLIENT_ID = "machine/1.a:b+c";
const SECRET = "a:b%+/s3cret";
const PING = {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
};

async function keyPair() {
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid: "k1", alg: "ES256", use: "sig" };
  return { privateKey, publicJwk, privateJwk: { ...(await exportJWK(privateKey)), kid: "k1", alg: "ES256" } };
}

/** oidc-provider with one machine that authenticates in one way, and an MCP server that trusts it. */
function startMachinePair(client: Record<string, unknown>, as: Parameters<typeof startPair>[0] = {}): Promise<Pair> {
  const machine = {
    client_id: CLIENT_ID,
    grant_types: ["client_credentials"],
    redirect_uris: [],
    response_types: [],
    ...client,
  };
  return startPair({ features: { clientCredentials: true }, clients: [machine], ...as }, { stateless: true });
}

function grantOf({ mcp }: Pair, changes: Partial<ClientCredentialsGrant>): ClientCredentialsGrant {
  return { type: "client_credentials", server: mcp.url.href, clientId: CLIENT_ID, ...changes };
}

/** A host that must never open a browser. */
function startMachine(grant: MachineGrant, options: Parameters<typeof startHost>[0] = {}) {
  return startHost({ grants: [grant], interactive: false, ...options });
}

const formOf = (body: string | undefined): Record<string, string> => Object.fromEntries(new URLSearchParams(body));

describe("with oidc-provider", () => {
  for (const [method, place] of [
    ["client_secret_basic", "the header"],
    ["client_secret_post", "the body"],
  ] as const) {
    it(`a secret goes in ${place} for ${method}, and nowhere else [CC-1] [CC-2] [CC-3] [CC-8] [CA-1] [CA-3] [CA-4] [RES-1]`, async () => {
      const pair = await startMachinePair({ client_secret: SECRET, token_endpoint_auth_method: method });
      const { as, mcp } = pair;
      const host = startMachine(grantOf(pair, { clientSecret: SECRET, authenticationMethod: method }));
      const response = await host.tokens.fetch(mcp.url)(mcp.url, PING);
      expect(response.status).toBe(200);
      const [request] = as.log.find("POST", "/token");
      const form = formOf(request?.body);
      expect(form).toMatchObject({ grant_type: "client_credentials", resource: mcp.resource, scope: "mcp:tools" });
      const basic = Buffer.from(request?.headers.authorization?.slice(6) ?? "", "base64").toString();
      if (method === "client_secret_basic") {
        expect(basic.split(":").map((part) => decodeURIComponent(part.replaceAll("+", " ")))).toEqual([
          CLIENT_ID,
          SECRET,
        ]);
        expect(form.client_secret).toBeUndefined();
      } else {
        expect(request?.headers.authorization).toBeUndefined();
        expect(form).toMatchObject({ client_id: CLIENT_ID, client_secret: SECRET });
      }
      expect([...(request?.query.keys() ?? [])]).toEqual([]);
      expect(as.log.count("POST", "/reg")).toBe(0);
      expect(as.log.count("*", "/auth")).toBe(0);
      expect(host.opened).toEqual([]);
      expect(host.told("token_issued")).toMatchObject([{ flow: "client_credentials", refreshable: false }]);
    });
  }

  const keys: Record<
    string,
    (pair: Awaited<ReturnType<typeof keyPair>>) => Promise<ClientCredentialsGrant["privateKey"]>
  > = {
    "a PEM text": async ({ privateKey }) => ({ key: await exportPKCS8(privateKey), algorithm: "ES256", keyId: "k1" }),
    "a secret PEM text": async ({ privateKey }) => ({
      key: new Secret(await exportPKCS8(privateKey)),
      algorithm: "ES256",
    }),
    "a JWK": async ({ privateJwk }) => ({ key: privateJwk }),
    "a JWK as a text": async ({ privateJwk }) => ({ key: JSON.stringify(privateJwk) }),
    "a CryptoKey that cannot be exported": async ({ privateJwk }) => ({
      key: await crypto.subtle.importKey("jwk", privateJwk, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]),
      keyId: "k1",
    }),
  };
  for (const [name, keyOf] of Object.entries(keys)) {
    it(`a key signs an assertion for each request, from ${name} [CC-1] [CC-2] [CC-4] [CC-5] [CC-6] [CC-7] [CC-8] [CA-1] [CA-5]`, async () => {
      const pair = await keyPair();
      const servers = await startMachinePair({
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        jwks: { keys: [pair.publicJwk] },
      });
      const { as, mcp } = servers;
      const privateKey = await keyOf(pair);
      const { tokens } = startMachine(grantOf(servers, privateKey === undefined ? {} : { privateKey }));
      expect((await tokens.fetch(mcp.url)(mcp.url, PING)).status).toBe(200);
      await tokens.signIn(mcp.url);
      const sent = as.log.find("POST", "/token").map(({ body }) => formOf(body));
      expect(sent).toHaveLength(2);
      const verified = await Promise.all(
        sent.map((form) => {
          expect(form).toMatchObject({
            grant_type: "client_credentials",
            client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
          });
          expect(form.client_id ?? CLIENT_ID).toBe(CLIENT_ID);
          expect(form.client_secret).toBeUndefined();
          const keySet = createLocalJWKSet({ keys: [pair.publicJwk] });
          return jwtVerify(form.client_assertion ?? "", keySet, {
            typ: "client-authentication+jwt",
            algorithms: ["ES256"],
          });
        }),
      );
      for (const { payload } of verified) {
        expect(payload).toMatchObject({ iss: CLIENT_ID, sub: CLIENT_ID, aud: as.issuer });
        expect(payload.exp! - payload.iat!).toBeLessThanOrEqual(120);
        expect(payload.jti?.length).toBeGreaterThanOrEqual(16);
      }
      expect(new Set(verified.map(({ payload }) => payload.jti)).size).toBe(2);
      expect(as.log.count("POST", "/reg")).toBe(0);
    });
  }

  it("stores no key, and revokes with it after a restart all the same [CC-2]", async () => {
    const pair = await keyPair();
    const servers = await startMachinePair(
      {
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_signing_alg: "ES256",
        jwks: { keys: [pair.publicJwk] },
      },
      { accessTokenFormat: "opaque" },
    );
    const store = memoryStore();
    const grant = grantOf(servers, { privateKey: { key: pair.privateJwk } });
    await startMachine(grant, { store }).tokens.get(servers.mcp.url);
    const stored = await Promise.all((await store.keys()).map(async (key) => (await store.get(key))?.value));
    expect(stored.join()).not.toContain(pair.privateJwk.d);
    const [result] = await startMachine(grant, { store }).tokens.signOut(servers.mcp.url);
    expect(result).toMatchObject({ issuer: servers.as.issuer, revocation: "revoked" });
    expect(formOf(servers.as.log.find("POST", "/token/revocation")[0]?.body).client_assertion).toBeDefined();
  });

  it("a token is had anew in the background before it ends, once for all callers, though there is no refresh token [CC-9]", async () => {
    const servers = await startMachinePair({ client_secret: SECRET });
    const { as, mcp } = servers;
    const clock = new ManualClock();
    const { tokens } = startMachine(grantOf(servers, { clientSecret: SECRET }), { clock });
    const first = (await tokens.get(mcp.url)).accessToken.reveal();
    clock.advance(0.95 * 3_600_000);
    // It is still good: nobody waits, and there is one request for all.
    const during = await Promise.all(Array.from({ length: 20 }, () => tokens.get(mcp.url)));
    expect(new Set(during.map(({ accessToken }) => accessToken.reveal()))).toEqual(new Set([first]));
    await expect.poll(async () => (await tokens.get(mcp.url)).accessToken.reveal(), { interval: 2 }).not.toBe(first);
    expect(as.log.count("POST", "/token")).toBe(2);
    // After it has ended, everybody waits for the same one.
    clock.jump(2 * 3_600_000);
    const after = await Promise.all(Array.from({ length: 20 }, () => tokens.get(mcp.url)));
    expect(new Set(after.map(({ accessToken }) => accessToken.reveal())).size).toBe(1);
    expect(as.log.count("POST", "/token")).toBe(3);
    for (const { body } of as.log.find("POST", "/token")) expect(formOf(body).grant_type).toBe("client_credentials");
  });

  it("a token that the server refuses is replaced within the call, without a person [CC-9] [CHL-10]", async () => {
    const servers = await startMachinePair({ client_secret: SECRET });
    const { as, mcp } = servers;
    const { tokens, opened } = startMachine(grantOf(servers, { clientSecret: SECRET }));
    const fetch = tokens.fetch(mcp.url);
    await fetch(mcp.url, PING);
    mcp.invalidateAll();
    expect((await fetch(mcp.url, PING)).status).toBe(200);
    expect(as.log.count("POST", "/token")).toBe(2);
    expect(opened).toEqual([]);
  });

  it("a step-up asks for the union of scopes, where no scope is fixed [STEP-1] [STEP-2]", async () => {
    const servers = await startMachinePair({ client_secret: SECRET });
    const { as, mcp } = servers;
    const { tokens } = startMachine(grantOf(servers, { clientSecret: SECRET }));
    const call = { name: "admin", arguments: {} };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: call });
    const response = await tokens.fetch(mcp.url)(mcp.url, { ...PING, body });
    expect(response.status).toBe(200);
    const scopes = as.log.find("POST", "/token").map((request) => formOf(request.body).scope);
    expect(scopes.at(-1)).toBe("mcp:tools mcp:admin");
  });
});

describe("the way a secret is sent", () => {
  it.each<[string[] | undefined, "basic" | "post"]>([
    [["client_secret_basic"], "basic"],
    [["client_secret_post"], "post"],
    [["client_secret_post", "client_secret_basic"], "basic"],
    [["private_key_jwt", "client_secret_post"], "post"],
    [undefined, "basic"],
  ])("follows the metadata: %j gives %s [CC-3] [CA-2] [ASM-8]", async (supported, way) => {
    const server = await startScripted({
      metadata: { token_endpoint_auth_methods_supported: supported, code_challenge_methods_supported: undefined },
      token: (_request, _usual, { json }) => json({ access_token: "t", token_type: "Bearer", expires_in: 60 }),
    });
    const grant = { type: "client_credentials", server: server.mcpUrl.href, clientId: "m", clientSecret: "s" } as const;
    await startMachine(grant).tokens.get(server.mcpUrl);
    const [request] = server.log.find("POST", "/token");
    expect(request?.headers.authorization?.startsWith("Basic ") ?? false).toBe(way === "basic");
    expect(new URLSearchParams(request?.body).has("client_secret")).toBe(way === "post");
    expect(server.log.count("POST", "/register")).toBe(0);
  });

  it("is a key's where there is one, though a secret would do [CA-5] [CC-7]", async () => {
    const { privateJwk } = await keyPair();
    const server = await startScripted({
      metadata: { token_endpoint_auth_methods_supported: ["client_secret_basic", "private_key_jwt"] },
      token: (_request, _usual, { json }) => json({ access_token: "t", token_type: "Bearer" }),
    });
    const base = { type: "client_credentials", server: server.mcpUrl.href, clientId: "m" } as const;
    await startMachine({ ...base, privateKey: { key: privateJwk } }).tokens.get(server.mcpUrl);
    expect(formOf(server.log.find("POST", "/token")[0]?.body).client_assertion).toBeDefined();
  });
});

describe("what cannot be used is refused before anything is sent", () => {
  const base = { type: "client_credentials", server: "https://mcp.example/mcp" } as const;
  it.each<[string, unknown, string]>([
    ["no client id", { ...base, clientSecret: "s" }, "clientId"],
    ["neither a key nor a secret", { ...base, clientId: "m" }, "confidential"],
    ["an empty secret", { ...base, clientId: "m", clientSecret: "" }, "empty"],
    ["a key and a secret", { ...base, clientId: "m", clientSecret: "s", privateKey: { key: {} } }, "one of them"],
    [
      "a method without its key",
      { ...base, clientId: "m", clientSecret: "s", authenticationMethod: "private_key_jwt" },
      "private_key_jwt",
    ],
    ["a server that is no URL", { ...base, server: "mcp", clientId: "m", clientSecret: "s" }, "URL"],
    ["a type that does not exist", { ...base, type: "password", clientId: "m", clientSecret: "s" }, "password"],
  ])("%s [CC-1]", async (_name, grant, problem) => {
    const error = await failure(
      Promise.resolve().then(() => startHost({ grants: [grant as MachineGrant] })),
      "invalid_configuration",
    );
    expect(error.message).toContain(problem);
  });

  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
  it.each<[string, ClientCredentialsGrant["privateKey"] & object, string[] | undefined, string]>([
    [
      "a key of an algorithm that the server does not take",
      { key: String(rsa), algorithm: "RS256" },
      ["ES256"],
      "RS256",
    ],
    ["a PEM text without its algorithm", { key: String(rsa) }, undefined, "algorithm"],
    [
      "a PEM text of another kind",
      { key: "-----BEGIN RSA PRIVATE KEY-----", algorithm: "RS256" },
      undefined,
      "PKCS #8",
    ],
    ["a shared secret for a key", { key: { kty: "oct", k: "AAAA", alg: "HS256" } }, undefined, "asymmetric"],
    ["none for an algorithm", { key: String(rsa), algorithm: "none" }, undefined, "asymmetric"],
    ["a key that is none", { key: { kty: "EC", crv: "P-256", d: "nonsense", alg: "ES256" } }, undefined, "ES256"],
  ])("%s [CC-7]", async (_name, privateKey, algorithms, problem) => {
    const server = await startScripted({
      metadata: { token_endpoint_auth_signing_alg_values_supported: algorithms },
    });
    const grant = { type: "client_credentials", server: server.mcpUrl.href, clientId: "m", privateKey } as const;
    const error = await failure(startMachine(grant).tokens.get(server.mcpUrl), "invalid_configuration");
    expect(error.message).toContain(problem);
    expect(error.message).not.toContain("nonsense");
    expect(server.log.count("POST")).toBe(server.log.count("POST", "/mcp"));
  });
});

describe("a grant for one issuer", () => {
  it("is not used at another, and the error names both [CC-8] [BIND-4]", async () => {
    const server = await startScripted();
    const grant = {
      type: "client_credentials",
      server: server.mcpUrl.href,
      issuer: "https://as.example",
      clientId: "m",
      clientSecret: "s3cret",
    } as const;
    const host = startMachine(grant, { interactive: true });
    const error = await failure(host.tokens.get(server.mcpUrl), "client_mismatch", server.mcpUrl);
    expect(error.message).toContain("https://as.example");
    expect(error.message).toContain(server.issuer);
    expect(server.log.count("POST", "/token")).toBe(0);
    expect(host.opened).toEqual([]);
  });

  it("is not used when the server moves to another, though it had tokens before [BIND-2] [CC-8]", async () => {
    const [first, second] = [await startScripted(), await startScripted()];
    const answer = { access_token: "t", token_type: "Bearer", expires_in: 60 };
    for (const each of [first, second]) each.options.token = (_request, _usual, { json }) => json(answer);
    const grant = {
      type: "client_credentials",
      server: first.mcpUrl.href,
      issuer: first.issuer,
      clientId: "m",
      clientSecret: "s3cret",
    } as const;
    const clock = new ManualClock();
    const { tokens } = startMachine(grant, { clock });
    await tokens.get(first.mcpUrl);
    first.options.protectedResource = { authorization_servers: [second.issuer] };
    clock.advance(120_000);
    const error = await failure(tokens.get(first.mcpUrl), "client_mismatch", first.mcpUrl);
    expect(error.message).toContain(second.issuer);
    expect(second.log.count("POST")).toBe(0);
  });
});

describe("a refusal", () => {
  it.each([
    ["invalid_client", 401],
    ["unauthorized_client", 400],
    ["invalid_scope", 400],
    ["server_error", 500],
  ])("%s is an error, with no browser and no registration behind it [CC-1] [CC-9]", async (oauthError, status) => {
    const server = await startScripted({
      token: (_request, _usual, { json }) => json({ error: oauthError, error_description: "no, s3cret" }, status),
    });
    const grant = {
      type: "client_credentials",
      server: server.mcpUrl.href,
      clientId: "m",
      clientSecret: "s3cret",
    } as const;
    const host = startMachine(grant, { interactive: true });
    const error = await failure(host.tokens.get(server.mcpUrl), "token_request_failed", server.mcpUrl);
    expect(error).toMatchObject({ oauthError, status });
    expect(error.message).not.toContain("s3cret");
    expect(server.log.count("POST", "/token")).toBe(1);
    expect(server.log.count("POST", "/register")).toBe(0);
    expect(host.opened).toEqual([]);
  });

  it("of a scope that is fixed ends in insufficient_scope, not in a loop [STEP-1] [STEP-4]", async () => {
    const servers = await startMachinePair({ client_secret: SECRET });
    const { as, mcp } = servers;
    const host = startMachine(grantOf(servers, { clientSecret: SECRET, scope: "mcp:tools" }), { interactive: true });
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "admin" } });
    await failure(host.tokens.fetch(mcp.url)(mcp.url, { ...PING, body }), "insufficient_scope", mcp.url);
    expect(as.log.count("POST", "/token")).toBeLessThanOrEqual(3);
    expect(host.opened).toEqual([]);
  });
});
