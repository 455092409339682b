// What can come to light while nobody may ask, because the token endpoint has just failed.
import { expect, it } from "vitest";
import { failureOf } from "../../support/failure.ts";
import { HOUR, KEY, type Manager, MINUTE, type Stage, secret, startStage, textOf, until, write } from "./stage.ts";

/** A session whose server has said to come back in an hour. */
async function paused({ expiresInMs = 0 } = {}): Promise<Stage & Manager> {
  const stage = await startStage();
  await stage.seed({ expiresAt: stage.clock.now() + expiresInMs });
  const manager = stage.open();
  stage.faults.push((_, { text }) => text("", 503, { "retry-after": "3600" }));
  await failureOf(manager.coordinator.renew(KEY, secret("access-token-1")));
  stage.clock.advance(1000);
  return Object.assign(stage, manager);
}

it.each([
  ["signed out", async (stage: Stage) => stage.open().coordinator.remove(KEY)],
  ["seen its session end", async (stage: Stage) => write(stage.store, KEY, { ...KEY, credentials: {} })],
])("a pause ends when another process has %s: there is nothing left to wait for", async (_name, change) => {
  const stage = await paused();
  await change(stage);
  const error = await failureOf(stage.coordinator.credential(KEY));
  expect(error).toMatchObject({ code: "sign_in_required", server: KEY.server, issuer: stage.server.url });
  expect(error.message).toContain("signed out elsewhere");
  expect(await stage.coordinator.credential(KEY)).toBeUndefined();
  expect(stage.told("sign_in_required")).toHaveLength(1);
  expect(stage.askedAt).toHaveLength(1);
});

it("a token that a server refused is not handed out again because the pause leaves nothing better", async () => {
  const stage = await paused({ expiresInMs: HOUR });
  const error = await failureOf(stage.coordinator.renew(KEY, secret("access-token-1")));
  expect(error).toMatchObject({ code: "refresh_failed", retryAfterMs: HOUR - 1000 });
  expect(stage.told("token_adopted")).toEqual([]);
});

it("what another process got meanwhile is not used when it has expired as well, but refreshed without a pause", async () => {
  const stage = await paused();
  await stage.seed({ accessToken: secret("expired elsewhere"), expiresAt: stage.clock.now() });
  expect((await failureOf(stage.coordinator.credential(KEY))).code).toBe("refresh_failed");
  expect(stage.told("token_adopted")).toEqual([]);
  // The pause was for the other token.
  expect(textOf(await stage.coordinator.credential(KEY))).toBe("access-token-2");
});

it("a refresh in the background waits for the end of the pause with the timer, not with a promise", async () => {
  const stage = await paused({ expiresInMs: HOUR });
  stage.clock.advance(50 * MINUTE);
  expect(textOf(await stage.coordinator.credential(KEY))).toBe("access-token-1");
  expect(stage.askedAt).toHaveLength(1);
  expect(stage.clock.timers.map(({ at }) => at)).toEqual([(stage.askedAt[0] ?? 0) + HOUR]);
});

it("a session that ends in the background is told of at once, though nobody has asked for it since", async () => {
  const stage = await startStage();
  await stage.seed();
  const { coordinator, told } = stage.open();
  stage.usual = (_, { json }) => json({ error: "invalid_grant" }, 400);
  stage.clock.advance(50 * MINUTE);
  expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
  await until(() => told("sign_in_required").length === 1);
  expect(await coordinator.credential(KEY)).toBeUndefined();
  expect(told("sign_in_required")).toHaveLength(1);
});

it("a session that was given up and came back is told of again when it ends, though its token stayed the same", async () => {
  const stage = await startStage();
  await stage.seed({ expiresAt: stage.clock.now() });
  const { coordinator, told } = stage.open();
  stage.usual = (_, { json }) => json({ error: "unauthorized_client" }, 400);
  for (let refusals = 1; refusals <= 3; refusals++) {
    await failureOf(coordinator.credential(KEY));
    stage.clock.advance(10 * MINUTE);
  }
  expect(told("sign_in_required")).toHaveLength(1);
  stage.usual = (_, { json }) => json({ access_token: "access-token-1", token_type: "Bearer", expires_in: 60 });
  expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
  stage.clock.advance(MINUTE);
  stage.usual = (_, { json }) => json({ error: "invalid_grant" }, 400);
  expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
  expect(told("sign_in_required")).toHaveLength(2);
});
