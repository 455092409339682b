import { checkClientMetadataUrl, clientMetadataDocument, lintClientMetadataDocument } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf } from "../../support/failure.ts";
import { closingAfterEach } from "../../support/stage.ts";

const URL_OF_DOCUMENT = "https://app.example.com/oauth/client.json";
const PUBLIC_KEY = { kty: "EC", crv: "P-256", x: "x", y: "y" };
const closing = closingAfterEach();

function documentWith(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({ ...clientMetadataDocument({ url: URL_OF_DOCUMENT, clientName: "App" }), ...changes });
}

describe("clientMetadataDocument", () => {
  it("has what every document needs, and says in both ways how the client authenticates [CIMD-2] [CIMD-3] [CIMD-6]", () => {
    expect(clientMetadataDocument({ url: URL_OF_DOCUMENT, clientName: "App" })).toEqual({
      client_id: URL_OF_DOCUMENT,
      client_name: "App",
      redirect_uris: ["http://127.0.0.1/callback", "http://localhost/callback", "http://[::1]/callback"],
      application_type: "native",
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
      token_endpoint_auth_methods_supported: ["none"],
    });
  });

  it.each([{ jwks: { keys: [PUBLIC_KEY] } }, { jwksUri: "https://app.example.com/keys.json" }])(
    "declares private_key_jwt for a client with keys: %j [CIMD-5]",
    (keys) => {
      expect(clientMetadataDocument({ url: URL_OF_DOCUMENT, clientName: "App", ...keys })).toMatchObject({
        token_endpoint_auth_method: "private_key_jwt",
        token_endpoint_auth_methods_supported: ["private_key_jwt"],
      });
    },
  );

  it("is a web client's for a redirect URI elsewhere [DCR-2]", () => {
    const redirectUris = ["https://app.example.com/callback"];
    const document = clientMetadataDocument({
      url: URL_OF_DOCUMENT,
      clientName: "App",
      redirectUris,
      deviceFlow: true,
    });
    expect(document).toMatchObject({ application_type: "web", redirect_uris: redirectUris });
    expect(document.grant_types).toContain("urn:ietf:params:oauth:grant-type:device_code");
  });

  it.each([
    { url: "http://app.example.com/c", clientName: "App" },
    { url: "https://app.example.com/", clientName: "App" },
    { url: URL_OF_DOCUMENT, clientName: " " },
  ])("refuses %j [CIMD-1] [CIMD-2]", async (options) => {
    expect((await failureOf(() => clientMetadataDocument(options))).code).toBe("invalid_configuration");
  });
});

describe("lintClientMetadataDocument", () => {
  it("has nothing to say about what the generator makes [CIMD-2]", () => {
    expect(lintClientMetadataDocument(documentWith(), URL_OF_DOCUMENT)).toEqual([]);
    const withKeys = { url: URL_OF_DOCUMENT, clientName: "App", jwks: { keys: [PUBLIC_KEY] }, deviceFlow: true };
    expect(lintClientMetadataDocument(JSON.stringify(clientMetadataDocument(withKeys)), URL_OF_DOCUMENT)).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, "error" | "warning", string]>([
    ["another client_id [CIMD-2]", { client_id: "https://app.example.com/other" }, "error", "client_id"],
    ["a client_id in capitals [CIMD-2]", { client_id: URL_OF_DOCUMENT.replace("app", "APP") }, "error", "client_id"],
    ["no client_id [CIMD-2]", { client_id: undefined }, "error", "client_id"],
    ["no client_name [CIMD-2]", { client_name: undefined }, "error", "client_name"],
    ["no redirect_uris [CIMD-2]", { redirect_uris: undefined }, "error", "redirect_uris"],
    ["empty redirect_uris [CIMD-2]", { redirect_uris: [] }, "error", "redirect_uris"],
    ["a redirect URI over plain http", { redirect_uris: ["http://app.example.com/cb"] }, "error", "redirect_uris"],
    ["a redirect URI of another scheme", { redirect_uris: ["app:/cb"] }, "error", "redirect_uris"],
    ["a redirect URI with a fragment", { redirect_uris: ["https://app.example.com/cb#x"] }, "error", "redirect_uris"],
    ["a redirect URI with a fixed port", { redirect_uris: ["http://127.0.0.1:8080/cb"] }, "warning", "redirect_uris"],
    ["a secret [CIMD-3]", { client_secret: "s" }, "error", "client_secret"],
    ["a secret's end [CIMD-3]", { client_secret_expires_at: 0 }, "error", "client_secret_expires_at"],
    ["Basic [CIMD-3]", { token_endpoint_auth_method: "client_secret_basic" }, "error", "token_endpoint_auth_method"],
    [
      "post in the list [CIMD-3]",
      { token_endpoint_auth_methods_supported: ["none", "client_secret_post"] },
      "error",
      "token_endpoint_auth_method",
    ],
    [
      "client_secret_jwt [CIMD-3]",
      { token_endpoint_auth_method: "client_secret_jwt" },
      "error",
      "token_endpoint_auth_method",
    ],
    ["no method", { token_endpoint_auth_method: undefined }, "warning", "token_endpoint_auth_method"],
    [
      "no list of methods",
      { token_endpoint_auth_methods_supported: undefined },
      "warning",
      "token_endpoint_auth_methods_supported",
    ],
    [
      "a list without the method",
      { token_endpoint_auth_methods_supported: ["private_key_jwt"] },
      "error",
      "token_endpoint_auth_methods_supported",
    ],
    [
      "private_key_jwt without keys [CIMD-5]",
      { token_endpoint_auth_method: "private_key_jwt", token_endpoint_auth_methods_supported: ["private_key_jwt"] },
      "error",
      "jwks",
    ],
    ["a private key [CIMD-3]", { jwks: { keys: [{ ...PUBLIC_KEY, d: "d" }] } }, "error", "jwks"],
    ["a shared key [CIMD-3]", { jwks: { keys: [{ kty: "oct", k: "k" }] } }, "error", "jwks"],
    ["no refresh_token [CIMD-6]", { grant_types: ["authorization_code"] }, "warning", "grant_types"],
    ["no grants", { grant_types: undefined }, "warning", "grant_types"],
    ["no application_type", { application_type: undefined }, "warning", "application_type"],
    ["more than 5 KB [CIMD-4]", { padding: "x".repeat(5200) }, "warning", "document"],
  ])("finds %s", (_name, changes, level, member) => {
    const findings = lintClientMetadataDocument(documentWith(changes), URL_OF_DOCUMENT);
    expect(findings).toContainEqual({ level, member, message: expect.any(String) });
  });

  it.each<Record<string, unknown>>([
    { redirect_uris: ["http://evil.example/\u202e\u001b[2J"] },
    { token_endpoint_auth_method: `\u2066${"x".repeat(9000)}` },
  ])("repeats of a document only what is safe to print, and not much: %#", (changes) => {
    for (const { message } of lintClientMetadataDocument(documentWith(changes), URL_OF_DOCUMENT)) {
      expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(message.length).toBeLessThan(500);
    }
  });

  it.each(["", "[]", "<h1>Not here</h1>", '"text"'])("takes %j for no document [CIMD-2]", (content) => {
    expect(lintClientMetadataDocument(content, URL_OF_DOCUMENT)).toMatchObject([
      { level: "error", member: "document" },
    ]);
  });

  it.each<[string, "error" | "warning"]>([
    ["http://app.example.com/c", "error"],
    ["https://app.example.com/a/../c", "error"],
    ["https://app.example.com/c#x", "error"],
    ["https://user@app.example.com/c", "error"],
    ["https://app.example.com/c?v=1", "warning"],
  ])("has something to say about the URL %s [CIMD-1]", (url, level) => {
    const findings = lintClientMetadataDocument(documentWith({ client_id: url }), url);
    expect(findings).toMatchObject([{ level, member: "client_id" }]);
  });
});

describe("checkClientMetadataUrl", () => {
  const body = documentWith();
  it.each<[string, ScriptedRoute, (string | RegExp)[]]>([
    ["a good one", (_request, { text }) => text(body, 200, { "content-type": "application/json" }), []],
    ["a good one of a finer type", (_r, { text }) => text(body, 200, { "content-type": "application/cimd+json" }), []],
    ["a page", (_request, { html }) => html("<h1>Welcome"), [/served as text\/html/, /not a JSON object/]],
    ["JSON as text", (_request, { text }) => text(body), [/served as text\/plain/]],
    ["nothing", (_request, { json }) => json({}, 404), [/status 404/]],
    ["something new", (_request, { text }) => text(body, 201, { "content-type": "application/json" }), [/status 201/]],
    ["a redirect", (_request, { redirect }) => redirect("/elsewhere.json"), [/redirect/]],
    ["an endless document", (_request, { endless }) => endless(), [/bytes/]],
    ["a cut connection", () => "reset", [/could not be reached/]],
  ])("fetches the document as servers do and tells of %s [CIMD-1] [CIMD-4]", async (_name, route, problems) => {
    const server = await closing(startScriptedServer({ "GET /oauth/client.json": route }));
    // The document's own host, played by the server here.
    const findings = await checkClientMetadataUrl(URL_OF_DOCUMENT, {
      fetch: (input, init) => fetch(String(input).replace("https://app.example.com", server.url), init),
    });
    expect(findings.map(({ level }) => level)).toEqual(problems.map(() => "error"));
    for (const [index, problem] of problems.entries()) expect(findings[index]?.message).toMatch(problem);
    expect(server.log.requests).toHaveLength(1);
  });
});
