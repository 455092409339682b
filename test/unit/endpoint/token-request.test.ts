import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { parseExpiresIn, requestToken } from "../../../src/endpoint/token-request.ts";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { clientAt, closingAfterEach, endpointAt, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();
const REFRESH = {
  type: "refresh_token",
  parameters: { refresh_token: "planted-refresh-1", resource: SERVER },
  secrets: [new Secret("planted-refresh-1")],
};

async function requesting(route: ScriptedRoute, changes: Parameters<typeof endpointAt>[1] = {}) {
  const server = await closing(startScriptedServer({ "POST /token": route }));
  const outcome = requestToken(endpointAt(server.url, changes), REFRESH);
  outcome.catch(() => undefined);
  return { server, outcome };
}

/** The outcome for a body with a good access token and these members. */
async function answered(members: Record<string, unknown>, status = 200) {
  return (
    await requesting((_, { json }) =>
      json({ access_token: "planted-access-1", token_type: "Bearer", ...members }, status),
    )
  ).outcome;
}

describe("requestToken", () => {
  it("posts a form with the grant, keeps the endpoint's query, and gives what was issued [AZR-2] [RES-1]", async () => {
    const { server, outcome } = await requesting(
      (_, { json }) =>
        json({ access_token: "a", token_type: "Bearer", refresh_token: "r", expires_in: 60, scope: "x y" }),
      { metadata: { token_endpoint: undefined } },
    );
    expect((await failureOf(outcome)).code).toBe("invalid_response");
    const context = endpointAt(server.url, { metadata: { token_endpoint: `${server.url}/token?tenant=1` } });
    const tokens = await requestToken(context, REFRESH);
    expect({
      ...tokens,
      accessToken: tokens.accessToken.reveal(),
      refreshToken: tokens.refreshToken?.reveal(),
    }).toEqual({
      accessToken: "a",
      tokenType: "Bearer",
      refreshToken: "r",
      expiresInSeconds: 60,
      scope: "x y",
    });
    const [sent] = server.log.requests;
    expect(sent).toMatchObject({ method: "POST", headers: { accept: "application/json" } });
    expect(sent?.query.get("tenant")).toBe("1");
    expect(Object.fromEntries(new URLSearchParams(sent?.body))).toEqual({
      grant_type: "refresh_token",
      client_id: "client",
      refresh_token: "planted-refresh-1",
      resource: SERVER,
    });
  });

  it.each(["Bearer", "bearer", "BEARER", "bEaReR"])("takes the token type %s [TOK-4]", async (token_type) => {
    expect((await answered({ token_type })).tokenType).toBe("Bearer");
  });

  it.each(["mac", "", "N_A", "Bearer ", 5, null, undefined, "DPoP"])(
    "does not use a token of type %j [TOK-4]",
    async (token_type) => {
      const error = await failureOf(answered({ token_type }));
      expect(error.code).toBe("invalid_response");
      expect(shown(error)).not.toContain("planted");
    },
  );

  it.each<[unknown, number | undefined]>([
    [3600, 3600],
    ["3600", 3600],
    [" 60 ", 60],
    [0.5, 0.5],
    ["12.5", 12.5],
    [0, undefined],
    ["0", undefined],
    [-5, undefined],
    ["-5", undefined],
    [null, undefined],
    [undefined, undefined],
    ["", undefined],
    ["soon", undefined],
    ["1e9", undefined],
    [[60], undefined],
    [{ seconds: 60 }, undefined],
    [true, undefined],
    [10 ** 12, undefined],
  ])("takes expires_in for a hint: %j is %s seconds [REF-7]", async (value, seconds) => {
    expect(parseExpiresIn(value)).toBe(seconds);
    expect((await answered({ expires_in: value })).expiresInSeconds).toBe(seconds);
  });

  it("gives a lifetime that is positive and finite, or none, for any value [REF-7]", () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const seconds = parseExpiresIn(value);
        expect(seconds === undefined || (seconds > 0 && seconds <= 10 * 365 * 86_400)).toBe(true);
      }),
    );
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) expect(parseExpiresIn(value)).toBeUndefined();
  });

  it.each<[string, Record<string, unknown>, number]>([
    ["status 201", {}, 201],
    [
      "members that it does not know",
      { foo: { bar: [1] }, issued_token_type: "x", refresh_token_expires_in: "7" },
      200,
    ],
    ["an ID token that is not one", { id_token: "not-a-jwt" }, 200],
    ["members that are null or empty", { refresh_token: null, scope: "", expires_in: null, id_token: null }, 200],
    ["an error that is empty", { error: "" }, 200],
  ])("takes an answer with %s [AZR-5]", async (_case, members, status) => {
    const tokens = await answered(members, status);
    expect(tokens.accessToken.reveal()).toBe("planted-access-1");
    expect(tokens).not.toHaveProperty("refreshToken");
    expect(tokens).not.toHaveProperty("scope");
  });

  it("does without a refresh token [OFF-2]", async () => {
    expect(await answered({ expires_in: 5 })).not.toHaveProperty("refreshToken");
  });

  it("takes any access token, whatever its shape and length [AZR-5]", async () => {
    for (const access_token of ["x", "a.b.c", "é ü", "t".repeat(100_000)])
      expect((await answered({ access_token })).accessToken.reveal()).toBe(access_token);
  });

  it.each(["planted\nX-Other: 1", "planted\u0000", "planted\u202e", " planted", "planted ", " "])(
    "refuses an access token that no header carries as it is, without showing it: %j",
    async (access_token) => {
      const error = await failureOf(answered({ access_token }));
      expect(error.code).toBe("invalid_response");
      expect(shown(error)).not.toContain("planted");
    },
  );

  it.each<[unknown, string | undefined]>([
    ["a", "a"],
    ["a  b", "a  b"],
    [undefined, undefined],
  ])("gives the granted scope as it came: %j [SCO-6]", async (scope, expected) => {
    expect((await answered({ scope })).scope).toBe(expected);
  });

  it.each<[string, Record<string, unknown>]>([
    ["no access token", { access_token: undefined }],
    ["an empty access token", { access_token: "" }],
    ["an access token that is a number", { access_token: 5 }],
    ["a refresh token that is an object", { refresh_token: { token: "planted-x" } }],
    ["a scope that is a list", { scope: ["a"] }],
  ])("refuses an answer with %s, without showing it", async (_case, members) => {
    const error = await failureOf(answered(members));
    expect(error.code).toBe("invalid_response");
    expect(shown(error)).not.toContain("planted");
  });

  const retry = { "retry-after": "120" };
  it.each<[string, ScriptedRoute, object]>([
    [
      "400 with a code",
      (_, { json }) => json({ error: "invalid_grant" }, 400),
      { oauthError: "invalid_grant", status: 400 },
    ],
    [
      "400 with a code of its own",
      (_, { json }) => json({ error: "x_custom/7" }, 400),
      { oauthError: "x_custom/7", status: 400 },
    ],
    ["400 for the resource", (_, { json }) => json({ error: "invalid_target" }, 400), { oauthError: "invalid_target" }],
    ["400 with an empty body", (_, { text }) => text("", 400), { oauthError: undefined, status: 400 }],
    [
      "400 with a page",
      () => new Response("<h1>planted</h1>", { status: 400 }),
      { oauthError: undefined, status: 400 },
    ],
    [
      "400 with an error that is an object",
      (_, { json }) => json({ error: { code: "x" } }, 400),
      { oauthError: undefined, status: 400 },
    ],
    [
      "401 with a challenge",
      (_, { json }) => json({ error: "invalid_client" }, 401, { "www-authenticate": "Basic" }),
      { oauthError: "invalid_client", status: 401 },
    ],
    ["403", (_, { json }) => json({ error: "invalid_grant" }, 403), { oauthError: "invalid_grant", status: 403 }],
    [
      "200 with an error",
      (_, { json }) => json({ error: "invalid_grant" }, 200),
      { oauthError: "invalid_grant", status: 200 },
    ],
    [
      "200 with an error and a token",
      (_, { json }) => json({ error: "x", access_token: "planted-a", token_type: "Bearer" }),
      { oauthError: "x" },
    ],
    ["429", (_, { text }) => text("", 429, retry), { status: 429, retryAfterMs: 120_000 }],
    [
      "503 with a date",
      (_, { text }) => text("", 503, { "retry-after": "Sat, 22 Aug 2026 12:00:30 GMT" }),
      { status: 503, retryAfterMs: 30_000 },
    ],
    ["500", (_, { json }) => json({ error: "server_error" }, 500), { oauthError: "server_error", status: 500 }],
  ])("gives a typed error for %s [ERR-1] [ERR-3] [RES-7]", async (_case, route, expected) => {
    const { server, outcome } = await requesting(route);
    const error = await failureOf(outcome);
    expect(error).toMatchObject({ code: "token_request_failed", server: SERVER, issuer: server.url });
    for (const [name, value] of Object.entries(expected)) expect(error[name as "status"], name).toBe(value);
    expect(shown(error)).not.toContain("planted");
  });

  it.each<[string, ScriptedRoute, string]>([
    ["204", () => new Response(null, { status: 204 }), "invalid_response"],
    ["200 with an empty body", (_, { text }) => text(""), "invalid_response"],
    [
      "200 with a page",
      () => new Response("<h1>planted</h1>", { headers: { "content-type": "text/html" } }),
      "invalid_response",
    ],
    [
      "200 with a list",
      (_, { json }) => json([{ access_token: "planted-a", token_type: "Bearer" }]),
      "invalid_response",
    ],
    ["200 with a form", () => new Response("access_token=planted-a&token_type=bearer"), "invalid_response"],
    ["a body without end", (_, { endless }) => endless(), "invalid_response"],
    ["a cut connection", () => "reset", "network_failed"],
  ])("gives another for %s [ERR-1]", async (_case, route, code) => {
    const error = await failureOf((await requesting(route)).outcome);
    expect(error.code).toBe(code);
    expect(shown(error)).not.toContain("planted");
  });

  it.each([301, 302, 303, 307, 308])(
    "does not follow a %s with the credentials of its client [SSRF-4]",
    async (status) => {
      const other = await closing(startScriptedServer());
      const { server, outcome } = await requesting((_, { redirect }) => redirect(`${other.url}/token`, status), {
        client: clientAt("x", { secret: "s3cret" }),
      });
      expect((await failureOf(outcome)).code).toBe("invalid_response");
      const same = await requesting((_, { redirect }) => redirect("/other", status));
      await failureOf(same.outcome);
      expect([server, same.server, other].map(({ log }) => log.requests.length)).toEqual([1, 1, 0]);
    },
  );

  it.each(["http://as.example.com/token", "ftp://127.0.0.1/token"])(
    "sends nothing to %s [TLS-1]",
    async (token_endpoint) => {
      const { outcome } = await requesting((_, { text }) => text(""), { metadata: { token_endpoint } });
      const error = await failureOf(outcome);
      expect(["insecure_url", "invalid_response"]).toContain(error.code);
      expect(shown(error)).not.toContain("planted");
    },
  );

  it("ends with the caller's signal [ERR-3]", async () => {
    const stop = new AbortController();
    const { outcome } = await requesting(
      (request, { hang }) => {
        stop.abort();
        return hang(request);
      },
      { signal: stop.signal },
    );
    expect((await failureOf(outcome)).code).toBe("aborted");
  });

  it("shows no secret that the server says back, in any spelling [ERR-2]", async () => {
    const secret = 'planted "s/e+c r\u00e9t"';
    const spellings = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ a: secret }).toString(),
      JSON.stringify(secret),
      // What would be taken out later must not hide it.
      `plan\u200bted${secret.slice(7)}`,
      `\u202e${secret}\ud800`,
    ];
    for (const spelling of spellings) {
      const server = await closing(
        startScriptedServer({
          "*": (_, { json }) => json({ error: `e ${spelling}`, error_description: `d ${spelling}` }, 400),
        }),
      );
      const grant = { type: "refresh_token", parameters: { refresh_token: secret }, secrets: [new Secret(secret)] };
      const error = await failureOf(requestToken(endpointAt(server.url), grant));
      expect(shown(error)).not.toContain("planted");
      expect(error.message).toContain("[redacted]");
    }
  });

  it("shows no secret of which another is the beginning [ERR-2]", async () => {
    const server = await closing(
      startScriptedServer({ "*": (_, { json }) => json({ error: "e", error_description: "token-planted" }, 400) }),
    );
    const grant = { type: "x", parameters: {}, secrets: [new Secret("token"), new Secret("token-planted")] };
    expect(shown(await failureOf(requestToken(endpointAt(server.url), grant)))).not.toContain("planted");
  });

  it("gives tokens or a typed error for whatever a server answers", async () => {
    let next: { status: number; body: string } = { status: 200, body: "" };
    const server = await closing(startScriptedServer({ "*": (_, { text }) => text(next.body, next.status) }));
    const member = fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom("Bearer", "3600", "a b", "planted"));
    const document = fc.record(
      {
        access_token: member,
        token_type: member,
        expires_in: member,
        refresh_token: member,
        scope: member,
        error: member,
        error_description: member,
        id_token: member,
      },
      { requiredKeys: [] },
    );
    const anything = fc.record({
      status: fc.constantFrom(200, 200, 200, 201, 202, 300, 400, 401, 500),
      body: fc.oneof({ weight: 4, arbitrary: document.map((value) => JSON.stringify(value)) }, fc.string(), fc.json()),
    });
    await fc.assert(
      fc.asyncProperty(anything, async (answer) => {
        next = answer;
        try {
          const { accessToken, tokenType } = await requestToken(endpointAt(server.url), REFRESH);
          expect([accessToken.reveal().length > 0, tokenType]).toEqual([true, "Bearer"]);
        } catch (error) {
          await failureOf(Promise.reject(error));
        }
      }),
      { numRuns: 120 },
    );
  });
});
