// How issuers deviate, as data: each member against a server that behaves like that, and what holds without it.
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { decodeJwt, exportJWK, generateKeyPair } from "jose";
import { type IssuerProfile, knownIssuerProfiles, memoryStore } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { IssuerProfiles } from "../../../src/endpoint/issuer-profile.ts";
import type { ScriptedAuthorizationServerOptions } from "../../servers/scripted-authorization-server.ts";
import { withLocationQuery } from "../../servers/scripted-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, type Host, type HostOptions, startHost, startScripted } from "../flow/support/harness.ts";

type Scripted = Awaited<ReturnType<typeof startScripted>>;
type Members = Omit<IssuerProfile, "issuer">;

/** A server and a host that knows how it deviates. */
async function startDeviating(
  options: ScriptedAuthorizationServerOptions,
  members: Members | ((server: Scripted) => Members),
  hostOptions: HostOptions = {},
): Promise<{ server: Scripted; host: Host }> {
  const server = await startScripted(options);
  const profile = { issuer: server.issuer, ...(typeof members === "function" ? members(server) : members) };
  return { server, host: startHost({ issuerProfiles: [profile], ...hostOptions }) };
}

const rulesTold = (host: Host): string[] => [...new Set(host.told("deviation").map(({ rule }) => rule))];
const lastForm = (server: Scripted): URLSearchParams =>
  new URLSearchParams(server.log.find("POST", "/token").at(-1)?.body);

describe("a profile's member", () => {
  it("assumePkce lets a sign-in start where nothing is said about PKCE, and PKCE is used all the same", async () => {
    const silent = { metadata: { code_challenge_methods_supported: undefined } };
    const { server, host } = await startDeviating(silent, { assumePkce: true });
    await host.tokens.signIn(server.mcpUrl);
    expect(host.opened[0]?.searchParams.get("code_challenge_method")).toBe("S256");
    expect(host.told("deviation")).toMatchObject([
      {
        rule: "assumePkce",
        issuer: server.issuer,
        server: server.mcpUrl.href,
        detail: expect.stringContaining("option"),
      },
    ]);
    const refused = startHost();
    const error = await failure(refused.tokens.signIn(server.mcpUrl), "pkce_unsupported");
    expect(error.message).toContain(`issuerProfiles: [{ issuer: "${server.issuer}", assumePkce: true }]`);
    expect(refused.opened).toEqual([]);
  });

  it("assumePkce does not help a server that says it has other methods", async () => {
    const plain = { metadata: { code_challenge_methods_supported: ["plain"] } };
    const { server, host } = await startDeviating(plain, { assumePkce: true });
    await failure(host.tokens.signIn(server.mcpUrl), "pkce_unsupported");
    expect(rulesTold(host)).toEqual([]);
  });

  it("ignoreTrailingSlash accepts one slash more in the metadata, and in the response that carries it too [ASM-6] [ISS-6]", async () => {
    const slashed: ScriptedAuthorizationServerOptions = {
      metadata: (usual) => ({ ...usual, issuer: `${String(usual.issuer)}/` }),
      authorize: async (_request, usual, { url }) => withLocationQuery(await usual(), { iss: `${url}/` }),
    };
    const { server, host } = await startDeviating(slashed, { ignoreTrailingSlash: true });
    expect((await host.tokens.signIn(server.mcpUrl)).issuer).toBe(server.issuer);
    expect(rulesTold(host)).toEqual(["ignoreTrailingSlash"]);
    const error = await failure(startHost().tokens.signIn(server.mcpUrl), "issuer_mismatch");
    expect(error.message).toContain(`"${server.issuer}/"`);
    expect(error.message).toContain(`"${server.issuer}"`);
    expect(error.message).toContain(
      `issuerProfiles: [{ issuer: "${server.issuer}", acceptMetadataIssuers: ["${server.issuer}/"] }]`,
    );
  });

  it("ignoreTrailingSlash accepts nothing else, neither in the metadata nor in the response [ASM-5] [ISS-6]", async () => {
    const foreign = { metadata: { issuer: "https://evil.example" } };
    const first = await startDeviating(foreign, { ignoreTrailingSlash: true });
    await failure(first.host.tokens.signIn(first.server.mcpUrl), "issuer_mismatch");
    const mixed: ScriptedAuthorizationServerOptions = {
      metadata: (usual) => ({ ...usual, issuer: `${String(usual.issuer)}/` }),
      authorize: async (_request, usual, { url }) => withLocationQuery(await usual(), { iss: `${url}//` }),
    };
    const second = await startDeviating(mixed, { ignoreTrailingSlash: true });
    await failure(second.host.tokens.signIn(second.server.mcpUrl), "issuer_mismatch");
    expect(second.server.log.count("POST", "/token")).toBe(0);
  });

  it("ignoreTrailingSlash addresses assertions to the server's own name, also after a restart and when it is refreshed", async () => {
    const server = await startScripted({
      metadata: (usual) => ({
        ...usual,
        issuer: `${String(usual.issuer)}/`,
        token_endpoint_auth_methods_supported: ["private_key_jwt"],
      }),
    });
    const { issuer } = server;
    const { privateKey } = await generateKeyPair("ES256", { extractable: true });
    const key = { ...(await exportJWK(privateKey)), alg: "ES256" };
    const clock = new ManualClock();
    const options: HostOptions = {
      store: memoryStore(),
      clock,
      clients: [{ issuer, clientId: "app", privateKey: { key } }],
      issuerProfiles: [{ issuer, ignoreTrailingSlash: true }],
    };
    await startHost(options).tokens.signIn(server.mcpUrl);
    const { tokens } = startHost(options);
    for (let refresh = 0; refresh < 2; refresh++) {
      clock.jump(7_200_000);
      await tokens.get(server.mcpUrl);
    }
    const forms = server.log.find("POST", "/token").map(({ body }) => new URLSearchParams(body));
    const sent = forms.map((form) => [form.get("grant_type"), decodeJwt(form.get("client_assertion") ?? "").aud]);
    expect(sent).toEqual([
      ["authorization_code", `${issuer}/`],
      ["refresh_token", `${issuer}/`],
      ["refresh_token", `${issuer}/`],
    ]);
  });

  it("acceptMetadataIssuers accepts the names that it lists, as the line in the error says [ASM-6]", async () => {
    const template = "https://login.example/{tenantid}/v2.0";
    const templated: ScriptedAuthorizationServerOptions = {
      metadata: { issuer: template, authorization_response_iss_parameter_supported: undefined },
      authorize: async (_request, usual) => withLocationQuery(await usual(), { iss: undefined }),
    };
    const { server, host } = await startDeviating(templated, { acceptMetadataIssuers: [template] });
    await host.tokens.signIn(server.mcpUrl);
    expect(rulesTold(host)).toEqual(["acceptMetadataIssuers"]);
    const error = await failure(startHost().tokens.signIn(server.mcpUrl), "issuer_mismatch");
    expect(error.message).toContain(`acceptMetadataIssuers: [${JSON.stringify(template)}]`);
  });

  it("omitResource leaves the parameter out of every request [RES-1]", async () => {
    const refuses: ScriptedAuthorizationServerOptions = {
      authorize: async (request, usual, { text }) =>
        request.url.searchParams.has("resource") ? text("AADSTS9010010", 400) : usual(),
      token: async ({ form }, usual, { json }) =>
        form.has("resource") ? json({ error: "invalid_target" }, 400) : usual(),
    };
    const clock = new ManualClock();
    const { server, host } = await startDeviating(refuses, { omitResource: true }, { clock });
    await host.tokens.get(server.mcpUrl);
    clock.jump(3_600_000);
    await host.tokens.get(server.mcpUrl);
    expect(lastForm(server).get("grant_type")).toBe("refresh_token");
    expect(rulesTold(host)).toEqual(["omitResource"]);
  });

  it("omitResource holds for machines as well [RES-1]", async () => {
    const refuses: ScriptedAuthorizationServerOptions = {
      token: ({ form }, _usual, { json }) =>
        form.has("resource")
          ? json({ error: "invalid_target" }, 400)
          : json({ access_token: "t", token_type: "Bearer" }),
    };
    const server = await startScripted(refuses);
    const grants = [
      { type: "client_credentials", server: server.mcpUrl.href, clientId: "m", clientSecret: "s" },
    ] as const;
    const host = startHost({ grants, issuerProfiles: [{ issuer: server.issuer, omitResource: true }] });
    await host.tokens.get(server.mcpUrl);
    expect(rulesTold(host)).toEqual(["omitResource"]);
    await failure(startHost({ grants }).tokens.get(server.mcpUrl), "token_request_failed");
  });

  it("scopeOnRefresh repeats the scope, which is left out otherwise", async () => {
    const clock = new ManualClock();
    const { server, host } = await startDeviating({}, { scopeOnRefresh: true }, { clock });
    const strict = startHost({ clock });
    for (const [each, scope] of [
      [host, "mcp:tools"],
      [strict, null],
    ] as const) {
      await each.tokens.get(server.mcpUrl);
      clock.jump(3_600_000);
      await each.tokens.get(server.mcpUrl);
      expect(lastForm(server).get("grant_type")).toBe("refresh_token");
      expect(lastForm(server).get("scope")).toBe(scope);
    }
    expect(rulesTold(host)).toEqual(["scopeOnRefresh"]);
    expect(rulesTold(strict)).toEqual([]);
  });

  it("authorizeParameters adds what the issuer wants, and takes the place of nothing that protects", async () => {
    const authorizeParameters = { access_type: "offline", prompt: "consent", state: "known", code_challenge: "known" };
    const { server, host } = await startDeviating({}, { authorizeParameters });
    await host.tokens.signIn(server.mcpUrl);
    const asked = host.opened[0]?.searchParams;
    expect([asked?.get("access_type"), asked?.get("prompt")]).toEqual(["offline", "consent"]);
    expect(asked?.getAll("state")).not.toContain("known");
    expect(asked?.getAll("code_challenge")).not.toContain("known");
    expect(rulesTold(host)).toEqual(["authorizeParameters"]);
  });

  it("redirectHost and redirectPort give the redirect URI that the issuer takes [NAT-2] [NAT-3]", async () => {
    const probe = await startScripted();
    const redirectPort = Number(new URL(probe.url).port);
    await probe.close();
    const { server, host } = await startDeviating({}, { redirectHost: "localhost", redirectPort });
    await host.tokens.signIn(server.mcpUrl);
    expect(host.opened[0]?.searchParams.get("redirect_uri")).toBe(`http://localhost:${redirectPort}/callback`);
    expect(rulesTold(host).sort()).toEqual(["redirectHost", "redirectPort"]);
    const own = startHost({
      issuerProfiles: [{ issuer: server.issuer, redirectHost: "localhost" }],
      redirect: { host: "127.0.0.1" },
    });
    await own.tokens.signIn(server.mcpUrl);
    expect(own.opened[0]?.searchParams.get("redirect_uri")).toContain("http://127.0.0.1:");
    expect(rulesTold(own)).toEqual([]);
  });
});

describe("the table", () => {
  const uses: string[] = [];
  const known = new IssuerProfiles([], ({ relaxation, source }) => uses.push(`${relaxation} ${source}`));

  it("names a public source for each issuer, and more than nothing", () => {
    for (const { issuer, source, ...members } of knownIssuerProfiles) {
      expect(URL.canParse(issuer.replaceAll("*", "x"))).toBe(true);
      expect(source).toMatch(/^https:\/\//);
      expect(Object.keys(members).length).toBeGreaterThan(0);
    }
  });

  it.each<[string, "assumePkce" | "omitResource" | "ignoreTrailingSlash", boolean]>([
    ["https://login.microsoftonline.com/common/v2.0", "assumePkce", true],
    ["https://login.microsoftonline.com/72f988bf-86f1-41af-91ab-2d7cd011db47/v2.0", "omitResource", true],
    ["https://login.microsoftonline.com/contoso.onmicrosoft.com/v2.0", "omitResource", true],
    ["https://login.microsoftonline.com/a/b/v2.0", "omitResource", false],
    ["https://login.microsoftonline.com.evil.example/common/v2.0", "assumePkce", false],
    ["https://evil.example/login.microsoftonline.com/v2.0", "assumePkce", false],
    ["https://accounts.google.com", "omitResource", true],
    ["https://accounts.google.com.evil.example", "omitResource", false],
    ["https://tenant.auth0.com/", "ignoreTrailingSlash", true],
    ["https://tenant.eu.auth0.com", "ignoreTrailingSlash", true],
    ["https://auth0.com", "ignoreTrailingSlash", false],
    ["https://evil.example/.auth0.com", "ignoreTrailingSlash", false],
    ["https://as.example.com", "assumePkce", false],
  ])("of %s has %s: %s", (issuer, member, expected) => {
    expect(known.peek(member, issuer) === true).toBe(expected);
  });

  it("tells of each use with its source, and of looking nothing", () => {
    uses.length = 0;
    known.peek("assumePkce", "https://login.microsoftonline.com/common/v2.0");
    expect(uses).toEqual([]);
    known.use("assumePkce", "https://login.microsoftonline.com/common/v2.0", "https://mcp.example");
    expect(uses).toEqual([expect.stringMatching(/^assumePkce https:\/\/learn\.microsoft\.com\//)]);
  });

  it("is extended by the host member by member, which can also take one back", () => {
    const issuer = "https://login.microsoftonline.com/common/v2.0";
    const own = new IssuerProfiles([{ issuer, omitResource: false, redirectPort: 33_418 }], () => undefined);
    expect(own.peek("redirectPort", issuer)).toBe(33_418);
    expect(own.peek("omitResource", issuer)).toBe(false);
    expect(own.peek("assumePkce", issuer)).toBe(true);
  });

  it("is the only place in the library that knows a server by its name", async () => {
    const names = [
      ...["microsoft", "entra\\b", "azure", "google", "auth0", "okta", "github", "gitlab", "keycloak", "cognito"],
      ...["better-auth", "oidc-provider", "slack", "atlassian", "notion", "linear", "sentry", "stripe", "workos"],
    ];
    const pattern = new RegExp(`\\b(?:${names.join("|")})`, "i");
    const folder = fileURLToPath(new URL("../../../src/", import.meta.url));
    const files = (await readdir(folder, { recursive: true })).filter((path) => path.endsWith(".ts"));
    expect(files.length).toBeGreaterThan(50);
    const found: string[] = [];
    for (const path of files) {
      const code = (await readFile(`${folder}${path}`, "utf8")).replace(/^\s*\/\*\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
      if (pattern.test(code)) found.push(path);
    }
    expect(found).toEqual(["endpoint/issuer-profile.ts"]);
  });
});
