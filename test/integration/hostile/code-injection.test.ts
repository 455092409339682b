import { describe, expect } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";
import {
  type ForgedCallbackCase,
  forgedCallbacks,
  type PasteCase,
  pasteCases,
  promptFor,
  signInInjections,
} from "./cases/code-injection.ts";
import { hostile } from "./support/case.ts";
import { runSignIn, startParties } from "./support/sign-in.ts";

async function runForgedCallback({ send }: ForgedCallbackCase): Promise<void> {
  const { server, victim, host, storedKeys } = await startParties({}, { person: "nobody" });
  const signIn = host.tokens.signIn(server.mcpUrl);
  // A response that ends the sign-in is told of below.
  signIn.catch(() => undefined);
  const url = await host.whenOpened();
  const answer = await send(url);
  expect(answer.status).toBe(400);
  expect(await answer.text()).toContain("not valid");
  expect(server.log.count("POST", "/token")).toBe(0);
  expect((await storedKeys()).filter((key) => key.startsWith("session/"))).toEqual([]);
  await new UserAgent().open(url);
  await signIn;
  expect(server.log.count("POST", "/token")).toBe(1);
  expect(victim.log.requests).toEqual([]);
}

async function runPaste({ pasted, ends }: PasteCase): Promise<void> {
  const server = await startScripted();
  const host = startHost({ prompt: promptFor(pasted, server.issuer), person: "nobody" });
  const error = await failure(host.tokens.signIn(server.mcpUrl, { flow: "paste" }), ends);
  expect(`${error.stack}`).not.toContain("planted");
  expect(server.log.count("POST", "/token")).toBe(0);
  expect(await host.tokens.status()).toEqual([]);
}

describe("a code that is not the answer", () => {
  hostile(signInInjections, runSignIn);
  hostile(forgedCallbacks, runForgedCallback);
  hostile(pasteCases, runPaste);
});
