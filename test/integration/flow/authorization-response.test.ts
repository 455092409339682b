// What comes back from the browser is checked before anything else happens: state, issuer, errors.
import type { RedirectReceiver } from "mcp-oauth-client";
import { expect, it } from "vitest";
import type { ScriptedOverride } from "../../servers/scripted-authorization-server.ts";
import { withLocationQuery } from "../../servers/scripted-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { callbackOf, failure, startHost, startScripted } from "./support/harness.ts";
import { startPair } from "./support/real-servers.ts";

/** Adds raw text to the query of the redirect. */
function withRawQuery(text: string): ScriptedOverride {
  return async (_request, usual) => {
    const answer = await usual();
    return new Response(null, { status: 302, headers: { location: `${answer.headers.get("location")}&${text}` } });
  };
}

function withQuery(changes: Record<string, string | undefined>): ScriptedOverride {
  return async (_request, usual) => withLocationQuery(await usual(), changes);
}

const strays: Record<string, (url: URL) => URL> = {
  "a wrong state": (url) => callbackOf(url, { code: "c", state: "wrong" }),
  "no state": (url) => callbackOf(url, { code: "c" }),
  "an empty state": (url) => callbackOf(url, { code: "c", state: "" }),
  "a forged error": (url) => callbackOf(url, { error: "access_denied", state: "wrong" }),
};

for (const [name, stray] of Object.entries(strays)) {
  it(`drops a response with ${name} and goes on waiting for the right one [STATE-1] [STATE-2]`, async () => {
    const server = await startScripted();
    const host = startHost({ person: "nobody" });
    const signIn = host.tokens.signIn(server.mcpUrl);
    const url = await host.whenOpened();
    const answer = await fetch(stray(url));
    expect(answer.status).toBe(400);
    expect(await answer.text()).toContain("not valid");
    expect(server.log.count("POST", "/token")).toBe(0);
    await new UserAgent().open(url);
    await signIn;
    expect(server.log.count("POST", "/token")).toBe(1);
  });
}

it("takes a response once: the same address opened again leads to a page that says so [STATE-1]", async () => {
  const [one, other] = [await startScripted(), await startScripted()];
  const redirect = { port: 0 };
  const host = startHost({ person: "nobody", redirect });
  const first = host.tokens.signIn(one.mcpUrl);
  // A second sign-in keeps the listener open.
  void host.tokens.signIn(other.mcpUrl).catch(() => undefined);
  await host.whenOpened(2);
  const url = host.opened.find(({ origin }) => origin === one.url) as URL;
  const page = await new UserAgent().open(url);
  await first;
  const again = await fetch(page.url);
  expect(again.status).toBe(410);
  expect(one.log.count("POST", "/token")).toBe(1);
});

for (const [name, parameters] of [
  ["a wrong state", { code: "c", state: "wrong" }],
  ["no state", { code: "c" }],
  ["a state that only starts right", (state: string) => ({ code: "c", state: state.slice(0, -1) })],
] as const) {
  it(`refuses ${name} also when the host's own receiver lets it through [STATE-1]`, async () => {
    const server = await startScripted();
    const redirectReceiver: RedirectReceiver = {
      open: async () => ({
        redirectUri: "http://127.0.0.1:1/callback",
        arrival: async (state) => ({
          parameters: new URLSearchParams({
            ...(typeof parameters === "function" ? parameters(state) : parameters),
            iss: server.issuer,
          }),
          respond: async () => undefined,
        }),
        close: async () => undefined,
      }),
    };
    const { tokens } = startHost({ redirectReceiver, person: "nobody" });
    const error = await failure(tokens.signIn(server.mcpUrl), "invalid_authorization_response", server.mcpUrl);
    expect(error.message).toContain("state");
    expect(server.log.count("POST", "/token")).toBe(0);
  });
}

it("takes two states in one response for none [STATE-1]", async () => {
  const server = await startScripted({ authorize: withRawQuery("state=another") });
  const { tokens } = startHost();
  await failure(tokens.signIn(server.mcpUrl), "invalid_authorization_response", server.mcpUrl);
  expect(server.log.count("POST", "/token")).toBe(0);
});

const advertised = undefined;
const unadvertised = { authorization_response_iss_parameter_supported: false };
const otherIssuer = "https://evil.example";

const badIssuers: [
  name: string,
  ids: string,
  metadata: object | undefined,
  authorize: (issuer: string) => ScriptedOverride,
][] = [
  ["a wrong iss", "[ISS-2]", advertised, () => withQuery({ iss: otherIssuer })],
  ["no iss though it is advertised", "[ISS-3]", advertised, () => withQuery({ iss: undefined })],
  ["an empty iss", "[ISS-2]", advertised, () => withQuery({ iss: "" })],
  ["a wrong iss that is not advertised", "[ISS-4]", unadvertised, () => withQuery({ iss: otherIssuer })],
  ["an iss with a slash more", "[ISS-6]", advertised, (issuer) => withQuery({ iss: `${issuer}/` })],
  ["an iss in capitals", "[ISS-6]", advertised, (issuer) => withQuery({ iss: issuer.toUpperCase() })],
  [
    "an iss with an encoded character",
    "[ISS-6]",
    advertised,
    (issuer) => withQuery({ iss: issuer.replace("1", "%31") }),
  ],
  ["an iss with a space behind", "[ISS-6]", advertised, (issuer) => withQuery({ iss: `${issuer} ` })],
];

for (const [name, ids, metadata, authorize] of badIssuers) {
  it(`refuses ${name}, before the code leaves [ISS-7] ${ids}`, async () => {
    const server = await startScripted({ ...(metadata && { metadata: { ...metadata } }) });
    server.options.authorize = authorize(server.issuer);
    const host = startHost();
    const error = await failure(host.tokens.signIn(server.mcpUrl), "issuer_mismatch", server.mcpUrl);
    expect(error.issuer).toBe(server.issuer);
    expect(error.message).toContain(server.issuer);
    expect(server.log.count("POST", "/token")).toBe(0);
    const page = await host.pages[0];
    expect(page?.status).toBe(400);
    expect(page?.body).not.toContain(otherIssuer);
  });
}

for (const [name, value] of [
  ["the same", (issuer: string) => issuer],
  ["another", () => otherIssuer],
] as const) {
  it(`refuses a second iss, ${name} [ISS-9]`, async () => {
    const server = await startScripted();
    server.options.authorize = withRawQuery(`iss=${encodeURIComponent(value(server.issuer))}`);
    const { tokens } = startHost();
    await failure(tokens.signIn(server.mcpUrl), "invalid_authorization_response", server.mcpUrl);
    expect(server.log.count("POST", "/token")).toBe(0);
  });
}

it("acts on no error of a response that names two issuers [ISS-8] [ISS-9]", async () => {
  const server = await startScripted({
    authorize: async (_request, usual) => {
      const answer = withLocationQuery(await usual(), { code: undefined, error: "access_denied" });
      const location = answer === "reset" ? "" : answer.headers.get("location");
      return new Response(null, { status: 302, headers: { location: `${location}&iss=${otherIssuer}` } });
    },
  });
  const error = await failure(startHost().tokens.signIn(server.mcpUrl), "invalid_authorization_response");
  expect(error.oauthError).toBeUndefined();
  expect(error.message).not.toContain("access_denied");
});

it("does not take the default port for no port in iss [ISS-6]", async () => {
  const server = await startScripted();
  const issuer = "https://as.example";
  // The real server under a name without a port, which it cannot have on loopback.
  const throughProxy: typeof fetch = (input, init) => fetch(String(input).replace(issuer, server.url), init);
  server.options.metadata = (usual) =>
    Object.fromEntries(
      Object.entries(usual).map(([name, value]) => {
        const isMovable = typeof value === "string" && name !== "authorization_endpoint";
        return [name, isMovable ? value.replace(server.url, issuer) : value];
      }),
    );
  server.options.protectedResource = { authorization_servers: [issuer] };
  server.options.authorize = withQuery({ iss: `${issuer}:443` });
  const { tokens } = startHost({ fetch: throughProxy });
  const error = await failure(tokens.signIn(server.mcpUrl), "issuer_mismatch");
  expect(error.message).toContain(`${issuer}:443`);
  expect(server.log.count("POST", "/token")).toBe(0);
  server.options.authorize = withQuery({ iss: issuer });
  expect((await tokens.signIn(server.mcpUrl)).issuer).toBe(issuer);
});

it("takes the right iss also where it is not advertised, and none where none is [ISS-4] [ISS-5]", async () => {
  const server = await startScripted({ metadata: unadvertised });
  const { tokens } = startHost();
  await tokens.signIn(server.mcpUrl);
  server.options.authorize = withQuery({ iss: undefined });
  await tokens.signIn(server.mcpUrl);
  expect(server.log.count("POST", "/token")).toBe(2);
});

it("tells that the person said no, and the page says so too [STEP-6] [ERR-1]", async () => {
  const { as, mcp } = await startPair();
  const host = startHost({ person: new UserAgent({ deny: true }) });
  const error = await failure(host.tokens.get(mcp.url), "authorization_denied", mcp.url);
  expect(error).toMatchObject({ issuer: as.issuer, oauthError: "access_denied" });
  expect(as.log.count("POST", "/token")).toBe(0);
  expect((await host.pages[0])?.body).toMatch(/denied|did not|not signed in/i);
  expect(await host.tokens.status()).toEqual([]);
});

const errorResponses = [
  ["access_denied", "authorization_denied", "[STEP-6]"],
  ["consent_required", "authorization_denied", ""],
  ["invalid_scope", "authorization_failed", "[STEP-6]"],
  ["invalid_target", "authorization_failed", "[RES-7]"],
  ["temporarily_unavailable", "authorization_failed", ""],
  ["something_new", "authorization_failed", ""],
] as const;

for (const [oauthError, code, ids] of errorResponses) {
  it(`turns the error ${oauthError} into ${code}, with the server's words in quotes [ERR-1] ${ids}`, async () => {
    const words = { error: oauthError, error_description: 'say "no"\n\u001b[31mred' };
    const server = await startScripted({ authorize: withQuery({ code: undefined, ...words }) });
    const host = startHost();
    const error = await failure(host.tokens.signIn(server.mcpUrl), code, server.mcpUrl);
    expect(error).toMatchObject({ oauthError, issuer: server.issuer });
    expect(error.message).toContain("\"say 'no' [31mred\"");
    expect(error.message).not.toMatch(/\p{Cc}/u);
    expect(server.log.count("POST", "/token")).toBe(0);
    expect((await host.pages[0])?.body).not.toContain("say");
  });
}

it("shows nothing of an error whose issuer is wrong: not in the error, not in an event, not on the page [ISS-8]", async () => {
  const canary = "call-0800-phish";
  const forged = {
    code: undefined,
    iss: otherIssuer,
    error: "access_denied",
    error_description: canary,
    error_uri: canary,
  };
  const server = await startScripted({ authorize: withQuery(forged) });
  const host = startHost();
  const error = await failure(host.tokens.signIn(server.mcpUrl), "issuer_mismatch");
  expect(error.oauthError).toBeUndefined();
  const all = `${error.message} ${String(error.cause)} ${error.stack} ${JSON.stringify([error, host.events])} ${(await host.pages[0])?.body}`;
  expect(all).not.toContain(canary);
  expect(all).not.toContain("access_denied");
});

it("makes an error code inert before it hands it on [ERR-1]", async () => {
  const server = await startScripted({ authorize: withQuery({ code: undefined, error: "bad\u001b[2J\u202ecode" }) });
  const error = await failure(startHost().tokens.signIn(server.mcpUrl), "authorization_failed");
  expect(error.oauthError).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

for (const [name, change] of [
  ["without a code", withQuery({ code: undefined })],
  ["with an empty code", withQuery({ code: "" })],
  ["with two codes", withRawQuery("code=another")],
  ["as a JWT", withRawQuery("response=eyJh")],
] as const) {
  it(`refuses a response ${name}`, async () => {
    const server = await startScripted({ authorize: change });
    await failure(startHost().tokens.signIn(server.mcpUrl), "invalid_authorization_response", server.mcpUrl);
    expect(server.log.count("POST", "/token")).toBe(0);
  });
}

it("ignores what it does not know in a response, and takes codes of any size that fits [AZR-5]", async () => {
  const code = "c".repeat(8 * 1024);
  const server = await startScripted({
    authorize: withQuery({ code, session_state: "s", scope: "other", expires_in: "1" }),
    token: (_request, _usual, { json }) =>
      json({ access_token: "t", token_type: "Bearer", extra: { a: 1 }, id_token: "x" }),
  });
  expect((await startHost().tokens.signIn(server.mcpUrl)).accessToken.reveal()).toBe("t");
  expect(new URLSearchParams(server.log.find("POST", "/token")[0]?.body).get("code")).toBe(code);
});

it("takes a response by form_post as well", async () => {
  const server = await startScripted();
  const host = startHost({ person: "nobody" });
  const signIn = host.tokens.signIn(server.mcpUrl);
  const url = await host.whenOpened();
  const answer = await fetch(url, { redirect: "manual" });
  const target = new URL(answer.headers.get("location") ?? "");
  const page = await fetch(`${target.origin}${target.pathname}`, { method: "POST", body: target.searchParams });
  expect(await page.text()).toContain("You are signed in");
  await signIn;
});
