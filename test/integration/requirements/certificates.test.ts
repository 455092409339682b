// Servers whose certificate nobody has vouched for.
import { execFile } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { NetworkOptions } from "mcp-oauth-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { selfSigned } from "../../support/self-signed.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";

const execute = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const { certificate, key } = selfSigned();
let server: Server;
let url: string;
const asked: string[] = [];

beforeAll(async () => {
  server = createServer({ cert: certificate, key }, (request, response) => {
    asked.push(`${request.method} ${request.url}`);
    // The metadata of an authorization server that stops short of a sign-in: it offers no PKCE.
    const found = request.url === "/.well-known/oauth-authorization-server";
    response.writeHead(found ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify({ issuer: url, authorization_endpoint: `${url}/a`, token_endpoint: `${url}/t` }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => asked.splice(0));
afterAll(() => new Promise((resolve) => server.close(resolve)));

/** An MCP server on loopback whose authorization server has the certificate. */
async function signInWith(network: NetworkOptions = {}): Promise<{ server: URL; signedIn: Promise<unknown> }> {
  const { mcpUrl } = await startScripted({ protectedResource: { authorization_servers: [url] } });
  return { server: mcpUrl, signedIn: startHost({ network }).tokens.signIn(mcpUrl) };
}

describe("a server that asks for the client's certificate", () => {
  const mine = selfSigned();
  const seen: string[] = [];
  let strict: Server;
  let issuer: string;

  beforeAll(async () => {
    const options = { cert: certificate, key, ca: [mine.certificate], requestCert: true, rejectUnauthorized: true };
    strict = createServer(options, (request, response) => {
      const { fingerprint256 } = (request.socket as TLSSocket).getPeerCertificate();
      seen.push(fingerprint256);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ issuer, authorization_endpoint: `${issuer}/a`, token_endpoint: `${issuer}/t` }));
    });
    await new Promise<void>((resolve) => strict.listen(0, "127.0.0.1", resolve));
    issuer = `https://127.0.0.1:${(strict.address() as AddressInfo).port}`;
  });
  afterEach(() => seen.splice(0));
  afterAll(() => new Promise((resolve) => strict.close(resolve)));

  async function signIn(network: NetworkOptions): Promise<unknown> {
    const { mcpUrl } = await startScripted({ protectedResource: { authorization_servers: [issuer] } });
    return startHost({ network: { certificateAuthorities: [certificate], ...network } }).tokens.signIn(mcpUrl);
  }

  it("gets the one that the host has given", async () => {
    const clientCertificate = { certificate: mine.certificate, key: mine.key };
    await failure(signIn({ clientCertificate }), "pkce_unsupported");
    expect(seen).toContain(new X509Certificate(mine.certificate).fingerprint256);
  });

  it.each([
    ["none", {}],
    ["another", { clientCertificate: selfSigned() }],
  ])("does not answer a host with %s", async (_case, network) => {
    await expect(signIn(network)).rejects.toMatchObject({ code: "network_failed" });
    expect(seen).toEqual([]);
  });
});

describe("an authority that the environment names", () => {
  const program = `
    import { memoryStore, TokenManager } from "mcp-oauth-client";
    const network = process.argv[2] === undefined ? {} : { certificateAuthorities: [process.argv[2]] };
    const tokens = new TokenManager({ clientName: "Test", store: memoryStore(), network, openBrowser: () => undefined });
    await tokens.signIn(process.argv[1]).catch(({ code }) => console.log(code));
    await tokens.close();
  `;

  it.each([
    ["by itself", []],
    ["beside one that the host has named", [selfSigned().certificate]],
  ])("is trusted %s [TLS-3]", async (_case, further) => {
    const { mcpUrl } = await startScripted({ protectedResource: { authorization_servers: [url] } });
    const folder = await mkdtemp(join(tmpdir(), "authority-"));
    const file = join(folder, "authority.pem");
    await writeFile(file, certificate);
    const run = async (environment: Record<string, string>): Promise<string> => {
      const args = ["--input-type=module", "--eval", program, mcpUrl.href, ...further];
      const env = { ...process.env, ...environment };
      return (await execute(process.execPath, args, { cwd: root, env })).stdout.trim();
    };
    try {
      expect(await run({})).toBe("network_failed");
      expect(await run({ NODE_EXTRA_CA_CERTS: file })).toBe("pkce_unsupported");
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe("a certificate that cannot be verified", () => {
  it.each([
    ["as it comes", {}],
    ["though every address is allowed", { allowPrivateAddresses: true }],
    ["though another authority is trusted", { certificateAuthorities: [selfSigned().certificate] }],
  ])("ends a sign-in before anything is sent: %s [TLS-3]", async (_case, network) => {
    const { signedIn } = await signInWith(network);
    const error = await failure(signedIn, "network_failed");
    expect(error.message).toMatch(/SELF_SIGNED|UNABLE_TO_VERIFY|CERT/);
    expect(asked).toEqual([]);
  });

  it("ends a request to the MCP server, with a token in hand as well [TLS-3]", async () => {
    const { tokens } = startHost();
    await tokens.setToken(`${url}/mcp`, "secret");
    await expect(tokens.fetch(`${url}/mcp`)(`${url}/mcp`)).rejects.toMatchObject({
      cause: { code: expect.stringMatching(/SELF_SIGNED|CERT/) },
    });
    await failure(startHost().tokens.signIn(`${url}/mcp`), "network_failed");
    expect(asked).toEqual([]);
  });

  it("is accepted from an authority that the host has named, and from no option else [TLS-3]", async () => {
    const { signedIn, server: mcp } = await signInWith({ certificateAuthorities: [certificate] });
    await failure(signedIn, "pkce_unsupported", mcp);
    expect(asked).toContain("GET /.well-known/oauth-authorization-server");
  });
});
