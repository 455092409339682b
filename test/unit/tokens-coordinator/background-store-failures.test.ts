// A store that fails while nobody waits for the refresh.
import { describe, expect, it } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";
import { failureOf } from "../../support/failure.ts";
import { settled } from "../../support/manual-clock.ts";
import { failingStore, KEY, MINUTE, secret, startStage, storeWith, textOf, until } from "./stage.ts";

/** Longer than the first, and than the second pause after failures. */
const [FIRST_PAUSE_MS, SECOND_PAUSE_MS] = [1250, 2500];

describe("a store that fails in a background refresh", () => {
  it("is told of by events, tried again by the timer after growing pauses, and asked by nobody meanwhile", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    failing.failOn = "journal";
    stage.clock.advance(50 * MINUTE);
    await until(() => told("refresh_failed").length === 1);
    expect(told("refresh_failed")[0]).toMatchObject({ ...KEY, code: "store_failed", failures: 1 });
    expect(coordinator.failures(KEY)?.error.code).toBe("store_failed");
    for (let request = 0; request < 20; request++) {
      expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
      await settled();
    }
    expect(told("refresh_failed")).toHaveLength(1);
    stage.clock.advance(FIRST_PAUSE_MS);
    await until(() => told("refresh_failed").length === 2);
    stage.clock.advance(SECOND_PAUSE_MS);
    await until(() => told("refresh_failing").length === 1);
    failing.failOn = undefined;
    stage.clock.advance(2 * SECOND_PAUSE_MS);
    await until(() => told("token_refreshed").length === 1);
    expect(await stage.storedToken()).toBe("refresh-token-2");
    expect(stage.askedAt).toHaveLength(1);
    expect(coordinator.failures(KEY)).toBeUndefined();
  });

  it("is asked at once by somebody who waits, and tells them its own error", async () => {
    const inner = memoryStore();
    const locked = new McpOAuthError("store_unreadable", "The keychain is locked. Unlock it.");
    let isLocked = false;
    const stage = await startStage({
      store: storeWith(inner, { get: (key) => (isLocked ? Promise.reject(locked) : inner.get(key)) }),
    });
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    isLocked = true;
    stage.clock.advance(50 * MINUTE);
    await until(() => told("refresh_failed").length === 1);
    expect(told("refresh_failed")[0]).toMatchObject({ code: "store_unreadable" });
    const patient = { minTtlMs: 30 * MINUTE };
    const error = await failureOf(coordinator.credential(KEY, patient));
    expect(error).toMatchObject({ code: "store_unreadable", server: KEY.server, message: locked.message });
    expect(told("refresh_failed")).toHaveLength(1);
    isLocked = false;
    expect(textOf(await coordinator.credential(KEY, patient))).toBe("access-token-2");
  });
});

describe("a rotated token that could not be written", () => {
  it("is written by the timer, also when the one before has expired since", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    failing.failOn = "access-token-2";
    stage.clock.advance(50 * MINUTE);
    await until(() => told("refresh_failed").length === 1);
    expect(told("refresh_failed")[0]).toMatchObject({ code: "store_failed", failures: 1 });
    stage.clock.jump(15 * MINUTE);
    stage.clock.advance(0);
    await until(() => told("refresh_failed").length === 2);
    expect(await stage.storedToken()).toBe("refresh-token-1");
    failing.failOn = undefined;
    stage.clock.advance(SECOND_PAUSE_MS);
    await until(() => told("token_adopted").length === 1);
    expect(await stage.storedToken()).toBe("refresh-token-2");
    expect(stage.askedAt).toHaveLength(1);
  });

  it("is written by the timer when whoever waited for it has been told and does not come back", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    failing.failOn = "access-token-2";
    expect((await failureOf(coordinator.renew(KEY, secret("access-token-1")))).code).toBe("store_failed");
    expect(told("refresh_failed")).toEqual([]);
    failing.failOn = undefined;
    stage.clock.advance(FIRST_PAUSE_MS);
    await until(() => told("token_adopted").length === 1);
    expect(await stage.storedToken()).toBe("refresh-token-2");
    expect(stage.askedAt).toHaveLength(1);
  });
});
