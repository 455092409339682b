// A sign-on at the identity provider that takes too long, or that nobody waits for any more.
import type { SubjectToken, SubjectTokenRequest } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, startHost } from "../flow/support/harness.ts";
import { startEnterprise } from "./support/identity-provider.ts";

it.each([
  ["the caller aborts", "aborted"],
  ["the time is up", "timeout"],
] as const)("is not waited for when %s, and whoever asks the user is told", async (end, code) => {
  const { server, provider, grant } = await startEnterprise();
  const clock = new ManualClock();
  const controller = new AbortController();
  let told: (signal: AbortSignal) => void = () => undefined;
  const asked = new Promise<AbortSignal>((resolve) => {
    told = resolve;
  });
  const subjectToken = ({ signal }: SubjectTokenRequest): Promise<SubjectToken> => {
    told(signal);
    return new Promise(() => undefined);
  };
  const { tokens } = startHost({ grants: [grant({ subjectToken })], clock, signInTimeoutMs: 60_000 });
  const signIn = tokens.signIn(server.mcpUrl, { signal: controller.signal });
  const signal = await asked;
  expect(signal.aborted).toBe(false);
  if (end === "the time is up") clock.advance(60_000);
  else controller.abort();
  await failure(signIn, code, server.mcpUrl);
  expect(signal.aborted).toBe(true);
  expect(provider.log.requests).toEqual([]);
});
