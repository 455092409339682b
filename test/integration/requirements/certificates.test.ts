// Servers whose certificate nobody has vouched for.
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import type { NetworkOptions } from "mcp-oauth-client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { selfSigned } from "../../support/self-signed.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";

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
