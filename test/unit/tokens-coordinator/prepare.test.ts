// What is begun for a session before anybody asks for its token.
import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { failureOf } from "../../support/failure.ts";
import { settled } from "../../support/manual-clock.ts";
import { HOUR, KEY, startStage, storeWith, textOf, until } from "./stage.ts";

describe("a session that will be asked for", () => {
  it("is read before, and not once more for the first who asks", async () => {
    const inner = memoryStore();
    const get = vi.fn(inner.get.bind(inner));
    const stage = await startStage({ store: storeWith(inner, { get }) });
    await stage.seed();
    const { coordinator } = stage.open();
    void coordinator.prepare(KEY);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    await coordinator.prepare(KEY);
    expect(get).toHaveBeenCalledTimes(1);
    expect(stage.askedAt).toEqual([]);
  });

  it("is refreshed before when it has ended, once for all who ask meanwhile and afterwards", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    const { coordinator, told } = stage.open();
    const prepared = coordinator.prepare(KEY);
    await until(() => stage.askedAt.length === 1);
    const asked = Array.from({ length: 10 }, () => coordinator.credential(KEY));
    await prepared;
    expect((await Promise.all(asked)).map(textOf)).toEqual(Array(10).fill("access-token-2"));
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    expect(stage.askedAt).toHaveLength(1);
    expect(told("token_refreshed")).toHaveLength(1);
  });

  it("is not kept alive as long as nobody asks", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.prepare(KEY);
    stage.clock.advance(0.9 * HOUR);
    await settled();
    expect(stage.askedAt).toEqual([]);
  });

  it("is only read where a policy limits its use", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    const { coordinator } = stage.open({ sessionPolicy: { maxIdleSeconds: 24 * 3600 } });
    await coordinator.prepare(KEY);
    await settled();
    expect(stage.askedAt).toEqual([]);
    expect(await stage.stored()).not.toHaveProperty("lastUsedAt");
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("that is not there, or has nothing to refresh with, is nothing to prepare", async () => {
    const stage = await startStage();
    const { coordinator, events } = stage.open();
    await coordinator.prepare(KEY);
    await stage.seed({ refreshToken: undefined } as never);
    stage.clock.jump(HOUR);
    const { coordinator: another, events: others } = stage.open();
    await another.prepare(KEY);
    expect([events, others, stage.askedAt]).toEqual([[], [], []]);
  });

  it("that its server has ended is told of once, and those who ask find none", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    stage.faults.push((_request, { json }) => json({ error: "invalid_grant" }, 400));
    const { coordinator, told } = stage.open();
    expect((await failureOf(coordinator.prepare(KEY))).code).toBe("sign_in_required");
    expect(await coordinator.credential(KEY)).toBeUndefined();
    expect(told("sign_in_required")).toHaveLength(1);
    expect(stage.askedAt).toHaveLength(1);
  });
});
