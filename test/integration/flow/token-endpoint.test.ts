// Answers of a token endpoint to a code.
import { expect, it } from "vitest";
import type { ScriptedOverride } from "../../servers/scripted-authorization-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, startHost, startScripted } from "./support/harness.ts";

const refusals: [name: string, token: ScriptedOverride, expected: object][] = [
  ["an empty 401", (_r, _u, { text }) => text("", 401), { code: "token_request_failed", status: 401 }],
  ["an empty 500", (_r, _u, { text }) => text("", 500), { code: "token_request_failed", status: 500 }],
  ["a page with status 403", (_r, _u, { html }) => html("<p>no", 403), { code: "token_request_failed", status: 403 }],
  [
    "an error under status 200",
    (_r, _u, { json }) => json({ error: "invalid_grant" }),
    { code: "token_request_failed", oauthError: "invalid_grant", status: 200 },
  ],
  [
    "an error that nobody knows",
    (_r, _u, { json }) => json({ error: "quota_exceeded" }, 400),
    { code: "token_request_failed", oauthError: "quota_exceeded", status: 400 },
  ],
  [
    "invalid_target",
    (_r, _u, { json }) => json({ error: "invalid_target" }, 400),
    { code: "token_request_failed", oauthError: "invalid_target" },
  ],
  [
    "a Retry-After",
    (_r, _u, { json }) => json({ error: "slow_down" }, 429, { "retry-after": "7" }),
    { code: "token_request_failed", status: 429, retryAfterMs: 7000 },
  ],
  ["a page", (_r, _u, { html }) => html("<p>Welcome"), { code: "invalid_response" }],
  ["an empty answer", (_r, _u, { text }) => text("", 200), { code: "invalid_response" }],
  ["a cut connection", () => "reset", { code: "network_failed" }],
  ["an endless answer", (_r, _u, { endless }) => endless(), { code: "invalid_response" }],
];

for (const [name, token, expected] of refusals) {
  it(`redeems a code once and says what happened when it is answered by ${name} [AZR-6] [ERR-1]`, async () => {
    const server = await startScripted({ token });
    const host = startHost();
    const error = await failure(host.tokens.signIn(server.mcpUrl), (expected as { code: "invalid_response" }).code);
    expect(error).toMatchObject({ server: server.mcpUrl.href, issuer: server.issuer, ...expected });
    expect(error.message).toContain(server.issuer);
    expect(server.log.count("POST", "/token")).toBe(1);
    expect((await host.pages[0])?.status).toBe(400);
    expect(await host.tokens.status()).toEqual([]);
  });
}

it("waits for a token endpoint no longer than it may, and does not send the code again [AZR-6]", async () => {
  const clock = new ManualClock();
  const server = await startScripted({
    token: (request, _usual, { hang }) => {
      setImmediate(() => clock.advance(5000));
      return hang(request);
    },
  });
  const error = await failure(startHost({ clock, requestTimeoutMs: 5000 }).tokens.signIn(server.mcpUrl), "timeout");
  expect(error.message).toContain("5000 ms");
  expect(server.log.count("POST", "/token")).toBe(1);
});

it("follows no redirect with a code in hand, neither here nor elsewhere [SSRF-4]", async () => {
  const elsewhere = await startScripted();
  for (const target of ["/token2", `${elsewhere.url}/token`]) {
    for (const status of [302, 307, 308]) {
      const server = await startScripted({ token: (_r, _u, { redirect }) => redirect(target, status) });
      await failure(startHost().tokens.signIn(server.mcpUrl), "invalid_response");
      expect(server.log.count("*", "/token2")).toBe(0);
    }
  }
  expect(elsewhere.log.count("*")).toBe(0);
});

for (const [name, tokenResponse, isGood] of [
  ["bearer in small letters", { token_type: "bearer" }, true],
  ["BEARER in capitals", { token_type: "BEARER" }, true],
  ["mac", { token_type: "mac" }, false],
  ["no token type", { token_type: undefined }, false],
  ["a DPoP token that nobody asked for", { token_type: "DPoP" }, false],
  ["N_A", { token_type: "N_A" }, false],
] as const) {
  it(`${isGood ? "takes" : "does not use"} a token of type ${name} [TOK-4]`, async () => {
    const server = await startScripted({ tokenResponse });
    const { tokens } = startHost();
    if (isGood) expect((await tokens.signIn(server.mcpUrl)).tokenType).toBe("Bearer");
    else await failure(tokens.signIn(server.mcpUrl), "invalid_response");
  });
}

for (const [name, expires_in, lifetimeMs] of [
  ["a number", 60, 60_000],
  ["a text", "60", 60_000],
  ["zero", 0, undefined],
  ["a negative number", -1, undefined],
  ["nothing", undefined, undefined],
  ["null", null, undefined],
  ["a word", "soon", undefined],
] as const) {
  it(`reads ${name} in expires_in as ${lifetimeMs === undefined ? "no hint" : "seconds from now"} [REF-7]`, async () => {
    const clock = new ManualClock();
    const server = await startScripted({ tokenResponse: { expires_in } });
    const { expiresAt } = await startHost({ clock }).tokens.signIn(server.mcpUrl);
    expect(expiresAt).toBe(lifetimeMs === undefined ? undefined : clock.now() + lifetimeMs);
  });
}

it("keeps the granted scope apart from what it asked for, and takes silence for all of it [SCO-6]", async () => {
  const server = await startScripted({
    protectedResource: { scopes_supported: ["a", "B"] },
    tokenResponse: { scope: "a" },
  });
  const { tokens } = startHost();
  expect((await tokens.signIn(server.mcpUrl)).scope).toBe("a");
  server.options.tokenResponse = { scope: undefined };
  expect((await tokens.signIn(server.mcpUrl)).scope).toBe("a B");
});

it("lets no code, verifier or token into an error, an event or the page", async () => {
  const server = await startScripted({
    token: ({ form }, _usual, { json }) =>
      json({ error: form.get("code"), error_description: [...form.values()].join(" ") }, 400),
  });
  const host = startHost();
  const error = await failure(host.tokens.signIn(server.mcpUrl), "token_request_failed");
  const sent = new URLSearchParams(server.log.find("POST", "/token")[0]?.body);
  const seen = [
    error.message,
    error.stack,
    JSON.stringify([error, host.events]),
    String(error.cause),
    (await host.pages[0])?.body,
  ];
  for (const name of ["code", "code_verifier"]) expect(seen.join("\n")).not.toContain(sent.get(name));
});
