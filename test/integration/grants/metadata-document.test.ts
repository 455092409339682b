// Clients that are described by a document at their own URL, at a server that really reads it.
import { exportJWK, generateKeyPair, jwtVerify } from "jose";
import { clientMetadataDocument, memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";

const URL_OF_DOCUMENT = "https://app.example.com/oauth/client.json";
const formOf = (body = ""): Record<string, string> => Object.fromEntries(new URLSearchParams(body));

it("a document of the generator's is taken as it is, and nothing is registered [CIMD-2] [CIMD-6] [REG-4]", async () => {
  const { as, mcp } = await startPair({ clientIdMetadataDocuments: true });
  as.clientMetadataDocuments.set(
    URL_OF_DOCUMENT,
    clientMetadataDocument({ url: URL_OF_DOCUMENT, clientName: "Test Host" }),
  );
  const host = startHost({ clientMetadataUrl: URL_OF_DOCUMENT });
  await host.tokens.get(mcp.url);
  expect(host.opened[0]?.searchParams.get("client_id")).toBe(URL_OF_DOCUMENT);
  expect(as.log.count("POST", "/reg")).toBe(0);
  // The document asks for refresh tokens, and so the server gives one.
  expect(host.told("token_issued")).toMatchObject([{ refreshable: true }]);
});

it("one with a key authenticates every request that is not the browser's: code, refresh, revocation and push, after a restart too [CIMD-5] [CC-5] [CC-6]", async () => {
  const { as, mcp } = await startPair({
    clientIdMetadataDocuments: true,
    features: { pushedAuthorizationRequests: true },
  });
  const { publicKey, privateKey } = await generateKeyPair("ES256", { extractable: true });
  const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: "k", alg: "ES256", use: "sig" }] };
  const document = clientMetadataDocument({ url: URL_OF_DOCUMENT, clientName: "Test Host", jwks });
  // What oidc-provider wants beside, for a client that signs with ES256.
  as.clientMetadataDocuments.set(URL_OF_DOCUMENT, { ...document, token_endpoint_auth_signing_alg: "ES256" });
  const [store, clock] = [memoryStore(), new ManualClock()];
  const key = { key: { ...(await exportJWK(privateKey)), alg: "ES256" }, keyId: "k" };
  const options = { clientMetadataUrl: URL_OF_DOCUMENT, clientMetadataKey: key, store, clock };
  await startHost(options).tokens.get(mcp.url);
  clock.advance(3_600_000);
  const later = startHost(options);
  await later.tokens.get(mcp.url);
  expect(later.opened).toEqual([]);
  expect(await later.tokens.signOut(mcp.url)).toMatchObject([{ revocation: "revoked" }]);
  const backChannel = ["/request", "/token", "/token/revocation"].flatMap((path) => as.log.find("POST", path));
  expect(backChannel.length).toBeGreaterThanOrEqual(4);
  const ids = new Set<unknown>();
  for (const { body, headers } of backChannel) {
    const form = formOf(body);
    expect(headers.authorization).toBeUndefined();
    const { payload, protectedHeader } = await jwtVerify(form.client_assertion ?? "", publicKey);
    expect(payload).toMatchObject({ iss: URL_OF_DOCUMENT, sub: URL_OF_DOCUMENT, aud: as.issuer });
    expect(protectedHeader).toMatchObject({ typ: "client-authentication+jwt", kid: "k", alg: "ES256" });
    ids.add(payload.jti);
  }
  expect(ids.size).toBe(backChannel.length);
  expect(as.log.count("POST", "/reg")).toBe(0);
});

it.each([
  ["cannot be fetched", {}, undefined],
  ["cannot be fetched, and requests are pushed", { pushedAuthorizationRequests: true }, undefined],
  ["names another port than ours", {}, "http://localhost:1/callback"],
  ["names another port, and requests are pushed", { pushedAuthorizationRequests: true }, "http://localhost:1/callback"],
])(
  "where the document %s, a client is registered before the person sees an error [REG-4]",
  async (_case, features, redirect) => {
    const { as, mcp } = await startPair({ clientIdMetadataDocuments: true, features });
    if (redirect !== undefined) {
      const document = clientMetadataDocument({ url: URL_OF_DOCUMENT, clientName: "Test Host" });
      as.clientMetadataDocuments.set(URL_OF_DOCUMENT, { ...document, redirect_uris: [redirect] });
    }
    const host = startHost({ clientMetadataUrl: URL_OF_DOCUMENT });
    await host.tokens.get(mcp.url);
    expect(as.log.count("POST", "/reg")).toBe(1);
    expect(host.opened).toHaveLength(1);
    expect(host.opened[0]?.searchParams.get("client_id")).not.toBe(URL_OF_DOCUMENT);
    expect(host.told("client_forgotten")).toMatchObject([{ clientId: URL_OF_DOCUMENT }]);
    // It is not shown to that server again, and the registered client serves the next sign-in as well.
    await host.tokens.signIn(mcp.url);
    expect(as.log.count("POST", "/reg")).toBe(1);
    expect(host.told("client_obtained").map(({ how }) => how)).toEqual(["metadata-document", "dynamic", "dynamic"]);
  },
);

it("a document that is refused where nothing can be registered is an error, and no second request is sent", async () => {
  const { as, mcp } = await startPair({ clientIdMetadataDocuments: true, registration: false });
  const host = startHost({ clientMetadataUrl: URL_OF_DOCUMENT, signInTimeoutMs: 3000 });
  await expect(host.tokens.signIn(mcp.url)).rejects.toThrow();
  expect(host.opened).toHaveLength(1);
  expect(as.log.count("POST", "/reg")).toBe(0);
});

it("a document is not given up for what the token endpoint says: the person is asked once", async () => {
  const server = await startScripted({
    metadata: { client_id_metadata_document_supported: true },
    token: (_request, _usual, { json }) => json({ error: "invalid_request" }, 400),
  });
  const host = startHost({ clientMetadataUrl: URL_OF_DOCUMENT });
  await failure(host.tokens.signIn(server.mcpUrl), "token_request_failed");
  expect(host.opened).toHaveLength(1);
  expect(server.log.count("POST", "/register")).toBe(0);
});
