// Metadata that must not be used: every refusal happens before anything is registered, opened or sent.
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import type { ScriptedAuthorizationServerOptions } from "../../servers/scripted-authorization-server.ts";
import type { ScriptedRoute } from "../../servers/scripted-server.ts";
import { failure, startHost, startScripted } from "./support/harness.ts";

type Document = Record<string, unknown>;
const notFound: ScriptedRoute = (_request, { text }) => text("not found", 404);

/** Starts a sign-in that has to fail during discovery, and proves that nothing went further. */
async function refused(
  options: ScriptedAuthorizationServerOptions,
  code: Parameters<typeof failure>[1],
  hostOptions: Parameters<typeof startHost>[0] = {},
): Promise<{ message: string; url: string; requested: string[] }> {
  const server = await startScripted(options);
  const host = startHost(hostOptions);
  const { message } = await failure(host.tokens.signIn(server.mcpUrl), code, server.mcpUrl);
  expect(host.opened).toHaveLength(0);
  expect(server.log.count("*", /^\/(authorize|token|register|revoke)/)).toBe(0);
  return { message, url: server.url, requested: server.log.requests.map(({ path }) => path) };
}

for (const [name, issuer] of [
  ["another issuer", () => "https://evil.example"],
  ["an issuer with a slash more", (own: unknown) => `${String(own)}/`],
  ["an issuer in capitals", (own: unknown) => String(own).toUpperCase()],
  ["no issuer", () => undefined],
] as const) {
  it(`refuses metadata with ${name}, shows both and looks no further [ASM-5] [ASM-6]`, async () => {
    const metadata = (usual: Document): Document => ({ ...usual, issuer: issuer(usual.issuer) });
    const { message, url, requested } = await refused({ metadata }, "issuer_mismatch");
    expect(message).toContain(`"${url}"`);
    expect(message).toContain(`"${issuer(url) ?? "(none)"}"`);
    expect(requested.filter((path) => /openid/.test(path))).toEqual([]);
  });
}

for (const [name, resource] of [
  ["another origin", () => "https://evil.example/mcp"],
  ["another port", (own: string) => own.replace(/:\d+/, ":1")],
  ["another scheme", (own: string) => own.replace("http:", "https:")],
  ["a sibling path", (own: string) => `${own}2`],
  ["a path that is only the start of a segment", (own: string) => own.replace(/mcp$/, "mc")],
  ["a deeper path", (own: string) => `${own}/tenant`],
  ["an identifier that is no URL", () => "api://mcp"],
] as const) {
  it(`refuses metadata for ${name}, and shows both [PRM-6]`, async () => {
    const protectedResource = (usual: Document): Document => ({ ...usual, resource: resource(String(usual.resource)) });
    const { message, url } = await refused({ protectedResource }, "resource_mismatch");
    expect(message).toContain(`"${url}/mcp"`);
    expect(message).toContain(`"${resource(`${url}/mcp`)}"`);
  });
}

it("accepts the resource of a whole parent path and says so, unless told to be exact [PRM-6]", async () => {
  const protectedResource = (usual: Document): Document => ({
    ...usual,
    resource: String(usual.resource).replace("/mcp", ""),
  });
  const server = await startScripted({ protectedResource });
  const host = startHost();
  await host.tokens.signIn(server.mcpUrl);
  expect(host.opened[0]?.searchParams.get("resource")).toBe(server.url);
  expect(host.told("deviation")).toMatchObject([{ rule: "RFC 9728 section 3.3" }]);
  await refused({ protectedResource }, "resource_mismatch", { resourceMatch: "exact" });
});

it("lets the host accept an identifier of another kind, and sends it letter for letter [PRM-6] [RES-4]", async () => {
  const resource = "api://Some-ID";
  const server = await startScripted({ protectedResource: { resource } });
  const questions: unknown[] = [];
  const host = startHost({ acceptResource: (question) => questions.push(question) > 0 });
  await host.tokens.signIn(server.mcpUrl);
  expect(questions).toEqual([{ server: server.mcpUrl.href, resource }]);
  expect(host.opened[0]?.searchParams.get("resource")).toBe(resource);
  expect(new URLSearchParams(server.log.find("POST", "/token")[0]?.body).get("resource")).toBe(resource);
});

it("takes a document at the root for the origin, and not one there for something else [PRM-2] [PRM-5]", async () => {
  const rootDocument =
    (resource: (url: string) => string): ScriptedRoute =>
    (_request, { json, url }) =>
      json({ resource: resource(url), authorization_servers: [url] });
  const routes = { "GET /.well-known/oauth-protected-resource/mcp": notFound };
  const place = "GET /.well-known/oauth-protected-resource";
  const server = await startScripted({
    challenge: "Bearer",
    routes: { ...routes, [place]: rootDocument((url) => url) },
  });
  const host = startHost();
  await host.tokens.signIn(server.mcpUrl);
  // Without the slash that a URL parser would add.
  expect(host.opened[0]?.searchParams.get("resource")).toBe(server.url);
  expect(host.told("deviation")).toEqual([]);
  const other = rootDocument((url) => `${url}/other`);
  await refused({ challenge: "Bearer", routes: { ...routes, [place]: other } }, "resource_mismatch");
});

const pkce: [name: string, ids: string, methods: string[] | undefined][] = [
  ["says nothing about PKCE", "[PKCE-3]", undefined],
  ["offers only plain", "[PKCE-4]", ["plain"]],
  ["offers no method", "[PKCE-4]", []],
];
for (const [name, ids, methods] of pkce) {
  it(`opens no browser and registers nothing at a server that ${name} ${ids}`, async () => {
    const { message } = await refused({ metadata: { code_challenge_methods_supported: methods } }, "pkce_unsupported");
    expect(message).toContain("code_challenge_methods_supported");
  });
}

it("wants PKCE of a server with nothing but OpenID Connect metadata as well [PKCE-3] [ASM-1] [ASM-3]", async () => {
  const server = await startScripted();
  const metadata = (await (await fetch(`${server.url}/.well-known/oauth-authorization-server`)).json()) as Document;
  server.log.clear();
  const routes = { "GET /.well-known/oauth-authorization-server": notFound };
  const serve = (document: Document): void => {
    const openid: ScriptedRoute = (_request, { json }) => json(document, 200, { "cache-control": "no-store" });
    server.options.routes = { ...routes, "GET /.well-known/openid-configuration": openid };
  };
  serve({ ...metadata, code_challenge_methods_supported: undefined });
  const host = startHost();
  await failure(host.tokens.signIn(server.mcpUrl), "pkce_unsupported", server.mcpUrl);
  expect(host.opened).toHaveLength(0);
  serve(metadata);
  await host.tokens.signIn(server.mcpUrl);
  expect(server.log.requests.slice(2, 4).map(({ path }) => path)).toEqual([
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
  ]);
});

const insecure = [
  "http://as.example/x",
  "http://localhost.evil.example/x",
  "http://192.168.0.1/x",
  "ftp://as.example/x",
];
for (const [member, ids] of [
  ["authorization_endpoint", "[URL-1]"],
  ["token_endpoint", ""],
  ["registration_endpoint", ""],
  ["revocation_endpoint", "[REV-2]"],
] as const) {
  it(`refuses metadata whose ${member} is not https before anything is sent anywhere [TLS-1] [TLS-2] ${ids}`, async () => {
    for (const url of insecure) {
      const { message } = await refused({ metadata: { [member]: url } }, "insecure_url");
      expect(message).toContain(member);
      expect(message).toContain(url);
    }
  });
}

const dangerous = [
  "javascript:alert(1)",
  "JaVaScRiPt:alert(1)",
  "java\tscript:alert(1)",
  " javascript:alert(1)",
  "data:text/html,x",
  "file:///etc/passwd",
  "vbscript:x",
  "ms-msdt:/id",
  "calculator://",
  "https://user:pass@as.example/authorize",
  "//as.example/authorize",
  "authorize",
];
it("never opens an authorization URL of another scheme, nor one with a password, nor a relative one [URL-1] [URL-2] [URL-4]", async () => {
  for (const authorization_endpoint of dangerous) {
    const server = await startScripted({ metadata: { authorization_endpoint } });
    const host = startHost({ prompt: () => "never" });
    const error = await host.tokens.signIn(server.mcpUrl).catch((reason: unknown) => reason);
    expect(error, authorization_endpoint).toMatchObject({
      code: expect.stringMatching(/insecure_url|invalid_response/),
    });
    expect(host.opened).toEqual([]);
    expect(server.log.count("POST", "/register")).toBe(0);
  }
});

it("keeps what an authorization endpoint has in its query, and sends nothing twice [AZR-2]", async () => {
  const server = await startScripted({
    metadata: (usual) => ({
      ...usual,
      authorization_endpoint: `${String(usual.authorization_endpoint)}?tenant=a%20b&state=x`,
    }),
  });
  const host = startHost();
  await host.tokens.signIn(server.mcpUrl);
  const names = [...(host.opened[0]?.searchParams.keys() ?? [])];
  expect(host.opened[0]?.searchParams.get("tenant")).toBe("a b");
  expect(new Set(names).size).toBe(names.length);
  expect([...(host.opened[0]?.searchParams.values() ?? [])]).not.toContain("");
});

for (const [name, issuer, code] of [
  ["with a query", "https://as.example/?a=b", "invalid_response"],
  ["with a fragment", "https://as.example/#a", "invalid_response"],
  ["over plain http", "http://as.example", "insecure_url"],
  ["that is no URL", "as.example", "invalid_response"],
] as const) {
  it(`refuses an issuer ${name} [ASM-7] [PRM-8]`, async () => {
    await refused({ protectedResource: { authorization_servers: [issuer] } }, code);
  });
}

for (const [name, change, code] of [
  ["names no authorization server", { authorization_servers: undefined }, "discovery_failed"],
  ["has an empty list of authorization servers", { authorization_servers: [] }, "discovery_failed"],
  ["has an authorization server that is a number", { authorization_servers: [1] }, "invalid_response"],
  ["has a text for a list", { authorization_servers: "https://as.example" }, "invalid_response"],
  ["has scopes that are no list", { scopes_supported: "mcp:tools" }, "invalid_response"],
  ["has no resource", { resource: undefined }, "invalid_response"],
  ["has a resource that is a list", { resource: ["https://a.example"] }, "invalid_response"],
] as const) {
  it(`refuses resource metadata that ${name} [PRM-4] [PRM-8]`, async () => {
    await refused({ protectedResource: change }, code);
  });
}

for (const [name, answer, code, ids] of [
  ["a list", ((_r, { json }) => json([])) as ScriptedRoute, "invalid_response", ""],
  [
    "an empty answer with status 204",
    (() => new Response(null, { status: 204 })) as ScriptedRoute,
    "discovery_failed",
    "",
  ],
  ["more than a megabyte", ((_r, { endless }) => endless()) as ScriptedRoute, "invalid_response", "[SSRF-6]"],
  [
    "a redirect to another origin",
    ((_r, { redirect }) => redirect("https://evil.example/")) as ScriptedRoute,
    "invalid_response",
    "[SSRF-3]",
  ],
] as const) {
  it(`refuses ${name} for resource metadata [PRM-4] ${ids}`, async () => {
    await refused({ routes: { "GET /.well-known/oauth-protected-resource/mcp": answer } }, code);
  });
}

it("looks at the root when the place with the path answers with a page [PRM-2] [PRM-4]", async () => {
  const server = await startScripted({
    challenge: "Bearer",
    routes: {
      "GET /.well-known/oauth-protected-resource/mcp": (_request, { html }) => html("<p>Welcome"),
      "GET /.well-known/oauth-protected-resource": (_request, { json, url }) =>
        json({ resource: `${url}/mcp`, authorization_servers: [url], unknown: { member: 1 } }),
    },
  });
  expect((await startHost().tokens.signIn(server.mcpUrl)).issuer).toBe(server.issuer);
});

it("refuses an authorization server that lists its resources without this one [PRM-11]", async () => {
  await refused({ metadata: { protected_resources: ["https://other.example"] } }, "resource_mismatch");
});

it("says what to do where a server without registration knows no client, and asks nobody [REG-1] [REG-2]", async () => {
  const server = await startScripted({ metadata: { registration_endpoint: undefined } });
  const host = startHost();
  const error = await failure(host.tokens.signIn(server.mcpUrl), "client_unavailable", server.mcpUrl);
  expect(error.issuer).toBe(server.issuer);
  expect(error.message).toContain(server.mcpUrl.href);
  expect(error.message).toContain(`clients: [{ issuer: "${server.issuer}", clientId: "…" }]`);
  expect([host.opened.length, server.log.count("*", "/authorize")]).toEqual([0, 0]);
});

it("does not try a configured client at another issuer, and names both [BIND-4]", async () => {
  const server = await startScripted({ metadata: { registration_endpoint: undefined } });
  const clients = [{ issuer: "https://as.example", clientId: "theirs", clientSecret: "s" }];
  const host = startHost({ clients, store: memoryStore() });
  const error = await failure(host.tokens.signIn(server.mcpUrl), "client_mismatch", server.mcpUrl);
  expect(error.message).toContain("https://as.example");
  expect(error.message).toContain(server.issuer);
  expect(host.opened).toHaveLength(0);
  expect(JSON.stringify(server.log.requests.map(({ query, body }) => [[...query], body]))).not.toContain("theirs");
});
