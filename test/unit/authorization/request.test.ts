import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type AuthorizationRequestOptions, createAuthorizationRequest } from "../../../src/authorization/request.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { clientAt, metadataAt, SERVER } from "../../support/stage.ts";

const ISSUER = "https://as.example.com";
const REDIRECT = "http://127.0.0.1:4321/callback";

function request(metadata: Record<string, unknown> = {}, options: Partial<AuthorizationRequestOptions> = {}) {
  const built = createAuthorizationRequest({
    server: SERVER,
    authorizationServer: metadataAt(ISSUER, metadata),
    client: clientAt(ISSUER),
    redirectUri: REDIRECT,
    resource: SERVER,
    ...options,
  });
  return { ...built, sent: new URL(built.url) };
}

describe("createAuthorizationRequest", () => {
  it("asks for a code, with S256, state and resource, at the authorization endpoint [PKCE-1] [PKCE-2] [AZR-1] [AZR-3] [RES-1]", () => {
    const { sent, state, codeVerifier } = request({}, { scope: "a b" });
    expect(sent.origin + sent.pathname).toBe(`${ISSUER}/authorize`);
    expect(Object.fromEntries(sent.searchParams)).toEqual({
      response_type: "code",
      client_id: "client",
      redirect_uri: REDIRECT,
      scope: "a b",
      state,
      code_challenge: createHash("sha256").update(codeVerifier.reveal()).digest("base64url"),
      code_challenge_method: "S256",
      resource: SERVER,
    });
  });

  it("keeps all that the response is checked against, and what the code is redeemed with, in one record [STATE-3] [ISS-1]", () => {
    const client = clientAt(ISSUER);
    const authorizationServer = metadataAt(ISSUER);
    const { url, state, codeVerifier, ...record } = createAuthorizationRequest({
      server: SERVER,
      authorizationServer,
      client,
      redirectUri: REDIRECT,
      resource: "https://mcp.example.com",
      scope: "a",
    });
    expect(record).toMatchObject({
      redirectUri: REDIRECT,
      resource: "https://mcp.example.com",
      client,
      authorizationServer,
      server: SERVER,
      scope: "a",
    });
    expect(record.authorizationServer.issuer).toBe(ISSUER);
    expect(shown({ ...record, codeVerifier })).not.toContain(codeVerifier.reveal());
    expect(url).not.toContain(codeVerifier.reveal());
  });

  it("protects the code with S256 also where a server publishes no metadata [LEG-4] [PKCE-2]", () => {
    const { sent } = request({ code_challenge_methods_supported: undefined, registration_endpoint: undefined });
    expect(sent.searchParams.get("code_challenge_method")).toBe("S256");
    expect(sent.searchParams.get("code_challenge")).toHaveLength(43);
  });

  it("makes a new, unguessable state and verifier for each request [STATE-1] [PKCE-5]", () => {
    const requests = Array.from({ length: 100 }, () => request());
    expect(new Set(requests.flatMap(({ state, codeVerifier }) => [state, codeVerifier.reveal()])).size).toBe(200);
    for (const { state } of requests) expect(Buffer.from(state, "base64url")).toHaveLength(32);
  });

  it.each([
    "https://mcp.example.com",
    "https://mcp.example.com/",
    "https://mcp.example.com/mcp?tenant=a%2Fb",
    "api://client-id",
    "https://mcp.example.com/caf\u00e9",
  ])("sends the resource byte for byte: %s [RES-3] [RES-4]", (resource) => {
    const { sent, resource: kept } = request({}, { resource });
    expect([sent.searchParams.get("resource"), kept]).toEqual([resource, resource]);
  });

  it.each<[string | undefined, string | null]>([
    [undefined, null],
    ["", null],
    ["a", "a"],
  ])("with the scope %j sends %j, never an empty parameter [SCO-4] [AZR-2]", (scope, expected) => {
    const { sent } = request({}, scope === undefined ? {} : { scope });
    expect(sent.searchParams.get("scope")).toBe(expected);
  });

  it.each<[string, Record<string, string[]>]>([
    ["?tenant=t%201&x=%26", { tenant: ["t 1"], x: ["&"] }],
    ["?a=1&a=2", { a: ["1", "2"] }],
    [
      "?client_id=evil&state=fixed&scope=all&response_type=token",
      { client_id: ["client"], scope: ["s"], response_type: ["code"] },
    ],
    ["?resource=https%3A%2F%2Fevil.example&resource=2", { resource: [SERVER] }],
    ["?", {}],
  ])("keeps the endpoint's own query %s, and sends none of our parameters twice [AZR-2]", (query, expected) => {
    const { sent, state } = request({ authorization_endpoint: `${ISSUER}/authorize${query}` }, { scope: "s" });
    for (const [name, values] of Object.entries({ ...expected, state: [state] }))
      expect(sent.searchParams.getAll(name)).toEqual(values);
  });

  it.each<[string, Record<string, unknown>, string, string | null]>([
    ["an OpenID provider", { id_token_signing_alg_values_supported: ["RS256"] }, "a offline_access", "consent"],
    [
      "an OpenID provider that knows the prompt",
      { id_token_signing_alg_values_supported: ["RS256"], prompt_values_supported: ["none", "consent"] },
      "offline_access",
      "consent",
    ],
    [
      "an OpenID provider that does not",
      { id_token_signing_alg_values_supported: ["RS256"], prompt_values_supported: ["none"] },
      "offline_access",
      null,
    ],
    ["an OpenID provider, without offline_access", { id_token_signing_alg_values_supported: ["RS256"] }, "a", null],
    ["another server", {}, "offline_access", null],
  ])("asks for consent where offline access needs it: %s [OFF-3]", (_case, metadata, scope, prompt) => {
    expect(request(metadata, { scope }).sent.searchParams.get("prompt")).toBe(prompt);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ authorization_endpoint: undefined }, "invalid_response"],
    [{ authorization_endpoint: "http://as.example.com/authorize" }, "insecure_url"],
    [{ authorization_endpoint: "javascript:alert(1)" }, "insecure_url"],
    [{ authorization_endpoint: "/authorize" }, "invalid_response"],
  ])("starts nothing with %j: %s [TLS-1]", async (metadata, code) => {
    expect(await failureOf(() => request(metadata))).toMatchObject({ code, server: SERVER, issuer: ISSUER });
  });
});
