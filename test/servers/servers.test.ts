// Proves that the fixtures themselves work, with the official SDKs' clients and hand-written OAuth: a test
// that fails elsewhere must be the library's fault.
import { createHash, randomBytes } from "node:crypto";
import { Client as ClientV2, StreamableHTTPClientTransport as StreamableHttpV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { SSEClientTransport } from "@modelcontextprotocol/sdk/client/sse.js";
import { StreamableHTTPClientTransport as StreamableHttpV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  type AuthorizationServerOptions,
  type RunningAuthorizationServer,
  startAuthorizationServer,
} from "./authorization-server.ts";
import { startBetterAuthServer } from "./better-auth-server.ts";
import { missing, startChromium } from "./chromium.ts";
import {
  type ProtectedMcpServerOptions,
  type RunningProtectedMcpServer,
  startProtectedMcpServer,
} from "./protected-mcp-server.ts";
import { listen } from "./request-log.ts";
import {
  type RunningScriptedAuthorizationServer,
  scriptedAuthorizationServer,
} from "./scripted-authorization-server.ts";
import { startScriptedServer, withJson, withLocationQuery } from "./scripted-server.ts";
import { startSdkAuthRouterServer } from "./sdk-auth-router-server.ts";
import { UserAgent } from "./user-agent.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function closing<Closable extends { close(): unknown }>(closable: Closable): Closable {
  cleanups.push(() => closable.close());
  return closable;
}

const serviceClient = {
  client_id: "service",
  client_secret: "s",
  grant_types: ["client_credentials"],
  response_types: [],
  redirect_uris: [],
};

interface Pair {
  as: RunningAuthorizationServer;
  mcp: RunningProtectedMcpServer;
}

async function startPair(
  server: Partial<ProtectedMcpServerOptions> = {},
  options: AuthorizationServerOptions = {},
): Promise<Pair> {
  const as = closing(await startAuthorizationServer(options));
  const mcp = closing(
    await startProtectedMcpServer({
      sdk: "v1",
      verifyAccessToken: as.verifyAccessToken,
      authorizationServers: [as.issuer],
      ...server,
    }),
  );
  return { as, mcp };
}

type Json = Record<string, unknown>;

async function json(url: string, init?: RequestInit): Promise<{ status: number; body: Json; headers: Headers }> {
  const response = await fetch(url, init);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: text.startsWith("{") ? (JSON.parse(text) as Json) : { text },
  };
}

function form(values: Record<string, string | undefined>): RequestInit {
  const body = new URLSearchParams(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
  return { method: "POST", body };
}

function register(metadata: Json, extra: Json = {}): Promise<{ status: number; body: Json }> {
  return json(String(metadata.registration_endpoint), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      client_name: "Fixture test",
      application_type: "native",
      redirect_uris: ["http://127.0.0.1/callback"],
      grant_types: ["authorization_code", "refresh_token"],
      token_endpoint_auth_method: "none",
      ...extra,
    }),
  });
}

interface Loopback {
  redirectUri: string;
  callback: () => URLSearchParams;
}

async function openLoopback(): Promise<Loopback> {
  let callback = new URLSearchParams();
  const server = closing(
    await listen((request, response) => {
      const url = new URL(request.url ?? "/", "http://127.0.0.1");
      // A browser asks for the icon as well.
      if (url.pathname === "/callback") callback = url.searchParams;
      response.end("you can close this page");
    }),
  );
  return { redirectUri: `${server.url}/callback`, callback: () => callback };
}

interface Browser {
  open(url: URL): Promise<{ body: string }>;
}

interface Authorization {
  callback: URLSearchParams;
  redirectUri: string;
  verifier: string;
  page: string;
}

/** Opens the authorization endpoint with a real loopback listener behind it and returns what arrived there. */
async function authorize(
  metadata: Json,
  clientId: string,
  parameters: Record<string, string>,
  agent: Browser = new UserAgent(),
  loopback?: Loopback,
): Promise<Authorization> {
  const { redirectUri, callback } = loopback ?? (await openLoopback());
  const verifier = randomBytes(32).toString("base64url");
  const url = new URL(String(metadata.authorization_endpoint));
  url.search = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
    state: "the-state",
    ...parameters,
  }).toString();
  const { body } = await agent.open(url);
  return { callback: callback(), verifier, redirectUri, page: body };
}

interface SignedIn {
  clientId: string;
  metadata: Json;
  tokens: Json;
  callback: URLSearchParams;
}

async function signInAt(metadata: Json, resource: string, scope = "mcp:tools"): Promise<SignedIn> {
  // Registered with the very port, which servers that compare redirect URIs exactly insist on.
  const loopback = await openLoopback();
  const registered = await register(metadata, { redirect_uris: [loopback.redirectUri] });
  expect(registered.status, JSON.stringify(registered.body)).toBe(201);
  const clientId = String(registered.body.client_id);
  const { callback, verifier, redirectUri, page } = await authorize(
    metadata,
    clientId,
    { scope, resource },
    new UserAgent(),
    loopback,
  );
  expect(callback.get("state"), page).toBe("the-state");
  const exchange = {
    grant_type: "authorization_code",
    code: callback.get("code") ?? "",
    client_id: clientId,
    redirect_uri: redirectUri,
    code_verifier: verifier,
    resource,
  };
  const { status, body } = await json(String(metadata.token_endpoint), form(exchange));
  expect(status, JSON.stringify(body)).toBe(200);
  return { clientId, metadata, tokens: body, callback };
}

async function signIn({ as, mcp }: Pair, scope?: string): Promise<SignedIn> {
  return signInAt((await json(`${as.url}/.well-known/oauth-authorization-server`)).body, mcp.resource, scope);
}

async function signInScripted(server: RunningScriptedAuthorizationServer): Promise<SignedIn> {
  return signInAt((await json(`${server.url}/.well-known/oauth-authorization-server`)).body, server.mcpUrl.href);
}

function refresh(
  { clientId, metadata }: { clientId: string; metadata: Json },
  token: unknown,
): Promise<{ status: number; body: Json }> {
  return json(
    String(metadata.token_endpoint),
    form({ grant_type: "refresh_token", client_id: clientId, refresh_token: String(token) }),
  );
}

function bearer(token: unknown): RequestInit {
  return { headers: { authorization: `Bearer ${String(token)}` } };
}

async function connectV1(mcp: { url: URL }, token: unknown): Promise<ClientV1> {
  const client = closing(new ClientV1({ name: "test", version: "1" }));
  await client.connect(new StreamableHttpV1(mcp.url, { requestInit: bearer(token) }) as Transport);
  return client;
}

function textOf(result: unknown): string {
  return (result as { content: { text: string }[] }).content[0]?.text ?? "";
}

describe("authorization server", () => {
  it("publishes RFC 8414 metadata, also for an issuer with a path", async () => {
    const plain = closing(await startAuthorizationServer());
    const tenant = closing(await startAuthorizationServer({ issuerPath: "/tenant", features: { dpop: true } }));
    const { body } = await json(`${plain.url}/.well-known/oauth-authorization-server`);
    expect(body).toMatchObject({
      issuer: plain.issuer,
      code_challenge_methods_supported: ["S256"],
      authorization_response_iss_parameter_supported: true,
    });
    expect(body.scopes_supported).toEqual(["openid", "mcp:tools", "mcp:admin", "offline_access"]);
    const inserted = await json(`${tenant.url}/.well-known/oauth-authorization-server/tenant`);
    expect(inserted.body).toMatchObject({ issuer: tenant.issuer, token_endpoint: `${tenant.issuer}/token` });
    expect((await json(`${tenant.url}/.well-known/oauth-authorization-server`)).status).toBe(404);
    expect((await json(`${tenant.issuer}/.well-known/openid-configuration`)).status).toBe(200);
  });

  it("signs in under an issuer path and is told apart by iss", async () => {
    const pair = await startPair({}, { issuerPath: "/tenant" });
    const metadata = (await json(`${pair.as.url}/.well-known/oauth-authorization-server/tenant`)).body;
    const { body } = await register(metadata);
    const { callback } = await authorize(metadata, String(body.client_id), {
      scope: "mcp:tools",
      resource: pair.mcp.resource,
    });
    expect(callback.get("iss")).toBe(pair.as.issuer);
    expect(callback.get("code")).toBeTruthy();
  });

  it("rotates refresh tokens and ends the family on reuse", async () => {
    const pair = await startPair();
    const session = await signIn(pair);
    const first = session.tokens.refresh_token;
    const second = await refresh(session, first);
    expect(second.status).toBe(200);
    expect(second.body.refresh_token).not.toBe(first);
    expect(await pair.as.verifyAccessToken(String(second.body.access_token), pair.mcp.resource)).toMatchObject({
      subject: "alice",
      scopes: ["mcp:tools"],
    });
    expect((await refresh(session, first)).body.error).toBe("invalid_grant");
    expect((await refresh(session, second.body.refresh_token)).body.error).toBe("invalid_grant");
    expect(await pair.as.verifyAccessToken(String(second.body.access_token), pair.mcp.resource)).toBeUndefined();
  });

  it("keeps refresh tokens or issues none when told so", async () => {
    const keep = await signIn(await startPair({}, { refreshTokens: "keep" }));
    expect((await refresh(keep, keep.tokens.refresh_token)).body.refresh_token).toBe(keep.tokens.refresh_token);
    const none = await signIn(await startPair({}, { refreshTokens: "none" }));
    expect(none.tokens.refresh_token).toBeUndefined();
    const strict = await signIn(await startPair({}, { refreshTokenNeedsOfflineAccess: true }));
    expect(strict.tokens.refresh_token).toBeUndefined();
  });

  it("revokes opaque tokens, and everything at once", async () => {
    const pair = await startPair({}, { accessTokenFormat: "opaque", accessTokenSeconds: 60 });
    const session = await signIn(pair);
    const token = String(session.tokens.access_token);
    expect(session.tokens.expires_in).toBe(60);
    expect(await pair.as.verifyAccessToken(token, pair.mcp.resource)).toMatchObject({ clientId: session.clientId });
    expect(await pair.as.verifyAccessToken(token, "http://127.0.0.1:1/other")).toBeUndefined();
    expect(
      (await fetch(String(session.metadata.revocation_endpoint), form({ client_id: session.clientId, token }))).status,
    ).toBe(200);
    expect(await pair.as.verifyAccessToken(token, pair.mcp.resource)).toBeUndefined();
    pair.as.forgetClients();
    expect((await refresh(session, session.tokens.refresh_token)).body.error).toBe("invalid_client");
  });

  it("lets a person say no", async () => {
    const pair = await startPair();
    const metadata = (await json(`${pair.as.url}/.well-known/oauth-authorization-server`)).body;
    const { body } = await register(metadata);
    const { callback } = await authorize(
      metadata,
      String(body.client_id),
      { scope: "mcp:tools", resource: pair.mcp.resource },
      new UserAgent({ deny: true }),
    );
    expect(callback.get("error")).toBe("access_denied");
    expect(callback.get("iss")).toBe(pair.as.issuer);
    const elsewhere = await authorize(metadata, String(body.client_id), {
      scope: "mcp:tools",
      resource: "https://a.example",
    });
    expect(elsewhere.callback.get("error")).toBe("invalid_target");
  });

  it("runs the device flow", async () => {
    const pair = await startPair({}, { features: { deviceFlow: true } });
    const metadata = (await json(`${pair.as.url}/.well-known/oauth-authorization-server`)).body;
    const grantType = "urn:ietf:params:oauth:grant-type:device_code";
    const { body: client } = await register(metadata, {
      grant_types: [grantType, "refresh_token"],
      response_types: [],
      redirect_uris: [],
    });
    const clientId = String(client.client_id);
    const { body } = await json(
      String(metadata.device_authorization_endpoint),
      form({ client_id: clientId, scope: "mcp:tools", resource: pair.mcp.resource }),
    );
    const poll = (): Promise<{ body: Json }> =>
      json(
        String(metadata.token_endpoint),
        form({ grant_type: grantType, client_id: clientId, device_code: String(body.device_code) }),
      );
    expect((await poll()).body.error).toBe("authorization_pending");
    const page = await new UserAgent().enterUserCode(String(body.verification_uri), String(body.user_code));
    expect(page.body).toContain("Signed in");
    const again = await new UserAgent({ deny: true }).open(String(body.verification_uri_complete));
    expect(again.body).toContain("not right");
    const { body: tokens } = await poll();
    expect(await pair.as.verifyAccessToken(String(tokens.access_token), pair.mcp.resource)).toMatchObject({
      subject: "alice",
    });
  });

  it("takes a client ID metadata document and client credentials", async () => {
    const clientUrl = "https://client.example/metadata.json";
    const pair = await startPair(
      {},
      { clientIdMetadataDocuments: true, clients: [serviceClient], features: { clientCredentials: true } },
    );
    pair.as.clientMetadataDocuments.set(clientUrl, {
      client_id: clientUrl,
      client_name: "Document",
      application_type: "native",
      redirect_uris: ["http://127.0.0.1/callback"],
      token_endpoint_auth_method: "none",
      grant_types: ["authorization_code", "refresh_token"],
    });
    const metadata = (await json(`${pair.as.url}/.well-known/oauth-authorization-server`)).body;
    expect(metadata.client_id_metadata_document_supported).toBe(true);
    const { callback } = await authorize(metadata, clientUrl, { scope: "mcp:tools", resource: pair.mcp.resource });
    expect(callback.get("code")).toBeTruthy();
    const basic = { authorization: `Basic ${btoa("service:s")}` };
    const { body } = await json(String(metadata.token_endpoint), {
      ...form({ grant_type: "client_credentials", scope: "mcp:tools", resource: pair.mcp.resource }),
      headers: basic,
    });
    expect(await pair.as.verifyAccessToken(String(body.access_token), pair.mcp.resource)).toMatchObject({
      clientId: "service",
    });
  });

  it("answers with an injected fault, once", async () => {
    const as = closing(await startAuthorizationServer());
    const fault = as.respond("GET /jwks", (_request, response) => response.writeHead(503).end(), { times: 1 });
    expect((await fetch(`${as.url}/jwks`)).status).toBe(503);
    expect((await fetch(`${as.url}/jwks`)).status).toBe(200);
    expect(fault.hits).toBe(1);
    expect(as.log.find("GET", "/jwks").map(({ status }) => status)).toEqual([503, 200]);
  });
});

describe("protected MCP server", () => {
  it("challenges, publishes metadata and asks for a step-up", async () => {
    const pair = await startPair({ requiredScopes: ["mcp:tools"] });
    const { mcp } = pair;
    const refused = await fetch(mcp.url, { method: "POST", body: "{}" });
    expect(refused.status).toBe(401);
    expect(refused.headers.get("www-authenticate")).toBe(
      `Bearer scope="mcp:tools", resource_metadata="${mcp.metadataUrl}"`,
    );
    expect((await json(mcp.metadataUrl ?? "")).body).toMatchObject({
      resource: mcp.url.href,
      authorization_servers: [pair.as.issuer],
    });
    const { tokens } = await signIn(pair);
    const client = await connectV1(mcp, tokens.access_token);
    expect(textOf(await client.callTool({ name: "whoami" }))).toContain('"subject":"alice"');
    await expect(client.callTool({ name: "admin" })).rejects.toThrow();
    const stepUp = mcp.log.requests.at(-1);
    expect(stepUp?.status).toBe(403);
    const raw = await fetch(mcp.url, {
      method: "POST",
      body: JSON.stringify({ method: "tools/call", params: { name: "admin" } }),
      ...bearer(tokens.access_token),
    });
    expect(raw.headers.get("www-authenticate")).toBe(
      `Bearer error="insufficient_scope", scope="mcp:admin", resource_metadata="${mcp.metadataUrl}"`,
    );
    mcp.invalidateAll();
    await expect(client.callTool({ name: "echo", arguments: { text: "?" } })).rejects.toThrow();
  });

  for (const sdk of ["v1", "v2"] as const) {
    it(`${sdk} serves clients of both SDKs, with progress and sessions`, async () => {
      const pair = await startPair({ sdk });
      const { tokens } = await signIn(pair, "mcp:tools mcp:admin");
      const steps: number[] = [];
      const v1 = await connectV1(pair.mcp, tokens.access_token);
      expect(textOf(await v1.callTool({ name: "echo", arguments: { text: "one" } }))).toBe("one");
      await v1.callTool({ name: "count", arguments: { to: 3 } }, undefined, {
        onprogress: ({ progress }) => steps.push(progress),
      });
      expect(steps).toEqual([1, 2, 3]);
      expect(textOf(await v1.callTool({ name: "admin" }))).toContain("administrator");
      expect(pair.mcp.sessionCount).toBe(1);
      const v2 = closing(new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } }));
      await v2.connect(new StreamableHttpV2(pair.mcp.url, { requestInit: bearer(tokens.access_token) }));
      expect(v2.getProtocolEra()).toBe(sdk === "v2" ? "modern" : "legacy");
      expect(textOf(await v2.callTool({ name: "whoami" }))).toContain('"subject":"alice"');
      await v2.callTool(
        { name: "count", arguments: { to: 2 } },
        { onprogress: ({ progress }) => void steps.push(progress) },
      );
      expect(steps).toEqual([1, 2, 3, 1, 2]);
    });
  }

  it("notifies over the open stream, and forgets sessions", async () => {
    const { mcp, ...pair } = await startPair();
    const { tokens } = await signIn({ mcp, ...pair });
    const client = await connectV1(mcp, tokens.access_token);
    const changed = new Promise<void>((resolve) => {
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve());
    });
    await vi.waitFor(() => expect(mcp.log.find("GET", "/mcp")[0]?.status).toBe(200));
    await mcp.notifyToolsChanged();
    await changed;
    await mcp.dropSessions();
    await expect(client.ping()).rejects.toThrow("session not found");
    expect(mcp.log.requests.at(-1)?.status).toBe(404);
  });

  it("serves stateless JSON answers", async () => {
    const pair = await startPair({ stateless: true, jsonResponse: true });
    const { tokens } = await signIn(pair);
    const client = await connectV1(pair.mcp, tokens.access_token);
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "flat" } }))).toBe("flat");
    expect(pair.mcp.sessionCount).toBe(0);
  });

  it("takes DPoP-bound tokens with nonces at both ends", async () => {
    const pair = await startPair(
      { dpop: "required", dpopNonce: true },
      { features: { dpopNonce: true, clientCredentials: true }, clients: [serviceClient] },
    );
    const { publicKey, privateKey } = await generateKeyPair("ES256");
    const jwk = await exportJWK(publicKey);
    const prove = async (url: string, claims: Json): Promise<string> =>
      new SignJWT({ htm: "POST", htu: url, jti: randomBytes(8).toString("hex"), ...claims })
        .setProtectedHeader({ alg: "ES256", typ: "dpop+jwt", jwk })
        .setIssuedAt()
        .sign(privateKey);
    const tokenUrl = `${pair.as.issuer}/token`;
    const ask = async (nonce?: string): Promise<{ body: Json; headers: Headers }> => {
      const headers = { dpop: await prove(tokenUrl, { nonce }), authorization: `Basic ${btoa("service:s")}` };
      return json(tokenUrl, {
        ...form({ grant_type: "client_credentials", scope: "mcp:tools", resource: pair.mcp.resource }),
        headers,
      });
    };
    const first = await ask();
    expect(first.body.error).toBe("use_dpop_nonce");
    const { body: tokens } = await ask(first.headers.get("dpop-nonce") ?? "");
    expect(tokens.token_type).toBe("DPoP");
    const token = String(tokens.access_token);
    expect((await fetch(pair.mcp.url, { method: "POST", ...bearer(token) })).headers.get("www-authenticate")).toMatch(
      /^DPoP error="invalid_token"/,
    );
    const ath = createHash("sha256").update(token).digest("base64url");
    const call = async (nonce?: string): Promise<Response> => {
      const headers = {
        authorization: `DPoP ${token}`,
        dpop: await prove(pair.mcp.url.href, { ath, nonce }),
        accept: "application/json, text/event-stream",
        "content-type": "application/json",
      };
      const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "test", version: "1" } };
      return fetch(pair.mcp.url, {
        method: "POST",
        headers,
        body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params }),
      });
    };
    const refused = await call();
    expect(refused.headers.get("www-authenticate")).toContain('error="use_dpop_nonce"');
    expect((await call(refused.headers.get("dpop-nonce") ?? "")).status).toBe(200);
  });

  it("serves the SSE transport", async () => {
    const pair = await startPair({ transport: "sse" });
    const { tokens } = await signIn(pair);
    const client = closing(new ClientV1({ name: "test", version: "1" }));
    const authorized: typeof fetch = (url, init) => {
      const headers = new Headers(init?.headers);
      headers.set("authorization", `Bearer ${String(tokens.access_token)}`);
      return fetch(url, { ...init, headers });
    };
    await client.connect(new SSEClientTransport(pair.mcp.url, { fetch: authorized }) as Transport);
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "streamed" } }))).toBe("streamed");
    pair.mcp.rejectNext(1);
    await expect(client.callTool({ name: "echo", arguments: { text: "?" } })).rejects.toThrow();
  });
});

describe("SDK auth router", () => {
  it("signs in with the SDK's example provider and refreshes", async () => {
    const server = closing(await startSdkAuthRouterServer());
    expect(server.issuer).toMatch(/[/]$/);
    expect((await fetch(server.url, { method: "POST" })).headers.get("www-authenticate")).toContain(
      "/.well-known/oauth-protected-resource/mcp",
    );
    const metadata = (await json(new URL("/.well-known/oauth-authorization-server", server.url).href)).body;
    expect(metadata.issuer).toBe(server.issuer);
    const { tokens, clientId } = await signInAt(metadata, server.url.href);
    expect(tokens.token_type).toBe("bearer");
    const next = await refresh({ metadata, clientId }, tokens.refresh_token);
    const client = await connectV1(server, next.body.access_token);
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "routed" } }))).toBe("routed");
  });

  it("proxies to an upstream whose iss shows", async () => {
    const upstream = closing(await startAuthorizationServer());
    const server = closing(await startSdkAuthRouterServer({ upstream }));
    const metadata = (await json(new URL("/.well-known/oauth-authorization-server", server.url).href)).body;
    const { tokens, callback, clientId } = await signInAt(metadata, server.url.href);
    expect(callback.get("iss")).toBe(upstream.issuer);
    const client = await connectV1(server, tokens.access_token);
    expect(textOf(await client.callTool({ name: "whoami" }))).toContain('"subject":"alice"');
    const stale = await refresh({ metadata, clientId }, "never-issued");
    expect(stale).toMatchObject({ status: 500, body: { error: "server_error" } });
  });
});

describe("better-auth", () => {
  it("signs in, refreshes and steps up", async () => {
    const server = closing(await startBetterAuthServer());
    const metadata = (await json(new URL("/.well-known/oauth-authorization-server/auth", server.url).href)).body;
    expect(metadata.issuer).toBe(server.issuer);
    expect((await register(metadata, { application_type: undefined })).body.error).toBe("invalid_redirect_uri");
    const { tokens, callback, clientId } = await signInAt(metadata, server.url.href, "mcp:tools offline_access");
    expect(callback.get("iss")).toBe(server.issuer);
    const client = closing(new ClientV2({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } }));
    await client.connect(new StreamableHttpV2(server.url, { requestInit: bearer(tokens.access_token) }));
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "better" } }))).toBe("better");
    await expect(client.callTool({ name: "admin" })).rejects.toThrow();
    const refused = server.log.requests.at(-1);
    expect(refused?.status).toBe(403);
    const next = await refresh({ metadata, clientId }, tokens.refresh_token);
    expect(next.status, JSON.stringify(next.body)).toBe(200);
    const v1 = await connectV1(server, next.body.access_token);
    expect(textOf(await v1.callTool({ name: "whoami" }))).toContain(clientId);
  });

  it("lets a person say no, and runs the device flow", async () => {
    const server = closing(await startBetterAuthServer());
    const metadata = (await json(new URL("/.well-known/oauth-authorization-server/auth", server.url).href)).body;
    const loopback = await openLoopback();
    const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
    const { body } = await register(metadata, {
      redirect_uris: [loopback.redirectUri],
      grant_types: ["authorization_code", "refresh_token", deviceGrant],
    });
    const clientId = String(body.client_id);
    const denied = await authorize(
      metadata,
      clientId,
      { scope: "mcp:tools", resource: server.url.href },
      new UserAgent({ deny: true }),
      loopback,
    );
    expect(denied.callback.get("error")).toBe("access_denied");
    const device = await json(
      String(metadata.device_authorization_endpoint),
      form({ client_id: clientId, scope: "mcp:tools", resource: server.url.href }),
    );
    expect(device.status, JSON.stringify(device.body)).toBe(200);
    const page = await new UserAgent().enterUserCode(
      String(device.body.verification_uri),
      String(device.body.user_code),
    );
    expect(page.body).toContain("Signed in");
    const tokens = await json(
      String(metadata.token_endpoint),
      form({ grant_type: deviceGrant, client_id: clientId, device_code: String(device.body.device_code) }),
    );
    expect(tokens.status, JSON.stringify(tokens.body)).toBe(200);
  });
});

describe("scripted servers", () => {
  it("behaves as an OAuth server and MCP endpoint should", async () => {
    const server = closing(await scriptedAuthorizationServer());
    expect((await fetch(server.mcpUrl, { method: "POST" })).headers.get("www-authenticate")).toContain(
      "resource_metadata=",
    );
    const { tokens, callback, clientId, metadata } = await signInScripted(server);
    expect(callback.get("iss")).toBe(server.issuer);
    const client = await connectV1({ url: server.mcpUrl }, tokens.access_token);
    expect(textOf(await client.callTool({ name: "echo", arguments: { text: "scripted" } }))).toBe("scripted");
    expect((await refresh({ clientId, metadata }, tokens.refresh_token)).status).toBe(200);
    server.accessTokens.clear();
    await expect(client.ping()).rejects.toThrow();
  });

  it("lets each piece be replaced in one line", async () => {
    const server = closing(
      await scriptedAuthorizationServer({
        metadata: { code_challenge_methods_supported: undefined },
        authorize: async (_request, usual) => withLocationQuery(await usual(), { iss: "https://other.example" }),
        tokenResponse: { token_type: "bearer", refresh_token: undefined },
      }),
    );
    const { tokens, callback, metadata } = await signInScripted(server);
    expect(callback.get("iss")).toBe("https://other.example");
    expect(metadata).not.toHaveProperty("code_challenge_methods_supported");
    expect(tokens).toMatchObject({ token_type: "bearer" });
    expect(tokens).not.toHaveProperty("refresh_token");
    server.options.token = (_request, _usual, { text }) => text("", 401);
    expect((await fetch(`${server.url}/token`, { method: "POST" })).status).toBe(401);
  });

  it("resets, redirects, hangs and never ends", async () => {
    const server = closing(
      await startScriptedServer({
        "/reset": () => "reset",
        "/hang": (request, { hang }) => hang(request),
        "/endless": (_request, { endless }) => endless(),
        "GET /change": async (_request, { json: answer }) =>
          withJson(answer({ kept: 1, dropped: 2 }), { dropped: undefined, added: 3 }),
      }),
    );
    await expect(fetch(`${server.url}/reset`)).rejects.toThrow();
    await expect(fetch(`${server.url}/hang`, { signal: AbortSignal.timeout(20) })).rejects.toThrow();
    const endless = await fetch(`${server.url}/endless`);
    await endless.body?.cancel();
    expect((await json(`${server.url}/change`)).body).toEqual({ kept: 1, added: 3 });
    server.routes["*"] = (_request, { redirect }) => redirect("/elsewhere", 301);
    expect((await fetch(`${server.url}/x`, { redirect: "manual" })).headers.get("location")).toBe("/elsewhere");
    expect(server.log.count("*")).toBe(5);
  });
});

it.skipIf(missing())("signs in with a real browser", async () => {
  const pair = await startPair();
  const metadata = (await json(`${pair.as.url}/.well-known/oauth-authorization-server`)).body;
  const { body } = await register(metadata);
  const { page } = closing(await startChromium());
  const driven = async (url: URL | string): Promise<{ body: string }> => {
    await page.goto(String(url));
    await page.getByLabel("User name").fill("bob");
    await page.getByLabel("Password").fill("secret");
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByText("you can close this page").waitFor();
    return { body: await page.content() };
  };
  const { callback } = await authorize(
    metadata,
    String(body.client_id),
    { scope: "mcp:tools", resource: pair.mcp.resource },
    { open: driven },
  );
  expect(callback.get("code")).toBeTruthy();
});
