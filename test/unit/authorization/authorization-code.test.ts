import { describe, expect, it } from "vitest";
import { redeemAuthorizationResponse } from "../../../src/authorization/grants/authorization-code.ts";
import { createAuthorizationRequest } from "../../../src/authorization/request.ts";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { clientAt, closingAfterEach, manualHttp, metadataAt, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();
const REDIRECT = "http://127.0.0.1:4321/callback";
const CODE = "planted/code+1 ~é";

async function start(
  token: ScriptedRoute = (_, { json }) => json({ access_token: "planted-access", token_type: "Bearer" }),
) {
  const server = await closing(startScriptedServer({ "POST /token": token, "*": (_, { text }) => text("no", 404) }));
  const { http, clock } = manualHttp();
  const request = createAuthorizationRequest({
    server: SERVER,
    authorizationServer: metadataAt(server.url, { authorization_response_iss_parameter_supported: true }),
    client: clientAt(server.url),
    redirectUri: REDIRECT,
    resource: "https://mcp.example.com",
  });
  const redeem = (parameters: Record<string, string>) =>
    redeemAuthorizationResponse({ http, clock }, request, new URLSearchParams(parameters));
  const good = { code: CODE, state: request.state, iss: server.url };
  return { server, request, redeem, good, clock };
}

describe("redeemAuthorizationResponse", () => {
  it("redeems the code with its verifier, its redirect URI and the resource of its request [PKCE-1] [AZR-2] [AZR-4] [RES-1] [RES-3]", async () => {
    const { server, request, redeem, good } = await start();
    expect((await redeem(good)).accessToken.reveal()).toBe("planted-access");
    const [sent] = server.log.requests;
    expect(sent?.headers["content-type"]).toMatch(/^application\/x-www-form-urlencoded/);
    expect(sent?.query.size).toBe(0);
    expect(Object.fromEntries(new URLSearchParams(sent?.body))).toEqual({
      grant_type: "authorization_code",
      client_id: "client",
      code: CODE,
      redirect_uri: REDIRECT,
      code_verifier: request.codeVerifier.reveal(),
      resource: "https://mcp.example.com",
    });
  });

  it.each<[string, (good: Record<string, string>) => Record<string, string>, string]>([
    ["another issuer", (good) => ({ ...good, iss: "https://evil.example" }), "issuer_mismatch"],
    ["no issuer", ({ iss: _iss, ...rest }) => rest, "issuer_mismatch"],
    ["another state", (good) => ({ ...good, state: "x" }), "invalid_authorization_response"],
    ["no code", ({ code: _code, ...rest }) => rest, "invalid_authorization_response"],
    ["an error", (good) => ({ ...good, error: "access_denied" }), "authorization_denied"],
  ])("sends nothing to a token endpoint for a response with %s [ISS-7] [STATE-1]", async (_case, change, code) => {
    const { server, redeem, good } = await start();
    expect((await failureOf(redeem(change(good)))).code).toBe(code);
    expect(server.log.requests).toEqual([]);
  });

  it("goes to the endpoint that was known when the user was sent off, and looks nothing up again [ISS-9]", async () => {
    const { server, redeem, good } = await start();
    const other = await closing(
      startScriptedServer({ "*": (_, { json }) => json({ access_token: "x", token_type: "Bearer" }) }),
    );
    server.routes["/.well-known/oauth-authorization-server"] = (_, { json }) => json(metadataAt(other.url));
    await redeem(good);
    expect(server.log.requests.map(({ path }) => path)).toEqual(["/token"]);
    expect(other.log.requests).toEqual([]);
  });

  it.each<[string, ScriptedRoute]>([
    ["a cut connection", () => "reset"],
    ["503", (_, { text }) => text("", 503)],
    ["invalid_grant", (_, { json }) => json({ error: "invalid_grant" }, 400)],
    ["a broken answer", (_, { text }) => text("{", 200)],
    ["a redirect", (_, { redirect }) => redirect("/token", 307)],
  ])("sends a code once, also after %s [AZR-6]", async (_case, token) => {
    const { server, redeem, good } = await start(token);
    await failureOf(redeem(good));
    expect(server.log.requests).toHaveLength(1);
  });

  it("sends a code once, also when no answer comes in time [AZR-6]", async () => {
    const { server, redeem, good, clock } = await start((request, { hang }) => {
      clock.advance(30_000);
      return hang(request);
    });
    expect((await failureOf(redeem(good))).code).toBe("timeout");
    expect(server.log.requests).toHaveLength(1);
  });

  it("copes with a long code and parameters that it does not know [AZR-5]", async () => {
    const { server, redeem, good } = await start();
    const code = "c".repeat(16 * 1024);
    await redeem({ ...good, code, session_state: "x", scope: "a", authuser: "0" });
    expect(new URLSearchParams(server.log.requests[0]?.body).get("code")).toBe(code);
  });

  it.each<[string, (sent: URLSearchParams) => Response]>([
    [
      "an error",
      (sent) => Response.json({ error: `bad ${sent.get("code")}`, error_description: `${sent}` }, { status: 400 }),
    ],
    [
      "an error that quotes it",
      (sent) =>
        Response.json(
          { error: "x", error_description: `code ${sent.get("code")} with ${sent.get("code_verifier")}` },
          { status: 400 },
        ),
    ],
    ["an odd token type", (sent) => Response.json({ access_token: "planted-access", token_type: sent.get("code") })],
    ["no JSON", (sent) => new Response(`${sent}`, { status: 200 })],
    [
      "a cut-off document",
      (sent) =>
        new Response(`{"access_token":"planted-access","x":"${sent.get("code_verifier")}`, {
          headers: { "content-type": "application/json" },
        }),
    ],
  ])("shows neither code nor verifier when the server echoes them in %s [PKCE-5] [ERR-2]", async (_case, answer) => {
    const { redeem, good, request } = await start(({ form }) => answer(form));
    const error = await failureOf(redeem(good));
    for (const secret of ["planted", encodeURIComponent(CODE), request.codeVerifier.reveal()])
      expect(shown(error)).not.toContain(secret);
  });
});
