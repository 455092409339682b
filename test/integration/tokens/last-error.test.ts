// Why a refresh failed is seen from other programs too, until the next one is sent.
import { memoryStore } from "mcp-oauth-client";
import { expect, it } from "vitest";
import { ManualClock } from "../../support/manual-clock.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";

it("another program's status tells why the last refresh failed, and no longer when one has succeeded", async () => {
  const server = await startScripted();
  const [store, clock] = [memoryStore(), new ManualClock()];
  const { tokens } = startHost({ store, clock, interactive: true });
  await tokens.signIn(server.mcpUrl);
  const [signedIn] = await startHost({ store, clock }).tokens.status();
  expect(signedIn).toMatchObject({ state: "signed_in" });
  expect(signedIn?.error).toBeUndefined();

  clock.advance(7_200_000);
  server.options.token = (_request, _usual, { json }) => json({ error: "invalid_scope" }, 400);
  await failure(tokens.get(server.mcpUrl), "refresh_failed");
  const [failing] = await startHost({ store, clock }).tokens.status();
  expect(failing).toMatchObject({ state: "signed_in", error: { code: "token_request_failed", issuer: server.issuer } });
  expect(failing?.error?.message).toContain("invalid_scope");

  delete (server.options as { token?: unknown }).token;
  clock.advance(3_600_000);
  await startHost({ store, clock, interactive: false }).tokens.get(server.mcpUrl);
  const [again] = await startHost({ store, clock }).tokens.status();
  expect(again).toMatchObject({ state: "signed_in" });
  expect(again?.error).toBeUndefined();
});
