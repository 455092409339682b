import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { signInElsewhere } from "./support/foreign-session.ts";
import { failure, startHost, startScripted } from "./support/harness.ts";
import { startAs, startPair } from "./support/real-servers.ts";

const expired = { expiresAt: 1_700_000_000_000 };

it("is used as it is while its token lasts, and nobody is asked", async () => {
  const pair = await startPair();
  const session = await signInElsewhere(pair);
  const { tokens, opened } = startHost();
  const imported = await tokens.importSession(pair.mcp.url, session);
  expect(imported).toMatchObject({ issuer: pair.as.issuer, expiresAt: session.expiresAt, scope: session.scope });
  expect((await tokens.get(pair.mcp.url)).accessToken.reveal()).toBe(session.accessToken);
  expect(opened).toEqual([]);
});

it("is refreshed by the client it came with", async () => {
  const pair = await startPair();
  const session = await signInElsewhere(pair);
  const { tokens, opened, told } = startHost();
  const registered = pair.as.clientCount();
  await tokens.importSession(pair.mcp.url, { ...session, ...expired });
  const { accessToken } = await tokens.get(pair.mcp.url);
  expect(accessToken.reveal()).not.toBe(session.accessToken);
  const [request] = pair.as.log.find("POST", "/token").slice(-1);
  expect(new URLSearchParams(request?.body).get("client_id")).toBe(session.client.clientId);
  expect(told("token_refreshed")).toHaveLength(1);
  expect(pair.as.clientCount()).toBe(registered);
  expect(opened).toEqual([]);
});

it("is refreshed with its client's secret", async () => {
  const grant_types = ["authorization_code", "refresh_token"];
  const redirect_uris = ["http://127.0.0.1/callback"];
  const client = { client_id: "confidential", client_secret: "s3cret", grant_types, redirect_uris };
  const pair = await startPair({ clients: [client] });
  const { tokens } = startHost({ interactive: false });
  const session = { ...(await signInElsewhere(pair)), ...expired };
  await tokens.importSession(pair.mcp.url, {
    ...session,
    client: { clientId: "confidential", clientSecret: "s3cret" },
  });
  // The refresh token is another client's, so the server lets this one in and refuses the token.
  await failure(tokens.get(pair.mcp.url), "sign_in_required");
  const [request] = pair.as.log.find("POST", "/token").slice(-1);
  expect(request?.status).toBe(400);
  expect(request?.headers.authorization).toBe(`Basic ${Buffer.from("confidential:s3cret").toString("base64")}`);
});

it("is there for the next start of the program", async () => {
  const pair = await startPair();
  const store = memoryStore();
  const first = startHost({ store });
  await first.tokens.importSession(pair.mcp.url, await signInElsewhere(pair));
  const second = startHost({ store, interactive: false });
  expect(await second.tokens.status()).toMatchObject([{ state: "signed_in", refreshable: true }]);
  await expect(second.tokens.get(pair.mcp.url)).resolves.toMatchObject({ issuer: pair.as.issuer });
});

it("of another authorization server is refused, and none of its tokens is sent anywhere", async () => {
  const pair = await startPair();
  const other = await startAs();
  const session = await signInElsewhere(pair);
  const { tokens } = startHost();
  pair.as.log.clear();
  for (const wrong of [{ issuer: other.issuer }, { tokenEndpoint: `${other.issuer}/token` }]) {
    const { issuer: _issuer, ...rest } = session;
    const error = await failure(
      tokens.importSession(pair.mcp.url, { ...rest, ...wrong }),
      "issuer_mismatch",
      pair.mcp.url,
    );
    expect(error.message).toContain(other.issuer);
  }
  expect(await tokens.status()).toEqual([]);
  for (const { log } of [pair.as, other]) expect(log.count("POST")).toBe(0);
});

it("is known by its token endpoint alone", async () => {
  const pair = await startPair();
  const { issuer, ...session } = await signInElsewhere(pair);
  const { tokens } = startHost();
  await tokens.importSession(pair.mcp.url, { ...session, tokenEndpoint: `${issuer}/token` });
  expect(await tokens.status()).toMatchObject([{ issuer, state: "signed_in" }]);
});

it("is not handed to a server that names another's token endpoint as its own", async () => {
  const honest = await startScripted();
  const hostile = await startScripted({
    metadata: { token_endpoint: `${honest.url}/token`, authorization_response_iss_parameter_supported: true },
  });
  const session = { client: { clientId: "c", clientSecret: "s3cret" }, accessToken: "a", refreshToken: "r" };
  const { tokens } = startHost();
  const tokenEndpoint = `${honest.url}/token`;
  await failure(tokens.importSession(hostile.mcpUrl, { ...session, tokenEndpoint }), "issuer_mismatch", hostile.mcpUrl);
  await tokens.signOut(hostile.mcpUrl);
  expect(hostile.log.count("POST", "/revoke")).toBe(0);
  // Where the issuer is known to have its endpoints there, they are its own.
  const issuerProfiles = [{ issuer: hostile.issuer, endpointOrigins: [`${honest.url}/`] }];
  await startHost({ issuerProfiles }).tokens.importSession(hostile.mcpUrl, { ...session, tokenEndpoint });
});

it.each(["app:prod-42", "urn:client:7", "plain"])(
  "has a registered client, whatever its id looks like: %s",
  async (clientId) => {
    const server = await startScripted({
      token: (_request, _usual, { json }) => json({ error: "invalid_client" }, 401),
    });
    const { tokens } = startHost({ interactive: false });
    const { issuer, mcpUrl } = server;
    await tokens.importSession(mcpUrl, {
      issuer,
      client: { clientId },
      accessToken: "a",
      refreshToken: "r",
      ...expired,
    });
    await failure(tokens.get(mcpUrl), "sign_in_required");
  },
);

it("that does not say which authorization server it is of is refused", async () => {
  const pair = await startPair();
  const { issuer: _issuer, ...session } = await signInElsewhere(pair);
  await failure(startHost().tokens.importSession(pair.mcp.url, session), "invalid_argument", pair.mcp.url);
});

it.each([
  ["an empty token", { accessToken: "" }],
  ["a token of white space", { accessToken: "  " }],
  ["a token that no header carries", { accessToken: "abc\ndef" }],
  ["an end that is no time", { expiresAt: Number.NaN }],
  ["a secret's end that is no time", { client: { clientId: "a", secretExpiresAt: Number.POSITIVE_INFINITY } }],
  ["a client without an id", { client: { clientId: "" } }],
  ["a secret method without a secret", { client: { clientId: "a", authenticationMethod: "client_secret_post" } }],
] as const)("with %s is refused before anything is asked", async (_what, wrong) => {
  const pair = await startPair();
  pair.mcp.log.clear();
  const session = { issuer: pair.as.issuer, client: { clientId: "a" }, accessToken: "token", ...wrong };
  await failure(startHost().tokens.importSession(pair.mcp.url, session), "invalid_argument");
  expect(pair.mcp.log.requests).toEqual([]);
});

it("takes the place of a session only where it is told to", async () => {
  const pair = await startPair();
  const session = await signInElsewhere(pair);
  const { tokens } = startHost();
  const before = await tokens.signIn(pair.mcp.url);
  await failure(tokens.importSession(pair.mcp.url, session), "invalid_argument", pair.mcp.url);
  expect((await tokens.get(pair.mcp.url)).accessToken.reveal()).toBe(before.accessToken.reveal());
  await tokens.importSession(pair.mcp.url, session, { replace: true });
  expect((await tokens.get(pair.mcp.url)).accessToken.reveal()).toBe(session.accessToken);
});

it("goes to the account that is named, and leaves the others", async () => {
  const pair = await startPair();
  const { tokens } = startHost();
  await tokens.signIn(pair.mcp.url);
  await tokens.importSession(pair.mcp.url, await signInElsewhere(pair), { account: "work" });
  expect((await tokens.status()).map(({ account }) => account).sort()).toEqual(["default", "work"]);
});

it("with a bearer token is refused where tokens must be bound to a key", async () => {
  const pair = await startPair();
  const session = await signInElsewhere(pair);
  const { tokens } = startHost({ dpop: "require" });
  await failure(tokens.importSession(pair.mcp.url, session), "invalid_argument");
});
