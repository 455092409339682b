import { describe, expect } from "vitest";
import type { ScriptedRoute } from "../../servers/scripted-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { callbackOf, failure } from "../flow/support/harness.ts";
import { type LoopCase, loopCases, type StallCase, sizeCases, stallCases } from "./cases/size-and-time.ts";
import { hostile } from "./support/case.ts";
import { expectUnharmed, type Parties, runSignIn, startParties } from "./support/sign-in.ts";

const REQUEST_MS = 30_000;
const SIGN_IN_MS = 300_000;

/** A route that answers when it is let go, and not before. */
class Stall {
  readonly arrived: Promise<void>;
  readonly route: ScriptedRoute;
  letGo: () => void = () => undefined;
  #arrive: () => void = () => undefined;

  constructor(after: StallCase["after"]) {
    this.arrived = new Promise((resolve) => {
      this.#arrive = resolve;
    });
    const released = new Promise<void>((resolve) => {
      this.letGo = resolve;
    });
    this.route = async (_request, { text }) => {
      this.#arrive();
      if (after === "the head")
        return new Response(this.#halfBody(released), { headers: { "content-type": "application/json" } });
      await released;
      return text("{}");
    };
  }

  #halfBody(released: Promise<void>): ReadableStream {
    return new ReadableStream({
      async start(controller) {
        controller.enqueue(new TextEncoder().encode("{"));
        await released;
        controller.enqueue(new TextEncoder().encode("}"));
        controller.close();
      },
    });
  }
}

async function runStall({ at, after, reaches }: StallCase): Promise<void> {
  const clock = new ManualClock();
  const stall = new Stall(after);
  const parties = await startParties({ routes: { [at]: stall.route } }, { clock });
  const { server, host } = parties;
  const signIn = failure(host.tokens.signIn(server.mcpUrl), "timeout", server.mcpUrl);
  await stall.arrived;
  clock.advance(REQUEST_MS - 1);
  clock.advance(1);
  // Whoever has waited longer gets an answer now, and so another outcome.
  stall.letGo();
  expect((await signIn).message).toContain(`${REQUEST_MS} ms`);
  await expectUnharmed(parties, reaches);
}

async function nobodyReturns(): Promise<void> {
  const clock = new ManualClock();
  const parties = await startParties({}, { clock, person: "nobody" });
  const { server, host } = parties;
  const signIn = failure(host.tokens.signIn(server.mcpUrl), "timeout", server.mcpUrl);
  const url = await host.whenOpened();
  clock.advance(SIGN_IN_MS);
  const callback = callbackOf(url, { code: "c", state: url.searchParams.get("state") ?? "", iss: server.issuer });
  // Where somebody still listens, this ends the sign-in otherwise.
  await fetch(callback).catch(() => undefined);
  await signIn;
  await expect(fetch(callback)).rejects.toThrow();
  await expectUnharmed(parties, "browser");
}

const ping = { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" }) };
const send = ({ host, server }: Parties): Promise<Response> => host.tokens.fetch(server.mcpUrl)(server.mcpUrl, ping);

async function tokenRefused(): Promise<void> {
  const parties = await startParties({ mcp: (_request, _usual, { text }) => text("", 401) });
  await failure(send(parties), "token_rejected");
  expect(parties.host.opened).toHaveLength(1);
  expect(parties.server.log.count("POST", "/mcp")).toBe(2);
  expect(parties.victim.log.requests).toEqual([]);
}

async function moreScopes(): Promise<void> {
  let asked = 0;
  const parties = await startParties({
    mcp: (request, usual, { text }) =>
      request.headers.authorization === undefined
        ? usual()
        : text("", 403, { "www-authenticate": `Bearer error="insufficient_scope", scope="more-${++asked}"` }),
  });
  await failure(send(parties), "insufficient_scope");
  expect(parties.host.opened).toHaveLength(3);
  expect(parties.victim.log.requests).toEqual([]);
}

async function revocation(): Promise<void> {
  const clock = new ManualClock();
  const stall = new Stall("nothing");
  const { server, host } = await startParties({ routes: { "POST /revoke": stall.route } }, { clock });
  await host.tokens.signIn(server.mcpUrl);
  const signOut = host.tokens.signOut(server.mcpUrl);
  await stall.arrived;
  clock.advance(10_000);
  stall.letGo();
  expect(await signOut).toMatchObject([{ revocation: "unreachable" }]);
  expect(await host.tokens.status()).toEqual([]);
}

const loops: Record<LoopCase["kind"], () => Promise<void>> = {
  "nobody returns": nobodyReturns,
  "token refused": tokenRefused,
  "more scopes": moreScopes,
  revocation,
};

describe("an answer that is too large or comes too late", () => {
  hostile(sizeCases, runSignIn);
  hostile(stallCases, runStall);
  hostile(loopCases, ({ kind }) => loops[kind]());
});
