// Enterprise-managed authorization: the identity provider decides, by an assertion (ID-JAG) for one server.
import { decodeJwt } from "jose";
import {
  type EnterpriseManagedGrant,
  memoryStore,
  type SubjectToken,
  type SubjectTokenRequest,
} from "mcp-oauth-client";
import { describe, expect, it, vi } from "vitest";
import { shown } from "../../support/failure.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, type HostOptions, paths, startHost } from "../flow/support/harness.ts";
import { ID_JAG, JWT_BEARER, startEnterprise, TOKEN_EXCHANGE } from "./support/identity-provider.ts";

function startMember(grant: EnterpriseManagedGrant, options: HostOptions = {}) {
  const clock = new ManualClock();
  return { ...startHost({ grants: [grant], clock, ...options }), clock };
}

/** The user's sign-ons, as the host does them, with what each was asked for. */
function signOns(...given: SubjectToken[]) {
  return vi.fn((_request: SubjectTokenRequest): SubjectToken => given.shift() ?? { token: "nothing-left" });
}

describe("the two exchanges", () => {
  it("have exactly the parameters that they are to have, each with its own client [EMA-3] [EMA-4] [EMA-5] [EMA-6] [EMA-8] [EMA-9]", async () => {
    const enterprise = await startEnterprise();
    const { server, provider } = enterprise;
    const { tokens } = startMember(enterprise.grant());
    expect((await tokens.get(server.mcpUrl)).accessToken.reveal()).toBe("access-1");
    expect(enterprise.exchanges()).toEqual([
      {
        grant_type: TOKEN_EXCHANGE,
        requested_token_type: ID_JAG,
        subject_token: "alice-id-token",
        subject_token_type: "urn:ietf:params:oauth:token-type:id_token",
        audience: server.issuer,
        resource: server.mcpUrl.href,
        scope: "mcp:tools",
      },
    ]);
    expect(provider.log.find("POST")[0]?.headers.authorization).toBe(`Basic ${btoa("sso-client:sso-s3cret")}`);
    expect(enterprise.grants()).toEqual([
      {
        grant_type: JWT_BEARER,
        assertion: expect.any(String),
        resource: server.mcpUrl.href,
        scope: "mcp:tools",
      },
    ]);
    expect(server.log.find("POST", "/token")[0]?.headers.authorization).toBe(`Basic ${btoa("mcp-client:mcp-s3cret")}`);
    expect(decodeJwt(enterprise.grants()[0]?.assertion ?? "").client_id).toBe("mcp-client");
  });

  it.each(["id_token", "saml2", "refresh_token"] as const)("take a sign-on of the type %s [EMA-3]", async (type) => {
    const enterprise = await startEnterprise();
    const grant = enterprise.grant({ subjectToken: () => ({ token: "alice-id-token", type }) });
    await startMember(grant).tokens.get(enterprise.server.mcpUrl);
    expect(enterprise.exchanges()[0]?.subject_token_type).toBe(`urn:ietf:params:oauth:token-type:${type}`);
  });

  it("never lead to the authorization page, to a registration or to a browser [EMA-1]", async () => {
    const enterprise = await startEnterprise();
    const host = startMember(enterprise.grant());
    await host.tokens.get(enterprise.server.mcpUrl);
    expect(paths(enterprise.server.log)).not.toContain("GET /authorize");
    expect(paths(enterprise.server.log)).not.toContain("POST /register");
    expect(host.opened).toEqual([]);
  });

  it.each<[string, Record<string, unknown>, boolean]>([
    ["the grant alone", { grant_types_supported: [JWT_BEARER] }, true],
    [
      "the profile alone",
      {
        grant_types_supported: ["authorization_code"],
        authorization_grant_profiles_supported: ["urn:ietf:params:oauth:grant-profile:id-jag"],
      },
      true,
    ],
    ["nothing about grants", { grant_types_supported: undefined }, true],
    ["other grants only", { grant_types_supported: ["authorization_code"] }, false],
  ])("are tried where the metadata names %s: %# [EMA-2]", async (_name, metadata, isTried) => {
    const enterprise = await startEnterprise();
    enterprise.server.options.metadata = metadata;
    const { tokens } = startMember(enterprise.grant());
    if (isTried) await tokens.get(enterprise.server.mcpUrl);
    else await failure(tokens.get(enterprise.server.mcpUrl), "authorization_failed", enterprise.server.mcpUrl);
    expect(enterprise.exchanges()).toHaveLength(isTried ? 1 : 0);
  });

  it("do not need PKCE [PKCE-3]", async () => {
    const enterprise = await startEnterprise();
    await startMember(enterprise.grant()).tokens.get(enterprise.server.mcpUrl);
  });
});

describe("the provider's answer", () => {
  it.each<[string, Record<string, unknown>]>([
    ["another issued type", { issued_token_type: "urn:ietf:params:oauth:token-type:access_token" }],
    ["no issued type", { issued_token_type: undefined }],
    ["a token type that can be sent", { token_type: "Bearer" }],
    ["no token type", { token_type: undefined }],
    ["no token", { access_token: undefined }],
    ["a token that is no text", { access_token: 5 }],
  ])("with %s is refused, and goes nowhere [EMA-7]", async (_name, change) => {
    const enterprise = await startEnterprise();
    const usual = { access_token: "provider-token", issued_token_type: ID_JAG, token_type: "N_A", expires_in: 300 };
    enterprise.answer = (_request, { json }) => json({ ...usual, ...change });
    const { tokens } = startMember(enterprise.grant());
    const error = await failure(tokens.get(enterprise.server.mcpUrl), "invalid_response");
    expect(error.issuer).toBe(enterprise.provider.url);
    expect(enterprise.grants()).toEqual([]);
    expect(await tokens.status()).toEqual([]);
  });

  it("may allow less than was asked for, and no more than that is asked of the server [EMA-7] [EMA-9]", async () => {
    const enterprise = await startEnterprise();
    enterprise.server.options.protectedResource = { scopes_supported: ["a", "b"] };
    const usual = enterprise.provider.routes["POST /token"];
    enterprise.provider.routes["POST /token"] = async (request, helpers) => {
      const answer = await usual?.(request, helpers);
      const body = (await (answer as Response).json()) as object;
      return helpers.json({ ...body, scope: "a" });
    };
    await startMember(enterprise.grant()).tokens.get(enterprise.server.mcpUrl);
    expect(enterprise.exchanges()[0]?.scope).toBe("a b");
    expect(enterprise.grants()[0]?.scope).toBe("a");
  });
});

describe("the ladder", () => {
  it("uses the assertion again until it ends, then has another for the same sign-on [EMA-10]", async () => {
    const enterprise = await startEnterprise(300);
    const { mcpUrl } = enterprise.server;
    const subjectToken = signOns({ token: "alice-id-token" });
    const { tokens, clock } = startMember(enterprise.grant({ subjectToken }));
    // Access tokens last a minute, assertions five.
    for (let minute = 0; minute < 4; minute++) {
      await tokens.get(mcpUrl);
      clock.jump(70_000);
    }
    expect(enterprise.grants()).toHaveLength(4);
    expect(new Set(enterprise.grants().map(({ assertion }) => assertion)).size).toBe(1);
    expect(enterprise.exchanges()).toHaveLength(1);
    clock.jump(60_000);
    await tokens.get(mcpUrl);
    expect(new Set(enterprise.grants().map(({ assertion }) => assertion)).size).toBe(2);
    expect(enterprise.exchanges()).toHaveLength(2);
    const signal: unknown = expect.any(AbortSignal);
    expect(subjectToken.mock.calls).toEqual([[{ reason: "first", account: "default", signal }]]);
  });

  it("goes on to the provider's refresh token when the sign-on has ended, then to a new sign-on [EMA-10]", async () => {
    const enterprise = await startEnterprise(60);
    const { mcpUrl } = enterprise.server;
    enterprise.goodSubjects.add("alice-refresh").add("alice-again");
    const subjectToken = signOns({ token: "alice-id-token", refreshToken: "alice-refresh" }, { token: "alice-again" });
    const { tokens, clock } = startMember(enterprise.grant({ subjectToken }));
    await tokens.get(mcpUrl);
    for (const ended of ["alice-id-token", "alice-refresh"]) {
      enterprise.goodSubjects.delete(ended);
      clock.jump(120_000);
      await tokens.get(mcpUrl);
    }
    expect(enterprise.exchanges().map(({ subject_token }) => subject_token)).toEqual([
      "alice-id-token",
      "alice-id-token",
      "alice-refresh",
      "alice-refresh",
      "alice-again",
    ]);
    expect(enterprise.exchanges()[2]?.subject_token_type).toBe("urn:ietf:params:oauth:token-type:refresh_token");
    expect(subjectToken.mock.calls.map(([{ reason }]) => reason)).toEqual(["first", "expired"]);
  });

  it("has another assertion when the server refuses the one that was kept [EMA-10]", async () => {
    const enterprise = await startEnterprise();
    const { server } = enterprise;
    const { tokens, clock } = startMember(enterprise.grant());
    await tokens.get(server.mcpUrl);
    clock.jump(120_000);
    const usual = server.options.token;
    const kept = enterprise.grants()[0]?.assertion;
    server.options.token = (request, normal, helpers) =>
      request.form.get("assertion") === kept
        ? helpers.json({ error: "invalid_grant" }, 400)
        : usual!(request, normal, helpers);
    await tokens.get(server.mcpUrl);
    expect(enterprise.exchanges()).toHaveLength(2);
  });

  it("exchanges a SAML assertion for a refresh token of the provider, where that is wanted [EMA-14]", async () => {
    const enterprise = await startEnterprise(60);
    const { mcpUrl } = enterprise.server;
    enterprise.goodSubjects.add("alice-saml");
    const subjectToken = signOns({ token: "alice-saml", type: "saml2" });
    const { tokens, clock } = startMember(enterprise.grant({ subjectToken, exchangeSaml: true }));
    await tokens.get(mcpUrl);
    enterprise.goodSubjects.delete("alice-saml");
    clock.jump(120_000);
    await tokens.get(mcpUrl);
    const [first, second, third] = enterprise.exchanges();
    expect(first).toEqual({
      grant_type: TOKEN_EXCHANGE,
      requested_token_type: "urn:ietf:params:oauth:token-type:refresh_token",
      subject_token: "alice-saml",
      subject_token_type: "urn:ietf:params:oauth:token-type:saml2",
      scope: "openid offline_access",
    });
    for (const exchange of [second, third]) {
      expect(exchange).toMatchObject({
        requested_token_type: ID_JAG,
        subject_token: "refresh-for-alice-saml",
        subject_token_type: "urn:ietf:params:oauth:token-type:refresh_token",
      });
    }
    expect(subjectToken).toHaveBeenCalledTimes(1);
  });
});

describe("a no of the provider", () => {
  it.each(["access_denied", "unauthorized_client", "invalid_target", "invalid_scope", "policy_violation"])(
    "by %s is the end: no new sign-on, no other grant, no browser [EMA-11] [EMA-1]",
    async (oauthError) => {
      const enterprise = await startEnterprise();
      enterprise.answer = (_request, { json }) => json({ error: oauthError, error_description: "by policy" }, 403);
      const subjectToken = signOns({ token: "alice-id-token" });
      const host = startMember(enterprise.grant({ subjectToken }));
      const error = await failure(host.tokens.get(enterprise.server.mcpUrl), "token_request_failed");
      expect(error).toMatchObject({
        oauthError,
        issuer: enterprise.provider.url,
        server: enterprise.server.mcpUrl.href,
      });
      expect(error.message).toContain("by policy");
      expect(subjectToken).toHaveBeenCalledTimes(1);
      expect(enterprise.exchanges()).toHaveLength(1);
      expect(enterprise.grants()).toEqual([]);
      expect(host.opened).toEqual([]);
    },
  );

  it("is the end for a sign-on that was good before, too [EMA-11]", async () => {
    const enterprise = await startEnterprise(60);
    const { mcpUrl } = enterprise.server;
    enterprise.goodSubjects.add("alice-refresh").add("alice-again");
    const subjectToken = signOns({ token: "alice-id-token", refreshToken: "alice-refresh" }, { token: "alice-again" });
    const { tokens, clock } = startMember(enterprise.grant({ subjectToken }));
    await tokens.get(mcpUrl);
    clock.jump(120_000);
    enterprise.answer = (_request, { json }) => json({ error: "access_denied" }, 403);
    const error = await failure(tokens.signIn(mcpUrl), "token_request_failed");
    expect(error.oauthError).toBe("access_denied");
    expect(subjectToken).toHaveBeenCalledTimes(1);
    expect(enterprise.exchanges().map(({ subject_token }) => subject_token)).toEqual([
      "alice-id-token",
      "alice-id-token",
    ]);
  });

  it("that wants a stronger sign-on leads to one, as old and as strong as it says [EMA-11]", async () => {
    const enterprise = await startEnterprise();
    enterprise.goodSubjects.add("alice-strong");
    enterprise.answer = (_request, { json }) =>
      json({ error: "insufficient_user_authentication", max_age: 60, acr_values: "phr" }, 400);
    const subjectToken = vi.fn(({ reason }: SubjectTokenRequest) => {
      if (reason !== "insufficient") return { token: "alice-id-token" };
      enterprise.answer = undefined;
      return { token: "alice-strong" };
    });
    await startMember(enterprise.grant({ subjectToken })).tokens.get(enterprise.server.mcpUrl);
    expect(subjectToken.mock.calls.map(([request]) => request)).toEqual([
      { reason: "first", account: "default", signal: expect.any(AbortSignal) },
      {
        reason: "insufficient",
        account: "default",
        maxAgeSeconds: 60,
        acrValues: "phr",
        signal: expect.any(AbortSignal),
      },
    ]);
  });

  it("that is never satisfied is not asked for ever [EMA-11]", async () => {
    const enterprise = await startEnterprise();
    enterprise.answer = (_request, { json }) => json({ error: "insufficient_user_authentication" }, 400);
    const subjectToken = signOns({ token: "a" }, { token: "b" }, { token: "c" });
    const { tokens } = startMember(enterprise.grant({ subjectToken }));
    const error = await failure(tokens.get(enterprise.server.mcpUrl), "token_request_failed");
    expect(error.oauthError).toBe("insufficient_user_authentication");
    expect(subjectToken).toHaveBeenCalledTimes(2);
  });

  it("to a new sign-on is not answered by yet another [EMA-10]", async () => {
    const enterprise = await startEnterprise();
    const subjectToken = signOns({ token: "unknown" });
    const { tokens } = startMember(enterprise.grant({ subjectToken }));
    const error = await failure(tokens.get(enterprise.server.mcpUrl), "token_request_failed");
    expect(error.oauthError).toBe("invalid_grant");
    expect(subjectToken).toHaveBeenCalledTimes(1);
  });
});

describe("an assertion", () => {
  it("is for one account: another user's sign-on and assertion are never used [EMA-13]", async () => {
    const enterprise = await startEnterprise();
    enterprise.goodSubjects.add("bob-id-token");
    const subjectToken = vi.fn(({ account }: SubjectTokenRequest) => ({ token: `${account}-id-token` }));
    const { tokens } = startMember(enterprise.grant({ subjectToken }));
    for (const account of ["alice", "bob", "alice"]) await tokens.signIn(enterprise.server.mcpUrl, { account });
    expect(enterprise.exchanges().map(({ subject_token }) => subject_token)).toEqual([
      "alice-id-token",
      "bob-id-token",
    ]);
    const users = enterprise.grants().map(({ assertion }) => decodeJwt(assertion ?? "").of);
    expect(users).toEqual(["alice-id-token", "bob-id-token", "alice-id-token"]);
  });

  it("is for one issuer: when the server moves to another, a new one is asked for there [EMA-13] [EMA-4]", async () => {
    const enterprise = await startEnterprise();
    const other = await startEnterprise();
    const { mcpUrl } = enterprise.server;
    const { tokens } = startMember(enterprise.grant());
    await tokens.signIn(mcpUrl);
    enterprise.server.options.protectedResource = { authorization_servers: [other.server.issuer] };
    await failure(tokens.signIn(mcpUrl), "token_request_failed");
    expect(enterprise.exchanges().map(({ audience }) => audience)).toEqual([
      enterprise.server.issuer,
      other.server.issuer,
    ]);
    expect(other.grants().map(({ assertion }) => assertion)).not.toContain(enterprise.grants()[0]?.assertion);
  });

  it("is for one resource: another server of the same issuer needs its own [EMA-13] [RES-8]", async () => {
    const enterprise = await startEnterprise();
    const { server } = enterprise;
    server.options.protectedResource = (usual) => usual;
    server.options.routes = {
      "GET /.well-known/oauth-protected-resource/other": (_request, { json, url }) =>
        json({ resource: `${url}/other`, authorization_servers: [url] }),
      "/other": (_request, { text }) => text("", 401),
    };
    const other = `${server.url}/other`;
    const grants = [enterprise.grant(), enterprise.grant({ server: other })];
    const { tokens } = startMember(enterprise.grant(), { grants });
    await tokens.get(server.mcpUrl);
    await failure(tokens.get(other), "token_request_failed");
    expect(enterprise.exchanges().map(({ resource }) => resource)).toEqual([server.mcpUrl.href, other]);
    const [first, second] = enterprise.grants().map(({ assertion }) => assertion);
    expect(second).not.toBe(first);
  });

  it("is in no store, no URL, no event and no error, nor is the sign-on [EMA-12]", async () => {
    const enterprise = await startEnterprise();
    const { server, provider } = enterprise;
    const store = memoryStore();
    const host = startMember(enterprise.grant(), { store });
    await host.tokens.get(server.mcpUrl);
    const echo = ({ form }: { form: URLSearchParams }) => [...form.values()].join(" ");
    enterprise.answer = (request, { json }) => json({ error: "access_denied", error_description: echo(request) }, 400);
    host.clock.jump(600_000);
    const first = await failure(host.tokens.signIn(server.mcpUrl), "token_request_failed");
    enterprise.answer = undefined;
    server.options.token = (request, _usual, { json }) =>
      json({ error: "access_denied", error_description: echo(request) }, 400);
    const second = await failure(host.tokens.signIn(server.mcpUrl), "token_request_failed");
    const stored = await Promise.all((await store.keys()).map(async (key) => (await store.get(key))?.value));
    const urls = [...server.log.requests, ...provider.log.requests].map(({ path, query }) => `${path}?${query}`);
    const seen = [first, second, host.events, stored, urls].map(shown).join("\n");
    const secrets = ["alice-id-token", "sso-s3cret", ...enterprise.grants().map(({ assertion }) => assertion ?? "?")];
    for (const secret of secrets) expect(seen).not.toContain(secret);
    // The client's secret is stored with its session, for the store is made for that.
    expect([first, second, host.events, urls].map(shown).join("\n")).not.toContain("mcp-s3cret");
  });

  it("is asked for over TLS only [EMA-12]", async () => {
    const enterprise = await startEnterprise();
    const identityProvider = { tokenEndpoint: "http://idp.example/token", clientId: "sso", clientSecret: "s" };
    const { tokens } = startMember(enterprise.grant({ identityProvider }));
    await failure(tokens.get(enterprise.server.mcpUrl), "insecure_url");
  });

  it("is had once for all callers that wait for a token", async () => {
    const enterprise = await startEnterprise();
    const { tokens } = startMember(enterprise.grant());
    await Promise.all(Array.from({ length: 10 }, () => tokens.get(enterprise.server.mcpUrl)));
    expect(enterprise.exchanges()).toHaveLength(1);
    expect(enterprise.grants()).toHaveLength(1);
  });
});
