import { loopbackReceiver, type PendingRedirect } from "mcp-oauth-client";
import { describe, expect } from "vitest";
import { never, request, SIGNED_IN } from "../../unit/adapters/loopback-client.ts";
import { closing } from "../flow/support/harness.ts";
import { type CallbackCase, callbackCases, type ReflectionCase, reflectionCases, STATE } from "./cases/callback.ts";
import { hostile } from "./support/case.ts";

const open = async (): Promise<PendingRedirect> => closing(await loopbackReceiver().open({}));

/** No answer allows other origins anything, sets anything, leads anywhere, or can be framed or run. */
function expectClosed(head: string): void {
  expect(head).not.toMatch(/^(?:access-control-|set-cookie:|location:|refresh:)/im);
  expect(head).toMatch(/^content-security-policy: default-src 'none'; .*frame-ancestors 'none'/im);
  expect(head).toMatch(/^referrer-policy: no-referrer/im);
  expect(head).toMatch(/^cache-control: no-store/im);
}

async function runCallback({ send, status }: CallbackCase): Promise<void> {
  const pending = await open();
  const arrived: string[] = [];
  const arrival = pending.arrival(STATE, never()).then((found) => {
    arrived.push(found.parameters.get("code") ?? "");
    return found;
  });
  // A request that was taken for the response is held until there is an outcome, which nobody has.
  const answer = await Promise.race([send(pending.redirectUri), arrival.then(() => undefined)]);
  expect(arrived).toEqual([]);
  expect(answer?.status).toBe(status);
  expect(answer?.body).not.toContain("planted");
  if (/^content-type: /im.test(answer?.head ?? "")) expectClosed(answer?.head ?? "");

  const right = request(`${pending.redirectUri}?state=${STATE}&code=right`);
  const { parameters, respond } = await arrival;
  expect(parameters.get("code")).toBe("right");
  await respond(SIGNED_IN);
  expect((await right).status).toBe(200);
}

async function runReflection({ parameters, clientName, serverName, never: secret }: ReflectionCase): Promise<void> {
  const pending = await open();
  const arrival = pending.arrival(STATE, never());
  const query = new URLSearchParams({ state: STATE, ...parameters });
  const answer = request(`${pending.redirectUri}?${query}`);
  const names = { ...(clientName !== undefined && { clientName }), ...(serverName !== undefined && { serverName }) };
  await (await arrival).respond({ ...SIGNED_IN, outcome: "error" in parameters ? "denied" : "signed-in", ...names });
  const { head, body } = await answer;
  expect(body).not.toMatch(secret);
  expectClosed(head);
  // Its one script takes the code out of the address bar.
  expect(body.match(/<script/g)).toHaveLength(1);
  expect(body).toContain('history.replaceState(null,"",location.pathname)');
}

describe("a request to the listener that is not the answer", () => {
  hostile(callbackCases, runCallback);
});

describe("the page that the listener shows", () => {
  hostile(reflectionCases, runReflection);
});
