// The four parts of the demo, as somebody sees them who uses an app.
import { setTimeout as sleep } from "node:timers/promises";
import type { McpOAuthEvent, TokenManager, TokenResult } from "mcp-oauth-client";
import type { App } from "./app.ts";
import { DEMO_USER_AGENT } from "./journal.ts";
import type { Stage } from "./stage.ts";
import { Steps } from "./steps.ts";

const CONNECT_REQUESTS = ["POST MCP server /mcp 200", "POST MCP server /mcp 202", "GET MCP server /mcp 200"];
const CALL_REQUESTS = ["POST MCP server /mcp 200"];
const TOKEN_REQUESTS = ["POST auth server /token 200"];
const REVOCATION_REQUESTS = ["POST auth server /token/revocation 200", "POST auth server /token/revocation 200"];

/** Nothing in the demo takes longer, but for a person. */
const PATIENCE_MS = 10_000;

export async function play(stage: Stage): Promise<void> {
  const first = await firstStart(stage);
  const app = await secondStart(stage, first);
  const newest = await staysSignedIn(stage, app);
  await signOut(stage, app, newest);
}

/** @returns the token that the app got. */
async function firstStart(stage: Stage): Promise<TokenResult> {
  const { report, journal, mcpServer } = stage;
  report.section("The app starts for the first time. It calls client.connect(), once.");
  const app = stage.startApp();
  const steps = new Steps(stage, [
    "challenge",
    "discovery",
    "registration",
    "sign-in",
    "token",
    "connected",
    "tool call",
  ]);
  watchSignIn(stage, app.tokens, steps);
  await steps.attempt(app.connect(mcpServer.url));
  await journal.arrived(CONNECT_REQUESTS.length);
  steps.done({
    step: "connected",
    where: "MCP server",
    what: "refused request again: accepted",
    asked: CONNECT_REQUESTS,
  });
  await callTool(stage, app, steps);
  steps.end();
  const token = await app.tokens.get(mcpServer.url);
  await app.end();
  return token;
}

function watchSignIn(stage: Stage, tokens: TokenManager, steps: Steps): void {
  const { journal, person, authorizationServer } = stage;
  const watched = <Name extends McpOAuthEvent["type"]>(name: Name, watch: (event: McpOAuthEvent<Name>) => void): void =>
    void tokens.on(name, steps.listener(watch));

  watched("challenge_received", ({ at }) => {
    const asked = ["POST MCP server /mcp 401"];
    steps.done({ step: "challenge", where: "MCP server", what: "401: sign in first", asked, at });
  });
  watched("authorization_server_selected", ({ at, issuer }) => {
    steps.prove(issuer === authorizationServer.issuer, `The library chose another authorization server: ${issuer}.`);
    const asked = [
      "GET MCP server /.well-known/oauth-protected-resource/mcp 200",
      "GET auth server /.well-known/oauth-authorization-server 200",
    ];
    steps.done({ step: "discovery", where: "both", what: "auth server found, issuer checked", asked, at });
  });
  watched("client_obtained", ({ at, how }) => {
    steps.prove(how === "dynamic", `The client id came by another way: ${how}.`);
    const asked = ["POST auth server /reg 201"];
    steps.done({ step: "registration", where: "auth server", what: "client id, by dynamic registration", asked, at });
  });
  watched("token_issued", ({ at, refreshable }) => {
    steps.prove(refreshable, "The server gave no refresh token.");
    const taken = journal.take();
    const byBrowser = taken.filter(({ by }) => by === "browser");
    const byClient = taken.filter(({ by }) => by !== "browser");
    const what = person === "real" ? "login and consent, by you" : "login and consent, played by demo";
    steps.proved({ step: "sign-in", where: "browser", what, at: byClient[0]?.at ?? at }, byBrowser);
    const exchange = { step: "token", where: "auth server", what: "trades the code (PKCE) for tokens" };
    steps.proved({ ...exchange, asked: TOKEN_REQUESTS, at }, byClient);
  });
}

/**
 * @param old the token of the app's first run, which has ended.
 * @returns the running app.
 */
async function secondStart(stage: Stage, old: TokenResult): Promise<App> {
  const { report, journal, mcpServer } = stage;
  report.section("The app starts again, after its token has expired.");
  const steps = new Steps(stage, ["old token", "refresh", "connected", "tool call"]);
  await sleep(timeLeft(old) + 100);
  steps.pause("The app is not running until the token has expired.");
  await expectRefusal(stage, steps, old, "really is expired: refused, 401");
  const app = stage.startApp();
  app.tokens.on(
    "sign_in_started",
    steps.listener(() => steps.prove(false, "The person was asked to sign in again.")),
  );
  const stopWatching = app.tokens.on(
    "token_refreshed",
    steps.listener(({ at }) => {
      const what = "a new token, and nobody was asked";
      steps.done({ step: "refresh", where: "auth server", what, asked: TOKEN_REQUESTS, at });
    }),
  );
  await steps.attempt(app.connect(mcpServer.url));
  stopWatching();
  await journal.arrived(CONNECT_REQUESTS.length);
  steps.done({ step: "connected", where: "MCP server", what: "accepted at the first try", asked: CONNECT_REQUESTS });
  await callTool(stage, app, steps);
  steps.end();
  return app;
}

/** @returns the newest token. */
async function staysSignedIn(stage: Stage, app: App): Promise<TokenResult> {
  const { report, mcpServer } = stage;
  report.section("The app keeps running, and its token is about to expire.");
  const steps = new Steps(stage, ["refresh", "tool call"]);
  const refreshed = new Promise<McpOAuthEvent<"token_refreshed">>((resolve, reject) => {
    app.tokens.on("token_refreshed", resolve);
    setTimeout(() => reject(new Error("No refresh came by itself.")), PATIENCE_MS).unref();
  });
  const { at, durationMs = 0 } = await steps.attempt(refreshed);
  steps.pause("The app has nothing to do until 80 % of the token's life are over.", at - durationMs);
  steps.done({
    step: "refresh",
    where: "auth server",
    what: "before it expires; no call waits",
    asked: TOKEN_REQUESTS,
    at,
  });
  await callTool(stage, app, steps);
  steps.end();
  return app.tokens.get(mcpServer.url);
}

async function signOut(stage: Stage, app: App, newest: TokenResult): Promise<void> {
  const { report, mcpServer } = stage;
  report.section("The person signs out.");
  const steps = new Steps(stage, ["sign-out", "old token", "token store"]);
  const [result] = await steps.attempt(app.tokens.signOut(mcpServer.url));
  steps.prove(result?.revocation === "revoked", `The server did not revoke the session: ${result?.revocation}.`);
  steps.done({ step: "sign-out", where: "auth server", what: "both tokens revoked", asked: REVOCATION_REQUESTS });
  await expectRefusal(stage, steps, newest, "revoked before its time: 401");
  // The server counts whole seconds, so a token may die up to a second before the time that the client has noted.
  steps.prove(
    timeLeft(newest) > 1000,
    "It took so long that the token may have expired by itself. Run the demo again.",
  );
  const sessions = await steps.attempt(app.tokens.status());
  steps.prove(sessions.length === 0, "There still is a session in it.");
  steps.done({ step: "token store", where: "here", what: "has no token any more" });
  steps.end();
  await app.end();
}

async function callTool({ person }: Stage, app: App, steps: Steps): Promise<void> {
  const name = await steps.attempt(app.whoAmI());
  steps.prove(name === "alice" || person === "real", `The tool whoami answered ${name} instead of alice.`);
  steps.done({ step: "tool call", where: "MCP server", what: `whoami answers "${name}"`, asked: CALL_REQUESTS });
}

/** Sends a token as somebody would who has stolen it: without the library. */
async function expectRefusal({ mcpServer }: Stage, steps: Steps, token: TokenResult, what: string): Promise<void> {
  const headers = { authorization: `Bearer ${token.accessToken.reveal()}`, "user-agent": DEMO_USER_AGENT };
  const { status } = await steps.attempt(fetch(mcpServer.url, { method: "POST", headers, body: "{}" }));
  steps.prove(status === 401, `The MCP server answered ${status} to it instead of 401.`);
  steps.done({ step: "old token", where: "MCP server", what });
}

function timeLeft({ expiresAt }: TokenResult): number {
  return (expiresAt ?? 0) - Date.now();
}
