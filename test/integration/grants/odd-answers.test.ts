// Everything that servers in the field were seen to do, in one table: it works, or the error says why not.
// Each line says where the same is looked at more closely.
import { memoryStore, type TokenManagerOptions } from "mcp-oauth-client";
import { expect, it } from "vitest";
import type { ScriptedAuthorizationServerOptions } from "../../servers/scripted-authorization-server.ts";
import { type ScriptedRequest, withJson, withLocationQuery } from "../../servers/scripted-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";

type Scripted = Awaited<ReturnType<typeof startScripted>>;

interface OddAnswer {
  readonly what: string;
  readonly server: ScriptedAuthorizationServerOptions;
  /** More that the server needs to know of itself. */
  readonly prepare?: (server: Scripted) => void;
  readonly options?: (server: Scripted) => Partial<TokenManagerOptions>;
  /** Runs a sign-in, then a refresh; with this, it ends in an error that has these words. */
  readonly refused?: { readonly code: Parameters<typeof failure>[1]; readonly says: RegExp };
}

const credentialsOf = ({ headers }: ScriptedRequest): string =>
  Buffer.from(headers.authorization?.slice(6) ?? "", "base64").toString();

/** A server that knows clients by post only, and by Basic without decoding. */
const onlyUndecoded: ScriptedAuthorizationServerOptions = {
  metadata: { token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"] },
  token: (request, usual, { json }) => {
    const byPost = request.form.get("client_secret") === "s+e/c:r.et";
    return byPost || credentialsOf(request) === "a/b.c:d+e:s+e/c:r.et"
      ? usual()
      : json({ error: "invalid_client" }, 401);
  },
};
const odd = ({ issuer }: Scripted) => ({ issuer, clientId: "a/b.c:d+e", clientSecret: "s+e/c:r.et" });

const table: OddAnswer[] = [
  // Registration; more in flow/registration.test.ts and unit/registration/dynamic.test.ts.
  {
    what: "a registration answered by 200",
    server: {
      register: async (_r, usual) => new Response(await ((await usual()) as Response).text(), { status: 200 }),
    },
  },
  {
    what: "a secret for a public client, without the method",
    server: {
      metadata: { token_endpoint_auth_methods_supported: ["none", "client_secret_post"] },
      register: async (_r, usual) =>
        withJson(await usual(), { client_secret: "forced", token_endpoint_auth_method: undefined }),
      token: ({ form }, usual, { json }) =>
        form.get("client_secret") === "forced" ? usual() : json({ error: "invalid_client" }, 401),
    },
  },
  {
    what: "a public client that the token endpoint refuses",
    server: { token: (_r, _u, { json }) => json({ error: "invalid_client", error_description: "secret needed" }, 401) },
    refused: { code: "token_request_failed", says: /invalid_client.*secret needed/ },
  },
  {
    what: "a registration refused for one grant type",
    server: {
      register: (request, usual, { json }) =>
        JSON.stringify(request.json()).includes("refresh_token")
          ? json({ error: "invalid_client_metadata", error_description: "unknown grant type" }, 400)
          : usual(),
    },
  },
  {
    what: "numbers as texts",
    server: {
      register: async (_r, usual) =>
        withJson(await usual(), { client_id_issued_at: "1700000000", client_secret_expires_at: "0" }),
      tokenResponse: { expires_in: "3600" },
    },
  },
  // Metadata; more in flow/metadata.test.ts and unit/discovery/.
  {
    what: "pages with status 200 at unknown well-known addresses",
    server: { routes: { "GET /.well-known/oauth-protected-resource/mcp": (_r, { html }) => html("<h1>App") } },
    prepare: ({ options }) => {
      options.challenge = "Bearer";
      options.routes = {
        ...options.routes,
        "GET /.well-known/oauth-protected-resource": (_r, { json, url }) =>
          json({ resource: url, authorization_servers: [url] }),
      };
    },
  },
  {
    what: "a redirect to a trailing slash at a well-known address",
    server: {
      routes: {
        "GET /.well-known/oauth-authorization-server": (_r, { redirect }) =>
          redirect("/.well-known/oauth-authorization-server/", 301),
      },
    },
    prepare: (server) => {
      const { routes = {} } = server.options;
      routes["GET /.well-known/oauth-authorization-server/"] = (_r, { json, url }) => json(metadataAt(url));
    },
  },
  {
    what: "no metadata but OpenID Connect's, behind the path",
    server: {
      protectedResource: (usual) => ({
        ...usual,
        authorization_servers: [`${String((usual.authorization_servers as string[])[0])}/tenant`],
      }),
      authorize: async (_r, usual, { url }) => withLocationQuery(await usual(), { iss: `${url}/tenant` }),
      routes: {
        "GET /.well-known/oauth-authorization-server": (_r, { text }) => text("", 404),
        "GET /tenant/.well-known/openid-configuration": (_r, { json, url }) =>
          json({ ...metadataAt(url), issuer: `${url}/tenant` }),
      },
    },
  },
  {
    what: "nothing about grants, nor a revocation endpoint, in the metadata",
    server: { metadata: { grant_types_supported: undefined, revocation_endpoint: undefined } },
  },
  {
    what: "nothing about PKCE in the metadata",
    server: { metadata: { code_challenge_methods_supported: undefined } },
    refused: { code: "pkce_unsupported", says: /issuerProfiles: \[\{ issuer: ".*", assumePkce: true \}\]/ },
  },
  // Token answers; more in flow/token-endpoint.test.ts and unit/endpoint/token-request.test.ts.
  {
    what: "an error with an empty body",
    server: { token: (_r, _u, { text }) => text("", 400) },
    refused: { code: "token_request_failed", says: /status 400/ },
  },
  {
    what: "an error of the server's own",
    server: { token: (_r, _u, { json }) => json({ error: "ORA-12345" }, 400) },
    refused: { code: "token_request_failed", says: /ORA-12345/ },
  },
  {
    what: "401 for 400",
    server: { token: (_r, _u, { json }) => json({ error: "invalid_grant" }, 401) },
    refused: { code: "token_request_failed", says: /401.*invalid_grant/ },
  },
  {
    what: "403 for 400",
    server: { token: (_r, _u, { json }) => json({ error: "invalid_grant" }, 403) },
    refused: { code: "token_request_failed", says: /403.*invalid_grant/ },
  },
  {
    what: "an error with status 200",
    server: { token: (_r, _u, { json }) => json({ error: "invalid_grant" }) },
    refused: { code: "token_request_failed", says: /200.*invalid_grant/ },
  },
  { what: "a token type in small letters", server: { tokenResponse: { token_type: "bearer" } } },
  {
    what: "a refresh without a new refresh token",
    server: {
      token: async ({ form }, usual) =>
        form.get("grant_type") === "refresh_token" ? withJson(await usual(), { refresh_token: undefined }) : usual(),
    },
    prepare: ({ refreshTokens }) => {
      // A server that does not rotate lets the token be used again.
      refreshTokens.delete = () => true;
    },
  },
  // Client ids and secrets; more in unit/endpoint/client-authentication.test.ts.
  {
    what: "a client id and a secret with all kinds of characters, rightly decoded",
    server: {
      metadata: { token_endpoint_auth_methods_supported: ["client_secret_basic"] },
      token: (request, usual, { json }) => {
        const [id, secret] = credentialsOf(request)
          .split(":")
          .map((part) => decodeURIComponent(part));
        return id === "a/b.c:d+e" && secret === "s+e/c:r.et" ? usual() : json({ error: "invalid_client" }, 401);
      },
    },
    options: (server) => ({ clients: [odd(server)] }),
  },
  {
    what: "a server that does not decode what comes by Basic, and so knows no such client",
    server: onlyUndecoded,
    options: (server) => ({ clients: [odd(server)] }),
    refused: { code: "token_request_failed", says: /invalid_client.*try authenticationMethod "client_secret_post"/ },
  },
  {
    what: "the same server, told what the error says",
    server: onlyUndecoded,
    options: (server) => ({ clients: [{ ...odd(server), authenticationMethod: "client_secret_post" }] }),
  },
  // The authorization response; more in flow/authorization-response.test.ts.
  {
    what: "an iss that is not advertised, and other parameters that nobody asked for",
    server: {
      metadata: { authorization_response_iss_parameter_supported: undefined },
      authorize: async (_r, usual) => withLocationQuery(await usual(), { session_state: "s.1", authuser: "0" }),
    },
  },
  // DPoP; more in dpop.test.ts.
  {
    what: "a DPoP proof silently ignored, where it need not be looked at",
    server: {
      metadata: { dpop_signing_alg_values_supported: ["ES256"] },
      protectedResource: { dpop_signing_alg_values_supported: ["ES256"] },
    },
  },
  {
    what: "a DPoP proof silently ignored, where tokens must be bound",
    server: { metadata: { dpop_signing_alg_values_supported: ["ES256"] } },
    options: () => ({ dpop: "require" }),
    refused: { code: "dpop_unsupported", says: /ignored the DPoP proof/ },
  },
];

function metadataAt(url: string): Record<string, unknown> {
  return {
    issuer: url,
    authorization_endpoint: `${url}/authorize`,
    token_endpoint: `${url}/token`,
    registration_endpoint: `${url}/register`,
    code_challenge_methods_supported: ["S256"],
  };
}

for (const { what, server: script, prepare, options, refused } of table) {
  it(`${refused === undefined ? "copes with" : "says why it refuses"} ${what}`, async () => {
    const server = await startScripted(script);
    prepare?.(server);
    const clock = new ManualClock();
    const { tokens } = startHost({ clock, ...options?.(server) });
    if (refused !== undefined) {
      const error = await failure(tokens.get(server.mcpUrl), refused.code, server.mcpUrl);
      expect(error.message).toMatch(refused.says);
      return;
    }
    await tokens.get(server.mcpUrl);
    for (let refresh = 0; refresh < 2; refresh++) {
      clock.jump(3_600_000);
      // Refreshed, or where there is no refresh token signed in again: there is a token that works.
      const { accessToken } = await tokens.get(server.mcpUrl);
      expect(server.accessTokens.has(accessToken.reveal())).toBe(true);
    }
  });
}

it("copes with an old token that works until the new one is used", async () => {
  const server = await startScripted();
  const clock = new ManualClock();
  const { tokens } = startHost({ clock });
  const old = (await tokens.get(server.mcpUrl)).accessToken;
  clock.jump(0.9 * 3_600_000);
  await tokens.get(server.mcpUrl);
  await expect
    .poll(async () => (await tokens.get(server.mcpUrl)).accessToken.reveal(), { interval: 2 })
    .not.toBe(old.reveal());
  const fresh = (await tokens.get(server.mcpUrl)).accessToken.reveal();
  server.accessTokens.delete(old.reveal());
  const sent = await tokens.fetch(server.mcpUrl)(server.mcpUrl, {
    method: "POST",
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  });
  expect(sent.status).toBe(200);
  expect(server.log.find("POST", "/mcp").at(-1)?.headers.authorization).toBe(`Bearer ${fresh}`);
});

it("copes with revocation at the token's own address", async () => {
  const server = await startScripted({
    metadata: (usual) => ({ ...usual, revocation_endpoint: usual.token_endpoint }),
    token: ({ form }, usual, { text }) => (form.has("token") ? text("") : usual()),
  });
  const { tokens } = startHost();
  await tokens.get(server.mcpUrl);
  expect(await tokens.signOut(server.mcpUrl)).toMatchObject([{ revocation: "revoked" }]);
});

it("says that a public client may not revoke, and removes the local copy all the same [REV-6]", async () => {
  const server = await startScripted({ revoke: (_r, _u, { json }) => json({ error: "invalid_client" }, 401) });
  const { tokens } = startHost();
  await tokens.get(server.mcpUrl);
  const [result] = await tokens.signOut(server.mcpUrl);
  expect(result).toMatchObject({ revocation: "refused", error: { oauthError: "invalid_client", status: 401 } });
  expect(await tokens.status()).toEqual([]);
});

it("copes with a server that compares the port of the redirect URI too: it sends the one that it registered [NAT-3]", async () => {
  const registered = new Set<unknown>();
  const server = await startScripted({
    register: (request, usual) => {
      for (const uri of (request.json() as { redirect_uris: string[] }).redirect_uris) registered.add(uri);
      return usual();
    },
    authorize: (request, usual, { text }) =>
      registered.has(request.url.searchParams.get("redirect_uri")) ? usual() : text("redirect_uri mismatch", 400),
  });
  const store = memoryStore();
  for (let run = 0; run < 2; run++) await startHost({ store }).tokens.signIn(server.mcpUrl);
  expect(server.log.count("POST", "/register")).toBe(1);
});
