// The doctor in front of real authorization servers and real MCP servers of three makers.
import { expect, it } from "vitest";
import { startBetterAuthServer } from "../../servers/better-auth-server.ts";
import { startSdkAuthRouterServer } from "../../servers/sdk-auth-router-server.ts";
import { closing } from "../flow/support/harness.ts";
import { startAs, startMcp, startPair } from "../flow/support/real-servers.ts";
import { examine } from "./support/run-doctor.ts";

const problems = (examined: Awaited<ReturnType<typeof examine>>): string[] =>
  examined.findings.filter(({ level }) => level === "problem" || level === "warning").map(({ id }) => id);

it("finds nothing wrong with oidc-provider, and says what it offers", async () => {
  const features = { deviceFlow: true, dpop: true, pushedAuthorizationRequests: true };
  const { as, mcp } = await startPair({ features, clientIdMetadataDocuments: true }, { dpop: "accepted" });
  const examined = await examine(mcp.url);
  expect(problems(examined)).toEqual([]);
  expect(examined).toMatchObject({ exitCode: 0, verdict: { id: "can_sign_in" } });
  expect(examined.verdict.summary).toContain(
    "in a browser or on another device, with a client that it registers itself",
  );
  expect(examined.offered).toMatchObject({
    browser: true,
    device: true,
    registration: true,
    metadata_documents: true,
    pkce: true,
    iss: true,
    par: true,
    dpop: true,
    resource_indicators: "unknown",
    revocation: true,
  });
  expect(examined.finding("sign_in.dpop").seen).toContain("ES256");
  expect(examined.finding("sign_in.scope").seen).toContain("mcp:tools");
  expect(examined.byLibrary).toEqual([
    "POST /mcp 401",
    "GET /.well-known/oauth-protected-resource/mcp 200",
    "GET /.well-known/oauth-authorization-server 200",
  ]);
  // Nobody was registered, and nobody was asked to sign in.
  expect(as.clientCount()).toBe(0);
  expect(as.log.find("*", "/auth").map(({ query }) => [...query])).toEqual([[]]);
});

it("finds its way to an authorization server whose issuer has a path, and tells what stands at every place", async () => {
  const as = await startAs({ issuerPath: "/tenant", registration: false });
  const mcp = await startMcp(as, { metadata: "root" });
  const examined = await examine(mcp.url, { args: ["--client-id", "by-hand"] });
  expect(examined).toMatchObject({ exitCode: 0, verdict: { id: "can_sign_in" } });
  expect(examined.finding("client.pre_registered").seen).toContain("by-hand");
  expect(examined.requests).toEqual(
    expect.arrayContaining([
      "GET /.well-known/oauth-protected-resource/mcp 404",
      "GET /.well-known/oauth-authorization-server/tenant 200",
      "GET /.well-known/openid-configuration/tenant 404",
      "GET /tenant/.well-known/openid-configuration 200",
    ]),
  );
});

it("can sign in at @better-auth/mcp", async () => {
  const server = closing(await startBetterAuthServer());
  const examined = await examine(server.url);
  expect(examined, examined.verdict.summary).toMatchObject({ exitCode: 0, verdict: { id: "can_sign_in" } });
  expect(problems(examined)).toEqual([]);
});

it("can sign in at an SDK server that is its own authorization server", async () => {
  const server = closing(await startSdkAuthRouterServer());
  const examined = await examine(server.url);
  expect(examined, examined.verdict.summary).toMatchObject({ exitCode: 0, verdict: { id: "can_sign_in" } });
  expect(examined.finding("authorization_server.iss").level).toBe("note");
});

it("registers a client only when told to, and removes it again", async () => {
  const { as, mcp } = await startPair();
  const examined = await examine(mcp.url, { args: ["--register"] });
  expect(examined.exitCode).toBe(0);
  expect(examined.finding("client.registered").level).toBe("ok");
  expect(examined.finding("client.removed").level).toBe("ok");
  expect(as.log.count("POST", "/reg")).toBe(1);
  expect(as.clientCount()).toBe(0);
});

it("examines the older SSE transport", async () => {
  const as = await startAs();
  const mcp = await startMcp(as, { transport: "sse" });
  const examined = await examine(mcp.url);
  expect(examined, examined.verdict.summary).toMatchObject({ exitCode: 0, verdict: { id: "can_sign_in" } });
});
