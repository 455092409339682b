// When a token is refreshed, by whom, and what clocks can do meanwhile.
import { describe, expect, it, vi } from "vitest";
import { parseExpiresIn } from "../../../src/endpoint/token-request.ts";
import { failureOf } from "../../support/failure.ts";
import { settled } from "../../support/manual-clock.ts";
import { HOUR, KEY, MINUTE, rotating, secret, startStage, textOf, throughPauses, until } from "./stage.ts";

const DAY = 24 * HOUR;

describe("a token that becomes due", () => {
  it("is refreshed by the timer at 80 % of its life, give or take a little, while nobody asks [REF-7]", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    stage.clock.advance(48 * MINUTE - 1);
    expect(stage.askedAt).toEqual([]);
    stage.clock.advance(1 + 1.1 * MINUTE);
    await until(() => told("token_refreshed").length === 1);
    expect(stage.askedAt).toHaveLength(1);
    expect(told("token_refreshed")[0]).toMatchObject({ ...KEY, rotated: true, issuer: stage.server.url });
    expect(told("token_refreshed")[0]).not.toHaveProperty("scope");
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    expect(await stage.storedToken()).toBe("refresh-token-2");
  });

  it("goes on being served while the refresh runs, and the new one as soon as it is written", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    let answer = (): void => undefined;
    stage.faults.push(async (request, helpers) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return stage.usual(request, helpers);
    });
    stage.clock.advance(50 * MINUTE);
    for (let request = 0; request < 100; request++) {
      expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    }
    await until(() => stage.askedAt.length === 1);
    answer();
    await until(() => told("token_refreshed").length === 1);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    expect(stage.askedAt).toHaveLength(1);
  });

  it.each([0.1, 0.5, 1])("is due at another share of its life where the host says so: %f", async (refreshAt) => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open({ refreshAt });
    await coordinator.credential(KEY);
    // The last minute of an hour is never used.
    const dueAt = Math.min(HOUR * refreshAt, 59 * MINUTE);
    stage.clock.jump(dueAt - 1);
    await coordinator.credential(KEY);
    await settled();
    expect(stage.askedAt).toEqual([]);
    stage.clock.jump(1);
    await coordinator.credential(KEY);
    await until(() => stage.askedAt.length === 1);
  });

  it("is told as due by the timer of each process a little apart from others", async () => {
    const stage = await startStage();
    await stage.seed();
    const dueAt = stage.clock.now() + 48 * MINUTE;
    for (let process = 0; process < 40; process++) await stage.open().coordinator.credential(KEY);
    const times = stage.clock.timers.map(({ at }) => at);
    expect(times).toHaveLength(40);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(dueAt);
    // A tenth of the eleven minutes that are left until it is no longer used.
    expect(Math.max(...times)).toBeLessThanOrEqual(dueAt + 1.1 * MINUTE);
    expect(new Set(times).size).toBeGreaterThan(35);
    expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan(0.5 * MINUTE);
  });

  it("is refreshed once by 40 processes that all notice", async () => {
    const stage = await startStage();
    await stage.seed();
    const managers = Array.from({ length: 40 }, () => stage.open());
    for (const { coordinator } of managers) await coordinator.credential(KEY);
    stage.clock.advance(50 * MINUTE);
    await until(() => managers.every(({ events }) => events.length > 0));
    expect(stage.askedAt).toHaveLength(1);
    expect(managers.flatMap(({ told }) => told("token_refreshed"))).toHaveLength(1);
    expect(managers.flatMap(({ told }) => told("token_adopted"))).toHaveLength(39);
  });
});

describe("the timer", () => {
  it("is one for all sessions, and lets the process end", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const schedule = vi.spyOn(stage.clock, "schedule");
    for (let index = 0; index < 50; index++) {
      const key = { ...KEY, account: `account-${index}` };
      await stage.seed({ accessToken: secret(`token-${index}`), expiresAt: stage.clock.now() + HOUR + index }, key);
      await coordinator.credential(key);
      expect(stage.clock.timers).toHaveLength(1);
      expect(stage.clock.timers[0]?.background).toBe(true);
    }
    for (let request = 0; request < 100; request++) await coordinator.credential({ ...KEY, account: "account-7" });
    // It is set anew only for those that happen to be due earlier than all before.
    expect(schedule.mock.calls.length).toBeLessThan(20);
    for (const [, , options] of schedule.mock.calls) expect(options).toEqual({ background: true });
  });

  it("does not keep alive what was only looked at", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.load(KEY);
    await coordinator.list();
    expect(stage.clock.timers).toEqual([]);
    await coordinator.credential(KEY);
    expect(stage.clock.timers).toHaveLength(1);
  });

  it("is there for no session without a lifetime, without a refresh token, or that was removed", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const { refreshToken: _, ...unrenewable } = await stage.seed();
    await coordinator.save(KEY, unrenewable);
    expect(stage.clock.timers).toEqual([]);
    const { expiresAt: _end, ...endless } = await stage.seed();
    await coordinator.save(KEY, endless);
    expect(stage.clock.timers).toEqual([]);
    await coordinator.save(KEY, await stage.seed());
    expect(stage.clock.timers).toHaveLength(1);
    await coordinator.remove(KEY);
    expect(stage.clock.timers).toEqual([]);
  });

  it("stays set for when a token is due after somebody wanted more of it and that failed", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    stage.clock.advance(10 * MINUTE);
    stage.faults.push((_, { text }) => text("", 503, { "retry-after": "60" }));
    await failureOf(coordinator.credential(KEY, { minTtlMs: 55 * MINUTE }));
    stage.clock.advance(30 * MINUTE);
    await settled();
    expect(stage.askedAt).toHaveLength(1);
    stage.clock.advance(10 * MINUTE);
    await until(() => told("token_refreshed").length === 1);
  });

  it("asks for nothing when a token without a refresh token is due: it is used as long as it is good", async () => {
    const stage = await startStage();
    const { refreshToken: _, ...unrenewable } = await stage.seed();
    const { coordinator, events } = stage.open();
    await coordinator.save(KEY, unrenewable);
    stage.clock.advance(50 * MINUTE);
    for (let request = 0; request < 10; request++) {
      expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
      await settled();
    }
    expect(events).toEqual([]);
    expect(textOf(coordinator.loaded(KEY)?.credential)).toBe("access-token-1");
  });

  it("is gone after close()", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    const loading = coordinator.credential(KEY);
    await coordinator.close();
    await loading;
    await coordinator.reload(KEY);
    expect(stage.clock.timers).toEqual([]);
  });

  it("does not ask for what has expired while the machine slept: the next who needs it does", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.credential(KEY);
    stage.clock.jump(3 * DAY);
    stage.clock.advance(0);
    await settled();
    // Not even the intention was written down.
    expect(await stage.stored()).not.toHaveProperty("journal");
    const answers = await Promise.all(Array.from({ length: 50 }, () => coordinator.credential(KEY)));
    expect(new Set(answers.map(textOf))).toEqual(new Set(["access-token-2"]));
    expect(stage.askedAt).toHaveLength(1);
  });

  it("catches up when the machine slept until a token was due", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.credential(KEY);
    stage.clock.jump(55 * MINUTE);
    stage.clock.advance(0);
    await until(() => stage.askedAt.length === 1);
  });
});

describe("a clock that is set back", () => {
  it("by a little changes nothing", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    stage.clock.jump(-50_000);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    await settled();
    expect(stage.askedAt).toEqual([]);
  });

  it("by much makes a token due that would seem fresh for days, once", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    stage.clock.jump(-3 * DAY);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    await until(() => told("token_refreshed").length === 1);
    expect(told("token_refreshed")[0]?.expiresAt).toBe(stage.clock.now() + HOUR);
    for (let request = 0; request < 10; request++)
      expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    await settled();
    expect(stage.askedAt).toHaveLength(1);
  });

  it("ends a pause, which might otherwise last for days", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    stage.faults.push((_, { text }) => text("", 503, { "retry-after": "3600" }));
    await failureOf(coordinator.credential(KEY));
    stage.clock.jump(-30_000);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("does not stop the breaker from counting anew, nor the timer from waking", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    stage.clock.jump(-30_000);
    stage.clock.advance(49.6 * MINUTE + 30_000);
    await until(() => told("token_refreshed").length === 1);
  });
});

describe("a lifetime", () => {
  it.each<[name: string, value: unknown, seconds: number | undefined]>([
    ["a number", 3600, 3600],
    ["a text", "3600", 3600],
    ["a text with blanks and a fraction", " 10.5 ", 10.5],
    ["missing", undefined, undefined],
    ["null", null, undefined],
    ["zero", 0, undefined],
    ["zero in a text", "0", undefined],
    ["negative", -60, undefined],
    ["negative in a text", "-60", undefined],
    ["an ISO duration", "PT1H", undefined],
    ["a list", [3600], undefined],
    ["true", true, undefined],
    ["not finite", "1e999", undefined],
    ["a moment in milliseconds", Date.now(), undefined],
    ["eleven years", 11 * 365 * 86_400, undefined],
    ["ten years", 10 * 365 * 86_400, 315_360_000],
  ])("that is %s is read with leniency, absurd ones as unknown [REF-7]", async (_name, value, seconds) => {
    expect(parseExpiresIn(value)).toBe(seconds);
    const stage = await startStage({ usual: rotating({ expires_in: value }) });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    const credential = await coordinator.credential(KEY);
    expect(credential?.expiresAt).toBe(seconds === undefined ? undefined : stage.clock.now() + seconds * 1000);
    if (seconds !== undefined) return;
    // Without a lifetime it is used until it is refused, and never refreshed by itself.
    expect(stage.clock.timers).toEqual([]);
    stage.clock.jump(300 * DAY);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    expect(stage.askedAt).toHaveLength(1);
    expect(textOf(await coordinator.renew(KEY, secret("access-token-2")))).toBe("access-token-3");
  });

  it("of a second is refreshed for each use, not in a loop", async () => {
    const stage = await startStage({ usual: rotating({ expires_in: 1 }) });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    await coordinator.credential(KEY);
    for (let second = 1; second < 9; second++) {
      stage.clock.jump(1000);
      await Promise.all(Array.from({ length: 20 }, () => coordinator.credential(KEY)));
      expect(stage.askedAt).toHaveLength(1 + second);
    }
  });
});

describe("minTtlMs", () => {
  it("refreshes first when the token would not last, once for all who ask", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    stage.clock.advance(20 * MINUTE);
    expect(textOf(await coordinator.credential(KEY, { minTtlMs: 38 * MINUTE }))).toBe("access-token-1");
    const calls = Array.from({ length: 20 }, () => coordinator.credential(KEY, { minTtlMs: 39 * MINUTE }));
    expect(new Set((await Promise.all(calls)).map(textOf))).toEqual(new Set(["access-token-2"]));
    expect(stage.askedAt).toHaveLength(1);
  });

  it("does not ask at every call where no token lasts that long: only once it is due", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    for (let request = 0; request < 20; request++) {
      expect(textOf(await coordinator.credential(KEY, { minTtlMs: 2 * HOUR }))).toBe("access-token-1");
    }
    stage.clock.jump(48 * MINUTE);
    for (let request = 0; request < 20; request++) {
      expect(textOf(await coordinator.credential(KEY, { minTtlMs: 2 * HOUR }))).toBe("access-token-2");
    }
    expect(stage.askedAt).toHaveLength(1);
  });
});

describe("a caller's abort", () => {
  it("ends this caller's waiting and not the refresh, whose result the next one gets", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator, told } = stage.open();
    let answer = (): void => undefined;
    stage.faults.push(async (request, helpers) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return stage.usual(request, helpers);
    });
    const controllers = Array.from({ length: 10 }, () => new AbortController());
    const calls = controllers.map(({ signal }) => failureOf(coordinator.credential(KEY, { signal })));
    const patient = coordinator.credential(KEY);
    await until(() => stage.askedAt.length === 1);
    const reason = new Error("no longer needed");
    for (const controller of controllers) controller.abort(reason);
    for (const call of calls) expect(await call).toMatchObject({ code: "aborted", cause: reason });
    answer();
    expect(textOf(await patient)).toBe("access-token-2");
    expect(told("token_refreshed")).toHaveLength(1);
    expect(await stage.storedToken()).toBe("refresh-token-2");
  });

  it("of everybody still does not lose the rotated token", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator, told } = stage.open();
    const controller = new AbortController();
    stage.faults.push((request, helpers) => {
      controller.abort();
      return stage.usual(request, helpers);
    });
    expect((await failureOf(coordinator.credential(KEY, { signal: controller.signal }))).code).toBe("aborted");
    await until(() => told("token_refreshed").length === 1);
    expect(await stage.storedToken()).toBe("refresh-token-2");
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("before the call begins nothing that nobody else needs", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    const signal = AbortSignal.abort(new Error("no longer needed"));
    expect((await failureOf(coordinator.credential(KEY, { signal }))).code).toBe("aborted");
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    stage.clock.jump(HOUR);
    expect((await failureOf(coordinator.credential(KEY, { signal }))).code).toBe("aborted");
    expect((await failureOf(coordinator.renew(KEY, secret("access-token-1"), signal))).code).toBe("aborted");
    await settled();
    expect(await stage.stored()).not.toHaveProperty("journal");
    expect(stage.askedAt).toEqual([]);
  });
});

describe("close()", () => {
  it("waits for a refresh under way, so that the rotated token is written", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(50 * MINUTE);
    const { coordinator } = stage.open();
    let answer = (): void => undefined;
    stage.faults.push(async (request, helpers) => {
      await new Promise<void>((resolve) => {
        answer = resolve;
      });
      return stage.usual(request, helpers);
    });
    await coordinator.credential(KEY);
    await until(() => stage.askedAt.length === 1);
    let isClosed = false;
    const closing = coordinator.close().then(() => {
      isClosed = true;
    });
    await settled();
    expect(isClosed).toBe(false);
    answer();
    await closing;
    expect(await stage.storedToken()).toBe("refresh-token-2");
  });

  it("does not wait for the pauses between tries, and begins no refresh any more", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator, told } = stage.open();
    stage.usual = () => "reset";
    const call = failureOf(coordinator.credential(KEY));
    await until(() => told("refresh_failed").length === 1);
    await coordinator.close();
    expect((await call).code).toBe("closed");
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("closed");
    expect(stage.askedAt).toHaveLength(1);
    await throughPauses(stage.clock, coordinator.close());
  });

  it("leaves a token in use that is good, and refreshes none, not even where nothing has failed yet", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.credential(KEY);
    await coordinator.close();
    stage.clock.advance(50 * MINUTE);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    stage.clock.advance(10 * MINUTE);
    const error = await failureOf(coordinator.credential(KEY));
    expect(error.code).toBe("closed");
    expect(error.message).toContain("was closed");
    // Not even the intention was written down.
    expect(await stage.stored()).not.toHaveProperty("journal");
    expect(stage.askedAt).toEqual([]);
  });
});
