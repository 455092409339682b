// Servers that are broken in one way each, and the one right verdict on each.
import { createServer as createProxy, type Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { expect, it } from "vitest";
import type { ScriptedAuthorizationServerOptions } from "../../servers/scripted-authorization-server.ts";
import { type ScriptedRoute, type ScriptedRoutes, startScriptedServer } from "../../servers/scripted-server.ts";
import { selfSigned } from "../../support/self-signed.ts";
import { closing, startScripted } from "../flow/support/harness.ts";
import { examine } from "./support/run-doctor.ts";

const PRM = "GET /.well-known/oauth-protected-resource/mcp";
const ROOT_PRM = "GET /.well-known/oauth-protected-resource";
const ASM = "GET /.well-known/oauth-authorization-server";
const missing: ScriptedRoute = (_request, { text }) => text("not found", 404);

interface Broken {
  readonly server: ScriptedAuthorizationServerOptions;
  readonly verdict?: string;
  readonly exitCode?: number;
  /** All that stops a sign-in, in order. */
  readonly because: readonly string[];
  readonly args?: readonly string[];
  /** What a person has to be told, in the verdict or in the advice. */
  readonly says: readonly (string | RegExp)[];
}

const elsewhere = "https://mcp.example.com/other";
const broken: Record<string, Broken> = {
  "gives a 401 and nothing else": {
    server: {
      challenge: null,
      routes: { [PRM]: missing, [ASM]: missing, "/authorize": missing, "/token": missing },
    },
    because: ["authorization_server.authorization_answers", "authorization_server.token_answers"],
    says: ["/authorize", "publish protected resource metadata"],
  },
  "has metadata for another resource": {
    server: { protectedResource: { resource: elsewhere } },
    because: ["resource.mismatch"],
    says: [`"${elsewhere}"`, 'set "resource" to'],
  },
  "answers with a page where its metadata should be, and has no authorization server of its own": {
    server: {
      routes: {
        [PRM]: (_request, { html }) => html("<title>Welcome"),
        [ROOT_PRM]: (_request, { html }) => html("<title>Welcome"),
        [ASM]: (_request, { html }) => html("<title>Welcome"),
        "/authorize": missing,
        "/token": missing,
      },
    },
    because: ["authorization_server.authorization_answers", "authorization_server.token_answers"],
    says: ["publish protected resource metadata"],
  },
  "has metadata that is no JSON": {
    server: { routes: { [PRM]: (_request, { text }) => text("resource: mcp") } },
    because: ["resource.malformed"],
    says: ["not a JSON object", "RFC 9728"],
  },
  "names no authorization server": {
    server: { protectedResource: { authorization_servers: [] } },
    because: ["resource.authorization_servers"],
    says: ["names no authorization server", '"authorization_servers"'],
  },
  "names an issuer with a slash that the authorization server does not have": {
    server: { metadata: (usual) => ({ ...usual, issuer: `${usual.issuer}/` }) },
    because: ["authorization_server.issuer_mismatch"],
    says: ["They must be identical", /issuer "http:\S+\/"/],
  },
  "has an authorization server that does not announce PKCE": {
    server: { metadata: { code_challenge_methods_supported: undefined } },
    because: ["authorization_server.pkce"],
    says: ["PKCE", '"code_challenge_methods_supported": ["S256"]'],
  },
  "has an authorization server with plain PKCE only": {
    server: { metadata: { code_challenge_methods_supported: ["plain"] } },
    because: ["authorization_server.pkce"],
    says: ['"plain"', "S256"],
  },
  "sends tokens over plain http": {
    server: { metadata: { token_endpoint: "http://auth.example.com/token" } },
    because: ["authorization_server.insecure"],
    says: ["token_endpoint", "https"],
  },
  "lets nobody register": {
    server: { metadata: { registration_endpoint: undefined } },
    because: ["client.unavailable"],
    says: ["no way to get a client", "dynamic registration", "--client-id"],
  },
  "has an authorization server that is out of order": {
    server: { routes: { [ASM]: (_request, { text }) => text("oops", 500) } },
    because: ["authorization_server.fails"],
    says: ["status 500"],
  },
  "has an authorization server that publishes nothing": {
    server: { routes: { [ASM]: missing } },
    because: ["authorization_server.absent"],
    says: ["publishes no metadata", "/.well-known/oauth-authorization-server"],
  },
  "has an authorization server that cannot be reached": {
    server: { protectedResource: { authorization_servers: ["http://127.0.0.1:1"] } },
    verdict: "unreachable",
    exitCode: 6,
    because: ["authorization_server.unreachable"],
    says: ["127.0.0.1:1", "could not be reached"],
  },
  "redirects to its metadata elsewhere": {
    server: { routes: { [PRM]: (_request, { redirect }) => redirect("https://docs.example.com/metadata") } },
    because: ["resource.malformed"],
    says: ["redirect to docs.example.com"],
  },
  "answers everything with a page": {
    server: { routes: { "/mcp": (_request, { html }) => html("<title>Our product") } },
    because: ["server.no_message"],
    says: ["a web page", "401"],
  },
  "answers with 403 where a token is missing": {
    server: { mcp: (_request, _usual, { json }) => json({ error: "forbidden" }, 403) },
    because: ["server.forbids"],
    says: ["403", "answer with status 401", "mcp-oauth login"],
  },
  "is not at this path": {
    server: { routes: { "/mcp": missing } },
    because: ["server.not_found"],
    says: ["404", "check the path"],
  },
  "redirects to another origin": {
    server: { mcp: (_request, _usual, { redirect }) => redirect("https://new.example.com/mcp", 308) },
    because: ["server.redirects_elsewhere"],
    says: ["https://new.example.com/mcp"],
  },
  "is out of order": {
    server: { mcp: (_request, _usual, { text }) => text("bad gateway", 502) },
    because: ["server.fails"],
    says: ["502"],
  },
  "sends metadata without end": {
    server: { routes: { [PRM]: (_request, { endless }) => endless() } },
    because: ["resource.malformed"],
    says: ["more than 1048576 bytes"],
  },
  "leaves its metadata unanswered": {
    server: { routes: { [PRM]: (request, { hang }) => hang(request) } },
    args: ["--timeout", "1"],
    verdict: "unreachable",
    exitCode: 6,
    because: ["resource.unreachable"],
    says: ["did not answer within 1000 ms"],
  },
  "has a token endpoint where nothing stands": {
    server: { metadata: (usual) => ({ ...usual, token_endpoint: `${usual.issuer}/nothing` }) },
    because: ["authorization_server.token_answers"],
    says: ["Nothing stands at the token endpoint", "404"],
  },
  "has no token endpoint": {
    server: { metadata: { token_endpoint: undefined } },
    because: ["authorization_server.no_token_endpoint"],
    says: ["publish token_endpoint"],
  },
  "is not among the resources of its authorization server": {
    server: { metadata: { protected_resources: [elsewhere] } },
    because: ["authorization_server.resource_not_listed"],
    says: ["protected_resources"],
  },
  "is its own authorization server, under another name": {
    server: { routes: { [PRM]: missing }, metadata: { issuer: "https://auth.example.com" } },
    because: ["authorization_server.issuer_mismatch"],
    says: ["https://auth.example.com"],
  },
  "is its own authorization server, whose metadata is out of order": {
    server: { routes: { [PRM]: missing, [ASM]: (_request, { text }) => text("oops", 503) } },
    because: ["authorization_server.fails"],
    says: ["status 503"],
  },
  "has its tokens issued at another origin, unmarked": {
    server: {
      metadata: {
        token_endpoint: "https://tokens.example.com/token",
        authorization_response_iss_parameter_supported: undefined,
      },
    },
    because: ["authorization_server.other_origin"],
    says: ["https://tokens.example.com", "another origin"],
  },
  "names its metadata at another origin": {
    server: {
      challenge: 'Bearer resource_metadata="http://127.0.0.1:1/metadata"',
      routes: { [PRM]: missing },
    },
    because: ["resource.other_origin"],
    says: ["http://127.0.0.1:1/metadata", "own origin"],
  },
  "takes DPoP only, with algorithms that nobody else knows": {
    server: {
      protectedResource: { dpop_bound_access_tokens_required: true, dpop_signing_alg_values_supported: ["ES999"] },
      metadata: { dpop_signing_alg_values_supported: ["ES256"] },
    },
    because: ["sign_in.dpop"],
    says: ["DPoP"],
  },
};

for (const [name, { server, args = [], verdict = "cannot_sign_in", exitCode = 5, because, says }] of Object.entries(
  broken,
)) {
  it(`tells what is wrong with a server that ${name}`, async () => {
    const { mcpUrl, log } = await startScripted(server);
    const examined = await examine(mcpUrl, { args });
    const words = [examined.verdict.summary, ...examined.verdict.next].join("\n");
    expect(examined.verdict, words).toMatchObject({ id: verdict, because });
    expect(examined.exitCode).toBe(exitCode);
    for (const said of says) expect(words).toMatch(said);
    for (const id of because) expect(examined.finding(id).level).toBe("problem");
    // Whatever it found, nothing was registered and nobody was asked.
    expect([log.count("POST", "/register"), log.find("*", "/authorize").filter(({ query }) => query.size > 0)]).toEqual(
      [0, []],
    );
  });
}

it("goes on behind the first problem, and names all there are in their order", async () => {
  const { mcpUrl } = await startScripted({
    protectedResource: { resource: elsewhere },
    metadata: { code_challenge_methods_supported: undefined, registration_endpoint: undefined },
  });
  const { verdict, requests } = await examine(mcpUrl);
  expect(verdict.because).toEqual(["resource.mismatch", "authorization_server.pkce", "client.unavailable"]);
  expect(verdict.summary).toContain("Behind that are 2 more problems");
  expect(verdict.next.map((line) => line.split(":")[0])).toEqual([
    "MCP server",
    "Authorization server",
    "Authorization server",
  ]);
  expect(requests).toContain("GET /.well-known/oauth-authorization-server 200");
});

it("goes on behind an issuer that does not match", async () => {
  const { mcpUrl } = await startScripted({
    metadata: (usual) => ({
      ...usual,
      issuer: "https://other.example.com",
      code_challenge_methods_supported: ["plain"],
    }),
  });
  const { verdict } = await examine(mcpUrl);
  expect(verdict.because).toEqual(["authorization_server.issuer_mismatch", "authorization_server.pkce"]);
});

it("finds a sign-in on another device where no browser can be used", async () => {
  const { mcpUrl } = await startScripted({
    metadata: (usual) => ({
      ...usual,
      code_challenge_methods_supported: undefined,
      device_authorization_endpoint: `${usual.issuer}/device`,
    }),
  });
  const { verdict, exitCode } = await examine(mcpUrl);
  expect([verdict.id, exitCode]).toEqual(["can_sign_in", 0]);
  expect(verdict.summary).toContain("on another device");
  expect(verdict.next[0]).toMatch(/--device$/);
});

it("judges as with the client that was registered by hand", async () => {
  const { mcpUrl } = await startScripted({ metadata: { registration_endpoint: undefined } });
  const { verdict, exitCode } = await examine(mcpUrl, { args: ["--client-id", "by-hand"] });
  expect([verdict.id, exitCode]).toEqual(["can_sign_in", 0]);
  expect(verdict.summary).toContain("the client that was given");
});

it("judges as with a client ID metadata document", async () => {
  const { mcpUrl } = await startScripted({ metadata: { client_id_metadata_document_supported: true } });
  const url = "https://client.example.com/oauth/client.json";
  const examined = await examine(mcpUrl, { args: ["--client-metadata-url", url] });
  expect(examined.finding("client.metadata_document").seen).toContain(url);
});

it("tells a refused registration, when told to try one", async () => {
  const { mcpUrl, log } = await startScripted({
    register: (_request, _usual, { json }) => json({ error: "invalid_redirect_uri" }, 400),
  });
  const { verdict, exitCode } = await examine(mcpUrl, { args: ["--register"] });
  expect([verdict.because, exitCode]).toEqual([["client.registration_failed"], 5]);
  expect(log.count("POST", "/register")).toBe(1);
});

it("says which servers of MCP 2025-03-26 it takes for such", async () => {
  const { mcpUrl } = await startScripted({ challenge: "Bearer", routes: { [PRM]: missing } });
  const examined = await examine(mcpUrl);
  expect(examined.verdict.id).toBe("can_sign_in");
  expect(examined.finding("resource.absent").level).toBe("warning");
  expect(examined.finding("authorization_server.legacy").rule.source).toContain("2025-03-26");
  expect(examined.verdict.next.at(-1)).toContain("should be put right");
});

it("takes a 403 that asks for scopes for the challenge that the library takes it for", async () => {
  const { mcpUrl } = await startScripted({
    mcp: (_request, _usual, { json }) =>
      json({}, 403, { "www-authenticate": 'Bearer error="insufficient_scope", scope="mcp:tools"' }),
  });
  const examined = await examine(mcpUrl);
  expect(examined.verdict.id).toBe("can_sign_in");
  expect(examined.finding("server.asks")).toMatchObject({ level: "warning", fix: expect.stringContaining("401") });
});

it("accepts what the library accepts, and warns of it", async () => {
  const { mcpUrl } = await startScripted({
    protectedResource: (usual) => ({ ...usual, resource: String(usual.resource).replace("/mcp", "") }),
  });
  const examined = await examine(mcpUrl);
  expect(examined.verdict.id).toBe("can_sign_in");
  expect(examined.finding("resource.deviation")).toMatchObject({
    level: "warning",
    rule: { source: "RFC 9728 section 3.3" },
  });
});

it("warns of a server that lets any token in, or does not tell an expired one", async () => {
  const open = await startScripted({
    mcp: (request, usual, { json }) =>
      request.headers.authorization === undefined ? usual() : json({ jsonrpc: "2.0", id: 1, result: {} }),
  });
  expect((await examine(open.mcpUrl)).finding("token.made_up")).toMatchObject({ level: "problem" });
  const vague = await startScripted({
    mcp: (request, usual, { json }) => (request.headers.authorization === undefined ? usual() : json({}, 500)),
  });
  expect((await examine(vague.mcpUrl)).finding("token.made_up")).toMatchObject({ level: "warning" });
});

/** An MCP server that lets some methods pass without a token. */
function mcpServer(passing: readonly string[], routes: ScriptedRoutes = {}) {
  return startScriptedServer({
    ...routes,
    "DELETE /mcp": (_request, { text }) => text("", 204),
    "POST /mcp": (request, { json }) => {
      const { method, id } = request.json() as { method: string; id?: number };
      if (id === undefined) return new Response(null, { status: 202 });
      if (!passing.includes(method)) return json({}, 401, { "www-authenticate": "Bearer" });
      const result = method === "initialize" ? { protocolVersion: "2025-11-25" } : { tools: [] };
      return json({ jsonrpc: "2.0", id, result }, 200, { "mcp-session-id": "canary-session-id" });
    },
  });
}

it("says that no sign-in is needed where none is, and ends the session that it opened", async () => {
  const server = closing(await mcpServer(["initialize", "tools/list"]));
  const { verdict, exitCode, findings, byLibrary } = await examine(`${server.url}/mcp`);
  expect([verdict.id, exitCode]).toEqual(["no_sign_in_needed", 0]);
  // What is asked beyond that is the doctor's curiosity.
  expect(byLibrary).toEqual(["POST /mcp 200"]);
  expect(findings.filter(({ level }) => level !== "ok" && level !== "note")).toEqual([]);
  expect(server.log.find("DELETE", "/mcp")[0]?.headers["mcp-session-id"]).toBe("canary-session-id");
});

it("finds a server that asks for a token only later", async () => {
  const as = await startScripted();
  const metadata: ScriptedRoute = (_request, { json, url }) =>
    json({ resource: `${url}/mcp`, authorization_servers: [as.issuer] });
  const server = closing(await mcpServer(["initialize"], { [PRM]: metadata }));
  const examined = await examine(`${server.url}/mcp`);
  expect([examined.verdict.id, examined.exitCode]).toEqual(["can_sign_in", 0]);
  expect(examined.finding("server.asks_later").seen).toContain("tools/list");
});

it("says so where nobody answers, and where an address is not https, to which it sends nothing", async () => {
  const { url, close } = await startScriptedServer();
  await close();
  const nobody = await examine(`${url}/mcp`);
  expect([nobody.verdict.id, nobody.verdict.because, nobody.exitCode]).toEqual([
    "unreachable",
    ["transport.unreachable"],
    6,
  ]);
  const insecure = await examine("http://192.0.2.1/mcp");
  expect([insecure.verdict.because, insecure.exitCode, insecure.requests]).toEqual([["transport.insecure"], 5, []]);
});

/** A server on https that a proxy stands in front of: to the program it is the public server 8.8.8.8. */
async function publicServer(certificate: string, key: string, issuer: string): Promise<{ proxy: string }> {
  const tunnels = new Set<Duplex>();
  const server: Server = createServer({ cert: certificate, key }, (request, response) => {
    const isMetadata = request.url?.startsWith("/.well-known/oauth-protected-resource") === true;
    const body = JSON.stringify({ resource: "https://8.8.8.8/mcp", authorization_servers: [issuer] });
    response.writeHead(isMetadata ? 200 : 401, { "content-type": "application/json", "www-authenticate": "Bearer" });
    request.resume().once("end", () => response.end(isMetadata ? body : "{}"));
  });
  const proxy: HttpServer = createProxy().on("connect", (_request, socket) => {
    const inner = connect((server.address() as AddressInfo).port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      pipeline(socket, inner, socket, () => undefined);
    });
    for (const end of [socket, inner]) tunnels.add(end);
  });
  for (const each of [server, proxy]) await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    for (const tunnel of tunnels) tunnel.destroy();
    for (const each of [server, proxy]) await new Promise((resolve) => each.close(resolve));
  };
  closing({ close });
  return { proxy: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}` };
}

it("tells of a public server that names an address in a private network, and does not go there", async () => {
  const { certificate, key } = selfSigned();
  const { proxy } = await publicServer(certificate, key, "https://10.0.0.1");
  const env = { HTTPS_PROXY: proxy, NODE_TLS_REJECT_UNAUTHORIZED: "0" };
  const { verdict, exitCode, requests } = await examine("https://8.8.8.8/mcp", { env });
  expect([verdict.id, verdict.because, exitCode]).toEqual(["cannot_sign_in", ["authorization_server.address"], 5]);
  expect(verdict.summary).toContain("10.0.0.1, which is a private address");
  expect(requests).toContain("GET /.well-known/oauth-authorization-server -");
});

it("tells of a certificate that nobody trusts", async () => {
  const { certificate, key } = selfSigned();
  const { proxy } = await publicServer(certificate, key, "https://8.8.8.8");
  const { verdict, exitCode } = await examine("https://8.8.8.8/mcp", { env: { HTTPS_PROXY: proxy } });
  expect([verdict.id, verdict.because, exitCode]).toEqual(["unreachable", ["transport.certificate"], 6]);
});
