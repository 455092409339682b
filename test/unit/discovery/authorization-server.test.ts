import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  authorizationServerProbes,
  discoverAuthorizationServer,
  requireAuthorizationServerShape,
  requireIssuer,
} from "../../../src/discovery/authorization-server.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { anyUrl } from "../../support/any-text.ts";
import { failureOf } from "../../support/failure.ts";
import { closingAfterEach, metadataAt, SERVER } from "../../support/stage.ts";
import { asked, discoveryTools, serveDocuments } from "./support.ts";

const closing = closingAfterEach();
const OAUTH = "/.well-known/oauth-authorization-server";
const OIDC = "/.well-known/openid-configuration";

function lookUp(issuer: string, tools: ReturnType<typeof discoveryTools> = discoveryTools()) {
  return discoverAuthorizationServer(tools.http, tools.cache, { issuer, server: SERVER });
}

describe("authorizationServerProbes", () => {
  it.each([
    ["https://as", [`https://as${OAUTH}`, `https://as${OIDC}`]],
    ["https://as/", [`https://as${OAUTH}`, `https://as${OIDC}`]],
    ["https://as:8443", [`https://as:8443${OAUTH}`, `https://as:8443${OIDC}`]],
  ])("without a path: %s [ASM-3] [ASM-4]", (issuer, probes) => {
    expect(authorizationServerProbes(new URL(issuer))).toEqual(probes);
  });

  it.each([
    ["https://as/t", [`https://as${OAUTH}/t`, `https://as${OIDC}/t`, `https://as/t${OIDC}`]],
    ["https://as/t/", [`https://as${OAUTH}/t`, `https://as${OIDC}/t`, `https://as/t${OIDC}`]],
    ["https://as/a/b", [`https://as${OAUTH}/a/b`, `https://as${OIDC}/a/b`, `https://as/a/b${OIDC}`]],
  ])("with a path: %s, and never at the root [ASM-2] [ASM-4]", (issuer, probes) => {
    expect(authorizationServerProbes(new URL(issuer))).toEqual(probes);
  });
});

describe("discoverAuthorizationServer", () => {
  it.each<[string, string, string[]]>([
    ["", OAUTH, [OAUTH]],
    ["", OIDC, [OAUTH, OIDC]],
    ["/t", `${OAUTH}/t`, [`${OAUTH}/t`]],
    ["/t", `${OIDC}/t`, [`${OAUTH}/t`, `${OIDC}/t`]],
    ["/t", `/t${OIDC}`, [`${OAUTH}/t`, `${OIDC}/t`, `/t${OIDC}`]],
  ])("finds the metadata of the issuer %j at %s [ASM-1] [ASM-2] [ASM-3]", async (path, place, log) => {
    const server = await closing(serveDocuments({ [place]: (origin) => metadataAt(`${origin}${path}`) }));
    expect(await lookUp(`${server.url}${path}`)).toEqual(metadataAt(`${server.url}${path}`));
    expect(asked(server)).toEqual(log);
  });

  it("gives nothing where nothing is, and asks for no endpoint [ASM-10]", async () => {
    const server = await closing(startScriptedServer({ "*": (_, { html }) => html("<h1>App</h1>") }));
    expect(await lookUp(`${server.url}/t`)).toBeUndefined();
    expect(asked(server)).toEqual([`${OAUTH}/t`, `${OIDC}/t`, `/t${OIDC}`]);
  });

  it.each<[string, string, (origin: string) => unknown]>([
    ["", "another host", () => "https://evil.example"],
    ["", "a slash more", (origin) => `${origin}/`],
    ["/", "a slash less", (origin) => origin],
    ["/t", "no path", (origin) => origin],
    ["/t", "another case", (origin) => `${origin}/T`],
    ["", "another case of the scheme", (origin) => origin.replace("http:", "HTTP:")],
    ["", "another spelling of the host", (origin) => origin.replace("127.0.0.1", "127.1")],
    ["/%74", "an escape less", (origin) => `${origin}/t`],
    ["", "no issuer", () => undefined],
    ["", "an issuer that is a list", (origin) => [origin]],
  ])(
    "refuses a document for the issuer %j that has %s, and does not look on [ASM-5] [ASM-6]",
    async (path, _difference, issuerOf) => {
      const place = path === "" || path === "/" ? OAUTH : `${OAUTH}${path}`;
      const server = await closing(
        serveDocuments({
          [place]: (origin) => ({ ...metadataAt(origin), issuer: issuerOf(origin) }),
          [OIDC]: (origin) => metadataAt(`${origin}${path}`),
        }),
      );
      const error = await failureOf(lookUp(`${server.url}${path}`));
      expect(error).toMatchObject({ code: "issuer_mismatch", server: SERVER, issuer: `${server.url}${path}` });
      expect(asked(server)).toEqual([place]);
    },
  );

  it("takes an issuer with a slash for what it is [ASM-6]", async () => {
    const server = await closing(
      serveDocuments({ [OAUTH]: (origin) => ({ ...metadataAt(origin), issuer: `${origin}/` }) }),
    );
    expect((await lookUp(`${server.url}/`))?.issuer).toBe(`${server.url}/`);
  });

  it("keeps what it found for as long as the server allows, by issuer [PRM-12]", async () => {
    const server = await closing(
      startScriptedServer({
        [OAUTH]: (_, { json, url }) => json(metadataAt(url), 200, { "cache-control": "max-age=60" }),
        [`${OAUTH}/t`]: (_, { json, url }) => json(metadataAt(`${url}/t`), 200, { "cache-control": "no-store" }),
      }),
    );
    const tools = discoveryTools();
    await lookUp(server.url, tools);
    tools.clock.advance(59_000);
    await lookUp(server.url, tools);
    expect(server.log.requests).toHaveLength(1);
    tools.clock.advance(1000);
    await lookUp(server.url, tools);
    expect(server.log.requests).toHaveLength(2);
    await lookUp(`${server.url}/t`, tools);
    await lookUp(`${server.url}/t`, tools);
    expect(server.log.requests).toHaveLength(4);
  });

  it("keeps nothing that it refused", async () => {
    let issuer = "https://evil.example";
    const server = await closing(
      startScriptedServer({ [OAUTH]: (_, { json, url }) => json({ ...metadataAt(url), issuer }) }),
    );
    const tools = discoveryTools();
    await failureOf(lookUp(server.url, tools));
    issuer = server.url;
    expect((await lookUp(server.url, tools))?.issuer).toBe(server.url);
  });
});

describe("requireIssuer", () => {
  it.each(["https://as", "https://as/", "https://as/tenant", "http://localhost:3000", "http://[::1]:3000/x"])(
    "takes %s [ASM-7]",
    (issuer) => {
      expect(requireIssuer(issuer, SERVER)).toBeInstanceOf(URL);
    },
  );

  it.each([
    ["https://as?x=1", "invalid_response"],
    ["https://as/?", "invalid_response"],
    ["https://as#x", "invalid_response"],
    ["https://as/#", "invalid_response"],
    ["https://a\u00ads", "invalid_response"],
    ["https://as/\u202e", "invalid_response"],
    ["https://as/a b", "invalid_response"],
    ["https://as/\n", "invalid_response"],
    ["as.example.com", "invalid_response"],
    ["", "invalid_response"],
    ["https://user@as", "invalid_response"],
    ["http://as.example.com", "insecure_url"],
    ["http://localhost.evil", "insecure_url"],
    ["javascript:alert(1)", "insecure_url"],
  ])("refuses %j: %s [ASM-7]", async (issuer, code) => {
    expect((await failureOf(() => requireIssuer(issuer, SERVER))).code).toBe(code);
  });
});

describe("requireAuthorizationServerShape", () => {
  const ENDPOINTS = [
    "authorization_endpoint",
    "token_endpoint",
    "registration_endpoint",
    "revocation_endpoint",
    "device_authorization_endpoint",
    "pushed_authorization_request_endpoint",
  ];
  const shapeOf = (changes: object) => () =>
    requireAuthorizationServerShape({ ...metadataAt("https://as"), ...changes }, "https://as/doc", SERVER);

  it.each(ENDPOINTS)("refuses a %s that is not https, wherever it leads [TLS-1]", async (member) => {
    expect((await failureOf(shapeOf({ [member]: "http://as.example.com/x" }))).code).toBe("insecure_url");
    expect((await failureOf(shapeOf({ [member]: "http://10.0.0.1/x" }))).code).toBe("insecure_url");
    expect((await failureOf(shapeOf({ [member]: "javascript:alert(1)" }))).code).toBe("insecure_url");
    expect(shapeOf({ [member]: "http://127.0.0.1:5/x" })()).toMatchObject({ [member]: "http://127.0.0.1:5/x" });
  });

  it.each<[string, unknown]>([
    ["token_endpoint", 5],
    ["token_endpoint", ["https://as/token"]],
    ["token_endpoint", "/token"],
    ["token_endpoint", "https://user:pw@as/token"],
    ["authorization_endpoint", {}],
    ["code_challenge_methods_supported", "S256"],
    ["scopes_supported", [1]],
    ["token_endpoint_auth_methods_supported", { 0: "none" }],
    ["grant_types_supported", true],
    ["protected_resources", "https://h"],
  ])("refuses %s that is %j", async (member, value) => {
    expect((await failureOf(shapeOf({ [member]: value }))).code).toBe("invalid_response");
  });

  it.each([
    ...ENDPOINTS,
    "scopes_supported",
    "code_challenge_methods_supported",
    "token_endpoint_auth_methods_supported",
  ])("takes %s that is null or empty for missing", (member) => {
    expect(shapeOf({ [member]: null })()).not.toHaveProperty(member);
    expect(shapeOf({ [member]: "" })()).not.toHaveProperty(member);
  });

  it("leaves the defaults for what is missing to those who use it, and keeps what it does not know [ASM-8]", () => {
    expect(shapeOf({ code_challenge_methods_supported: [], x_new: { a: [1] } })()).toEqual({
      ...metadataAt("https://as"),
      code_challenge_methods_supported: [],
      x_new: { a: [1] },
    });
  });

  it("throws nothing but McpOAuthError, whatever the document", async () => {
    const member = fc.oneof(fc.jsonValue({ maxDepth: 2 }), anyUrl, fc.array(fc.string()));
    const names = [
      ...ENDPOINTS,
      "issuer",
      "scopes_supported",
      "code_challenge_methods_supported",
      "protected_resources",
      "__proto__",
    ];
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.constantFrom(...names), member), async (document) => {
        try {
          requireAuthorizationServerShape(document as never, "https://as/doc", SERVER);
        } catch (error) {
          await failureOf(Promise.reject(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
