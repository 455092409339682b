// A workload's own token for an access token (RFC 7523 section 2.1, MCP draft "workload identity federation").
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateKeyPair, jwtVerify, SignJWT } from "jose";
import { type AssertionRequest, type AssertionSource, type JwtBearerGrant, memoryStore } from "mcp-oauth-client";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { ScriptedAuthorizationServerOptions } from "../../servers/scripted-authorization-server.ts";
import { shown } from "../../support/failure.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { closing, failure, type HostOptions, paths, startHost, startScripted } from "../flow/support/harness.ts";

const JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const PLATFORM = "https://platform.example";

let platform: Awaited<ReturnType<typeof generateKeyPair>>;
beforeAll(async () => {
  platform = await generateKeyPair("ES256");
});

let count = 0;
/** What the platform gives a workload. */
function platformToken(audience: string, expires: string | number = "5m"): Promise<string> {
  return new SignJWT({ jti: `assertion-${count++}` })
    .setProtectedHeader({ alg: "ES256" })
    .setIssuer(PLATFORM)
    .setSubject("workload-1")
    .setAudience(audience)
    .setIssuedAt()
    .setExpirationTime(expires)
    .sign(platform.privateKey);
}

/** An authorization server that verifies the assertion, and takes each only once. */
async function startFederated(
  audience: (url: string) => string = (url) => url,
  options: ScriptedAuthorizationServerOptions = {},
) {
  const used = new Set<unknown>();
  const server = await startScripted({
    metadata: { grant_types_supported: [JWT_BEARER], code_challenge_methods_supported: undefined },
    token: async ({ form }, _usual, { json, url }) => {
      if (form.get("grant_type") !== JWT_BEARER) return json({ error: "unsupported_grant_type" }, 400);
      try {
        const { payload } = await jwtVerify(form.get("assertion") ?? "", platform.publicKey, {
          issuer: PLATFORM,
          audience: audience(url),
          requiredClaims: ["iss", "sub", "aud", "exp", "iat", "jti"],
        });
        if (used.has(payload.jti)) throw new Error("this assertion was used before");
        used.add(payload.jti);
      } catch (error) {
        return json({ error: "invalid_grant", error_description: (error as Error).message }, 400);
      }
      return json({ access_token: `access-${used.size}`, token_type: "Bearer", expires_in: 3600 });
    },
    ...options,
  });
  const grant = (assertion: AssertionSource, changes: Partial<JwtBearerGrant> = {}): JwtBearerGrant => ({
    type: "jwt_bearer",
    server: server.mcpUrl.href,
    assertion,
    ...changes,
  });
  return { server, grant, sent: () => server.log.find("POST", "/token").map(({ body }) => formOf(body)) };
}

/** A source that never answers, and what tells it to give up. */
function silentSource() {
  let resolve: (signal: AbortSignal) => void = () => undefined;
  const asked = new Promise<AbortSignal>((done) => {
    resolve = done;
  });
  const source = ({ signal }: AssertionRequest): Promise<string> => {
    resolve(signal);
    return new Promise(() => undefined);
  };
  return { source, asked };
}

const formOf = (body: string): Record<string, string> => Object.fromEntries(new URLSearchParams(body));

function startWorkload(grant: JwtBearerGrant, options: HostOptions = {}) {
  return startHost({ grants: [grant], interactive: false, ...options });
}

describe("a workload's token", () => {
  it("is exchanged as it is, for this resource, with no client, no registration and no browser [WIF-1] [WIF-2] [WIF-3] [RES-1]", async () => {
    const { server, grant, sent } = await startFederated();
    const requests: AssertionRequest[] = [];
    const source = (request: AssertionRequest): Promise<string> => {
      requests.push(request);
      return platformToken(request.audience);
    };
    const host = startWorkload(grant(source), { interactive: true });
    expect((await host.tokens.get(server.mcpUrl)).accessToken.reveal()).toBe("access-1");
    expect(sent()).toEqual([
      { grant_type: JWT_BEARER, assertion: expect.any(String), resource: server.mcpUrl.href, scope: "mcp:tools" },
    ]);
    expect(requests).toEqual([
      {
        server: server.mcpUrl.href,
        issuer: server.issuer,
        tokenEndpoint: `${server.url}/token`,
        resource: server.mcpUrl.href,
        audience: server.issuer,
        signal: expect.any(AbortSignal),
      },
    ]);
    expect(server.log.find("POST", "/token")[0]?.headers.authorization).toBeUndefined();
    expect(paths(server.log)).not.toContain("POST /register");
    expect(paths(server.log)).not.toContain("GET /authorize");
    expect(host.opened).toEqual([]);
  });

  it("is for the token endpoint where the grant says so [WIF-2]", async () => {
    const { server, grant } = await startFederated((url) => `${url}/token`);
    const source = ({ audience }: AssertionRequest): Promise<string> => platformToken(audience);
    await startWorkload(grant(source, { audience: "token_endpoint" })).tokens.get(server.mcpUrl);
    const error = await failure(startWorkload(grant(source)).tokens.get(server.mcpUrl), "token_request_failed");
    expect(error.oauthError).toBe("invalid_grant");
  });

  it("goes with a client where one is named, which authenticates by its one method [WIF-3] [CA-1]", async () => {
    const { server, grant, sent } = await startFederated();
    const client = { clientId: "workload", clientSecret: "s3cret" };
    const source = ({ audience }: AssertionRequest): Promise<string> => platformToken(audience);
    await startWorkload(grant(source, { client })).tokens.get(server.mcpUrl);
    expect(server.log.find("POST", "/token")[0]?.headers.authorization).toBe(`Basic ${btoa("workload:s3cret")}`);
    expect(sent()[0]).not.toHaveProperty("client_secret");
  });

  it("is read anew for each exchange, from a file or the environment, without the white space around it [WIF-6]", async () => {
    const folder = await mkdtemp(join(tmpdir(), "workload-"));
    closing({ close: () => rm(folder, { recursive: true, force: true }) });
    const file = join(folder, "token");
    const sources: [AssertionSource, (token: string) => unknown][] = [
      [{ file }, (token) => writeFile(file, token)],
      [{ environmentVariable: "TEST_WORKLOAD_TOKEN" }, (token) => vi.stubEnv("TEST_WORKLOAD_TOKEN", token)],
    ];
    for (const [source, put] of sources) {
      const { server, grant, sent } = await startFederated();
      const clock = new ManualClock();
      const { tokens } = startWorkload(grant(source), { clock });
      const given = [await platformToken(server.issuer), await platformToken(server.issuer)];
      for (const token of given) {
        await put(`\n ${token}\n`);
        await tokens.get(server.mcpUrl);
        clock.jump(2 * 3_600_000);
      }
      expect(sent().map(({ assertion }) => assertion)).toEqual(given);
    }
  });

  it("that is not there is an error that names its place, and nothing is sent [WIF-6]", async () => {
    const { server, grant, sent } = await startFederated();
    for (const [source, place] of [
      [{ file: "/nowhere/token" }, "/nowhere/token"],
      [{ environmentVariable: "TEST_NO_SUCH_TOKEN" }, "TEST_NO_SUCH_TOKEN"],
    ] as const) {
      const error = await failure(startWorkload(grant(source)).tokens.get(server.mcpUrl), "invalid_configuration");
      expect(error.message).toContain(place);
    }
    expect(sent()).toEqual([]);
  });

  it.each<[string, (issuer: string) => Promise<string>, RegExp]>([
    ["has expired", (issuer) => platformToken(issuer, Math.floor(Date.now() / 1000) - 10), /exp/],
    ["is for somebody else", () => platformToken("https://other.example"), /aud/],
    ["is no JWT", async () => "no.jwt.at-all", /invalid/i],
  ])(
    "that %s is refused with the server's own words, after one request [WIF-4] [WIF-6]",
    async (_name, token, says) => {
      const { server, grant, sent } = await startFederated();
      const { tokens } = startWorkload(grant(() => token(server.issuer)));
      const error = await failure(tokens.get(server.mcpUrl), "token_request_failed", server.mcpUrl);
      expect(error.oauthError).toBe("invalid_grant");
      expect(error.message).toMatch(says);
      expect(sent()).toHaveLength(1);
    },
  );

  it.each(["invalid_grant", "invalid_scope", "unauthorized_client"])(
    "is sent once when the answer is %s, and no other grant is tried [WIF-4] [WIF-5]",
    async (oauthError) => {
      const { server, grant, sent } = await startFederated(undefined, {
        token: (_request, _usual, { json }) => json({ error: oauthError }, 400),
      });
      const source = vi.fn(({ audience }: AssertionRequest) => platformToken(audience));
      const host = startWorkload(grant(source), { interactive: true });
      const error = await failure(host.tokens.get(server.mcpUrl), "token_request_failed", server.mcpUrl);
      expect(error.oauthError).toBe(oauthError);
      expect(source).toHaveBeenCalledTimes(1);
      expect(sent().map(({ grant_type }) => grant_type)).toEqual([JWT_BEARER]);
      expect(host.opened).toEqual([]);
    },
  );

  it("is sent once, too, when a scope is refused that only an earlier sign-in asked for", async () => {
    const { server, grant, sent } = await startFederated();
    const { tokens } = startWorkload(grant(({ audience }) => platformToken(audience)));
    await tokens.signIn(server.mcpUrl, { scope: "old" });
    server.options.token = (_request, _usual, { json }) => json({ error: "invalid_scope" }, 400);
    await failure(tokens.signIn(server.mcpUrl), "token_request_failed", server.mcpUrl);
    expect(sent().map(({ scope }) => scope)).toEqual(["old", "old mcp:tools"]);
  });

  it("is sent once, too, when a renewal is refused; the next try reads another [WIF-4] [WIF-6]", async () => {
    const { server, grant, sent } = await startFederated();
    const clock = new ManualClock();
    let audience = server.issuer;
    const { tokens } = startWorkload(
      grant(() => platformToken(audience)),
      { clock },
    );
    await tokens.get(server.mcpUrl);
    clock.jump(2 * 3_600_000);
    audience = "https://other.example";
    const error = await failure(tokens.get(server.mcpUrl), "refresh_failed", server.mcpUrl);
    expect(error.oauthError).toBe("invalid_grant");
    expect(sent()).toHaveLength(2);
    audience = server.issuer;
    clock.jump(error.retryAfterMs ?? 0);
    expect((await tokens.get(server.mcpUrl)).accessToken.reveal()).toBe("access-2");
    expect(new Set(sent().map(({ assertion }) => assertion)).size).toBe(3);
  });

  it.each([
    ["the caller aborts", "aborted"],
    ["the time is up", "timeout"],
  ] as const)("is not waited for when %s, and whoever reads it is told", async (end, code) => {
    const { server, grant, sent } = await startFederated();
    const clock = new ManualClock();
    const controller = new AbortController();
    const { source, asked } = silentSource();
    const { tokens } = startWorkload(grant(source), { clock, signInTimeoutMs: 60_000 });
    const signIn = tokens.signIn(server.mcpUrl, { signal: controller.signal });
    const signal = await asked;
    expect(signal.aborted).toBe(false);
    if (end === "the time is up") clock.advance(60_000);
    else controller.abort();
    await failure(signIn, code, server.mcpUrl);
    expect(signal.aborted).toBe(true);
    expect(sent()).toEqual([]);
  });

  it("is not waited for longer than that when a token is renewed, for others wait as well", async () => {
    const { server, grant } = await startFederated();
    const clock = new ManualClock();
    const { source: silent, asked } = silentSource();
    let source = ({ audience }: AssertionRequest): Promise<string> => platformToken(audience);
    const host = startWorkload(
      grant((request) => source(request)),
      { clock, signInTimeoutMs: 60_000 },
    );
    await host.tokens.get(server.mcpUrl);
    clock.jump(2 * 3_600_000);
    source = silent;
    const controller = new AbortController();
    const renewal = host.tokens.get(server.mcpUrl, { signal: controller.signal });
    const signal = await asked;
    clock.advance(60_000);
    await expect.poll(() => host.told("refresh_failed"), { interval: 2 }).toMatchObject([{ code: "timeout" }]);
    expect(signal.aborted).toBe(true);
    controller.abort();
    await failure(renewal, "aborted");
  });

  it("is not sent to a server that says it takes none [WIF-7]", async () => {
    const { server, grant, sent } = await startFederated(undefined, {
      metadata: { grant_types_supported: ["authorization_code"] },
    });
    const error = await failure(
      startWorkload(grant(() => platformToken(server.issuer))).tokens.get(server.mcpUrl),
      "authorization_failed",
      server.mcpUrl,
    );
    expect(error.message).toContain(JWT_BEARER);
    expect(sent()).toEqual([]);
  });

  it("is sent to a server that does not say what it takes [WIF-7]", async () => {
    const { server, grant } = await startFederated(undefined, { metadata: { grant_types_supported: undefined } });
    await startWorkload(grant(() => platformToken(server.issuer))).tokens.get(server.mcpUrl);
  });

  it("goes over TLS only [WIF-7] [TLS-1]", async () => {
    const { server, grant, sent } = await startFederated(undefined, {
      metadata: { token_endpoint: "http://as.example/token" },
    });
    const source = vi.fn(() => platformToken(server.issuer));
    await failure(startWorkload(grant(source)).tokens.get(server.mcpUrl), "insecure_url");
    expect(source).not.toHaveBeenCalled();
    expect(sent()).toEqual([]);
  });

  it("is in no store, no event and no error, though the server sends it back [WIF-7]", async () => {
    const { server, grant, sent } = await startFederated();
    const store = memoryStore();
    const host = startWorkload(
      grant(({ audience }) => platformToken(audience)),
      { store },
    );
    await host.tokens.get(server.mcpUrl);
    server.options.token = ({ form }, _usual, { json }) =>
      json({ error: "invalid_grant", error_description: form.get("assertion") }, 400);
    const error = await failure(host.tokens.signIn(server.mcpUrl), "token_request_failed");
    const stored = await Promise.all((await store.keys()).map((key) => store.get(key)));
    expect(stored.join()).not.toBe("");
    const seen = [error, host.events, await host.tokens.status(), stored.map((each) => each?.value)]
      .map(shown)
      .join("\n");
    expect(sent()).toHaveLength(2);
    for (const { assertion } of sent()) expect(seen).not.toContain(assertion);
  });

  it("gives a session that can be signed out of without a client", async () => {
    const { server, grant } = await startFederated();
    const host = startWorkload(grant(({ audience }) => platformToken(audience)));
    await host.tokens.get(server.mcpUrl);
    expect(await host.tokens.signOut(server.mcpUrl)).toMatchObject([{ revocation: "revoked" }]);
    expect(formOf(server.log.find("POST", "/revoke")[0]?.body ?? "")).toEqual({
      token: "access-1",
      token_type_hint: "access_token",
    });
  });
});
