import type { TokenManager } from "mcp-oauth-client";
import { describe, expect } from "vitest";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { closing, failure, startHost } from "../flow/support/harness.ts";
import { patient, WaitingClock } from "../grants/support/waiting-clock.ts";
import {
  type RequestRedirectCase,
  requestRedirects,
  type SessionRedirectCase,
  sessionRedirects,
  signInRedirects,
} from "./cases/redirects.ts";
import { hostile } from "./support/case.ts";
import { runSignIn, startParties } from "./support/sign-in.ts";

const TOKEN = "the-token-in-hand";
const IDENTIFYING = { cookie: "session=1", "mcp-session-id": "7", "proxy-authorization": "Basic eDp5" };

/** Sends the request; or opens a stream, as the transport does that has no sessions, and posts to where that says. */
async function send(tokens: TokenManager, url: string, afterwards: string | undefined): Promise<void> {
  const fetch = tokens.fetch(url);
  const message = { method: "POST", body: "hello" };
  const stream = { headers: { accept: "text/event-stream" } };
  await (await fetch(url, afterwards === undefined ? { ...message, headers: IDENTIFYING } : stream)).text();
  if (afterwards !== undefined) await (await fetch(afterwards, message)).text();
}

async function runRequest(each: RequestRedirectCase): Promise<void> {
  const victim = closing(await startScriptedServer());
  const server = closing(await startScriptedServer());
  const places = { own: server.url, victim: victim.url };
  Object.assign(server.routes, each.routes(places));
  victim.routes["*"] = each.victim?.(places) ?? ((_request, { text }) => text("taken"));
  // Names lead to servers of this machine.
  const routed: typeof fetch = (input, init) =>
    fetch(
      String(input)
        .replace("http://plain.example.com", victim.url)
        .replace(each.name ?? "no name", server.url),
      init,
    );
  const { tokens, opened, events } = startHost({ fetch: routed });
  const url = `${each.name ?? server.url}/mcp`;
  await tokens.setToken(url, TOKEN, each.header === undefined ? {} : { header: each.header });
  const sent = send(tokens, url, each.afterwards?.(places));
  if (each.ends === "TypeError") await expect(sent).rejects.toThrow(TypeError);
  else if (each.ends !== undefined) await failure(sent, each.ends);
  else await sent;

  expect(victim.log.requests).toHaveLength(each.arrives ?? 0);
  for (const { headers } of victim.log.requests) {
    expect(JSON.stringify(headers)).not.toContain(TOKEN);
    for (const name of Object.keys(IDENTIFYING)) expect(headers, name).not.toHaveProperty(name);
  }
  const withToken = server.log.requests.filter(({ headers }) => JSON.stringify(headers).includes(TOKEN));
  expect(withToken.length).toBeGreaterThan(0);
  expect(withToken.length).toBeLessThanOrEqual(each.withToken ?? 1);
  expect(opened).toEqual([]);
  expect(events.filter(({ type }) => type === "challenge_received")).toEqual([]);
}

async function runSession({ endpoint, status }: SessionRedirectCase): Promise<void> {
  const clock = new WaitingClock();
  // A refresh that fails is tried again after a while.
  const { server, victim, host } = await startParties({}, endpoint === "token" ? { clock, ...patient } : {});
  const { tokens } = host;
  await tokens.signIn(server.mcpUrl);
  server.options[endpoint] = (_request, _usual, { redirect }) => redirect(`${victim.url}/take`, status);
  if (endpoint === "token") {
    clock.jump(2 * 3_600_000);
    await failure(tokens.get(server.mcpUrl), "refresh_failed");
    expect(await tokens.status()).toHaveLength(1);
    expect(host.opened).toHaveLength(1);
  } else {
    const [result] = await tokens.signOut(server.mcpUrl);
    expect(result).toMatchObject({ error: { code: "invalid_response" } });
    expect(await tokens.status()).toEqual([]);
  }
  expect(victim.log.requests).toEqual([]);
}

describe("a redirect", () => {
  hostile(signInRedirects, runSignIn);
  hostile(requestRedirects, runRequest);
  hostile(sessionRedirects, runSession);
});
