// What becomes of tokens when the store does not do what it should.
import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";
import type { TokenStore } from "../../../src/ports/token-store.ts";
import { failureOf } from "../../support/failure.ts";
import { settled } from "../../support/manual-clock.ts";
import { credentialAt } from "../../support/stage.ts";
import {
  failingStore,
  HOUR,
  KEY,
  looseStore,
  MINUTE,
  NAME,
  secret,
  startStage,
  storeWith,
  textOf,
  until,
  write,
} from "./stage.ts";

describe("a rotated token that cannot be written", () => {
  it("is kept: the error is store_failed, and the next call writes it and goes on, without asking again [REF-6]", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator, told } = stage.open();
    failing.failOn = "access-token-2";
    for (let request = 0; request < 3; request++) {
      const errors = await Promise.all(Array.from({ length: 10 }, () => failureOf(coordinator.credential(KEY))));
      for (const error of errors) expect(error).toMatchObject({ code: "store_failed", server: KEY.server });
      expect(stage.askedAt).toHaveLength(1);
      expect(await stage.storedToken()).toBe("refresh-token-1");
    }
    failing.failOn = undefined;
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    expect(await stage.storedToken()).toBe("refresh-token-2");
    expect(stage.askedAt).toHaveLength(1);
    expect([told("sign_in_required"), told("refresh_failed")]).toEqual([[], []]);
    // The session is the same as any other afterwards.
    expect(textOf(await coordinator.renew(KEY, secret("access-token-2")))).toBe("access-token-3");
  });

  it("is not handed out before it is written, neither by a look at the store", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    stage.clock.advance(50 * MINUTE);
    const { coordinator } = stage.open();
    failing.failOn = "access-token-2";
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    await until(() => stage.askedAt.length === 1);
    await failureOf(coordinator.renew(KEY, secret("access-token-1")));
    expect((await failureOf(coordinator.reload(KEY))).code).toBe("store_failed");
    // The present one is good until it ends.
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    failing.failOn = undefined;
    expect(textOf((await coordinator.reload(KEY))?.credential)).toBe("access-token-2");
    expect(stage.askedAt).toHaveLength(1);
  });

  it("is written at the latest by close()", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    failing.failOn = "access-token-2";
    await failureOf(coordinator.credential(KEY));
    failing.failOn = undefined;
    await coordinator.close();
    expect(await stage.storedToken()).toBe("refresh-token-2");
  });

  it("gives way to what another process has got since: a sign-in, a refresh, a sign-out", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    failing.failOn = "access-token-2";
    await failureOf(coordinator.credential(KEY));
    failing.failOn = undefined;
    await stage.seed({ accessToken: secret("signed-in"), refreshToken: secret("their-refresh-token") });
    expect(textOf(await coordinator.credential(KEY))).toBe("signed-in");
    expect(await stage.storedToken()).toBe("their-refresh-token");

    stage.clock.advance(HOUR);
    stage.usual = (_, { json }) => json({ access_token: "unwritten", token_type: "Bearer", expires_in: 60 });
    failing.failOn = "unwritten";
    await failureOf(coordinator.credential(KEY));
    failing.failOn = undefined;
    await stage.open().coordinator.remove(KEY);
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect(await stage.stored()).toBeUndefined();
  });

  it("comes back to a session that somebody ended because of the token that it replaced", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    stage.clock.advance(HOUR);
    const [winner, loser] = [stage.open(), stage.open()];
    failing.failOn = "access-token-2";
    await failureOf(winner.coordinator.credential(KEY));
    failing.failOn = undefined;
    expect((await failureOf(loser.coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect(textOf(await winner.coordinator.credential(KEY))).toBe("access-token-2");
    expect(await stage.storedToken()).toBe("refresh-token-2");
  });

  it("is handed to a sign-out, which then removes it as well", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    failing.failOn = "access-token-2";
    await failureOf(coordinator.credential(KEY));
    const held: (string | undefined)[] = [];
    await coordinator.remove(KEY, async (credentials) => {
      held.push(...credentials.map(({ refreshToken }) => refreshToken?.reveal()));
    });
    expect(held).toEqual(["refresh-token-2"]);
    failing.failOn = undefined;
    await coordinator.close();
    expect(await stage.stored()).toBeUndefined();
  });

  it("is told of as store_failed also when the store throws something of its own", async () => {
    const inner = memoryStore();
    const stage = await startStage({
      store: storeWith(inner, {
        set: async (key, value, lock) => {
          if (value.includes("access-token-2")) throw new TypeError("no such column");
          await inner.set(key, value, lock);
        },
      }),
    });
    await stage.seed();
    stage.clock.advance(HOUR);
    const error = await failureOf(stage.open().coordinator.credential(KEY));
    expect(error).toMatchObject({ code: "store_failed", server: KEY.server, cause: { message: "no such column" } });
    expect(error.message).toContain("memory store");
  });
});

describe("before the request", () => {
  it("nothing is sent when the journal cannot be written", async () => {
    const failing = failingStore();
    const stage = await startStage({ store: failing.store });
    await stage.seed();
    stage.clock.advance(HOUR);
    failing.failOn = "journal";
    const { coordinator } = stage.open();
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("store_failed");
    expect(stage.askedAt).toEqual([]);
    failing.failOn = undefined;
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("the journal says in the store that a request is under way, and when", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(HOUR);
    let seen: unknown;
    stage.faults.push(async (request, helpers) => {
      seen = (await stage.stored())?.journal;
      return stage.usual(request, helpers);
    });
    await stage.open().coordinator.credential(KEY);
    expect(seen).toEqual({ sentAt: stage.clock.now(), recent: [stage.clock.now()] });
  });

  it("a lock that is held for too long is a failure that passes", async () => {
    const inner = memoryStore();
    let isHeld = true;
    const stage = await startStage({
      store: storeWith(inner, {
        lock: (key, options) => inner.lock(key, isHeld ? { ...options, timeoutMs: 0 } : options),
      }),
    });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator, told } = stage.open();
    const lock = await inner.lock(NAME);
    const call = coordinator.credential(KEY);
    await until(() => told("refresh_failed").length === 1);
    expect(told("refresh_failed")[0]?.code).toBe("lock_timeout");
    await lock.release();
    isHeld = false;
    stage.clock.advance(1250);
    expect(textOf(await call)).toBe("access-token-2");
  });
});

describe("a lock that was lost to another process", () => {
  it("does not let the late owner overwrite what the other has written; both go on with that", async () => {
    // Fencing: a write under a number that is not the newest fails.
    const inner = looseStore();
    let newest = 0;
    const store = storeWith(inner, {
      lock: async (key, options) => {
        const lock = await inner.lock(key, options);
        newest = lock.fence;
        return lock;
      },
      set: async (key, value, lock) => {
        if (lock.fence < newest) throw new McpOAuthError("store_failed", "The lock was lost.");
        await inner.set(key, value, lock);
      },
    });
    const stage = await startStage({ store });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    const theirs = credentialAt(stage.server.url, {
      accessToken: secret("their-access-token"),
      refreshToken: secret("their-refresh-token"),
      issuedAt: stage.clock.now(),
      expiresAt: stage.clock.now() + HOUR,
    });
    stage.faults.push(async (request, helpers) => {
      // We were frozen for so long that somebody took over, and refreshed.
      await write(store, KEY, { ...KEY, activeIssuer: theirs.issuer, credentials: { [theirs.issuer]: theirs } });
      return stage.usual(request, helpers);
    });
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("store_failed");
    expect(await stage.storedToken()).toBe("their-refresh-token");
    expect(textOf(await coordinator.credential(KEY))).toBe("their-access-token");
    expect(await stage.storedToken()).toBe("their-refresh-token");
    expect(stage.askedAt).toHaveLength(1);
  });
});

describe("a store that cannot be read", () => {
  const locked = new McpOAuthError("store_unreadable", "The keychain is locked. Unlock it.");

  it("is never taken for empty: the error is told each time, no session ends, nothing is written or asked", async () => {
    const inner = memoryStore();
    let isLocked = false;
    const set = vi.fn(inner.set.bind(inner));
    const get: TokenStore["get"] = (key) => (isLocked ? Promise.reject(locked) : inner.get(key));
    const stage = await startStage({ store: storeWith(inner, { get, set }) });
    const seeded = await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator, told } = stage.open();
    set.mockClear();
    isLocked = true;
    for (let request = 0; request < 5; request++) {
      expect((await failureOf(coordinator.credential(KEY))).code).toBe("store_unreadable");
      expect((await failureOf(coordinator.renew(KEY, seeded.accessToken))).code).toBe("store_unreadable");
      expect((await failureOf(coordinator.save(KEY, seeded))).code).toBe("store_unreadable");
    }
    expect([set.mock.calls.length, stage.askedAt.length, told("sign_in_required").length]).toEqual([0, 0, 0]);
    isLocked = false;
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("when it becomes so before a refresh, the session in memory stays", async () => {
    const inner = memoryStore();
    let isLocked = false;
    const get: TokenStore["get"] = (key) => (isLocked ? Promise.reject(locked) : inner.get(key));
    const stage = await startStage({ store: storeWith(inner, { get }) });
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    isLocked = true;
    stage.clock.advance(HOUR - 2 * MINUTE);
    for (let request = 0; request < 5; request++)
      expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    stage.clock.advance(2 * MINUTE);
    const error = await failureOf(coordinator.credential(KEY));
    expect(error).toMatchObject({ code: "store_unreadable", server: KEY.server });
    expect(error.message).toContain("Unlock it");
    isLocked = false;
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    expect(told("sign_in_required")).toEqual([]);
  });

  it("does not keep a sign-out from removing what is there", async () => {
    const stage = await startStage();
    const lock = await stage.store.lock(NAME);
    await stage.store.set(NAME, "not a session", lock);
    await lock.release();
    const { coordinator } = stage.open();
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("store_unreadable");
    const held = vi.fn(async () => undefined);
    await coordinator.remove(KEY, held);
    expect(held).toHaveBeenCalledExactlyOnceWith([], expect.objectContaining({ code: "store_unreadable" }));
    expect(await stage.store.get(NAME)).toBeUndefined();
    expect(await coordinator.credential(KEY)).toBeUndefined();
  });
});

describe("memory", () => {
  it("is read from once: fresh tokens cost no look at the store", async () => {
    const inner = memoryStore();
    const get = vi.fn(inner.get.bind(inner));
    const lock = vi.fn(inner.lock.bind(inner));
    const stage = await startStage({ store: storeWith(inner, { get, lock }) });
    await stage.seed();
    const { coordinator } = stage.open();
    const other = { ...KEY, account: "nobody" };
    get.mockClear();
    lock.mockClear();
    await Promise.all(Array.from({ length: 100 }, () => coordinator.credential(KEY)));
    for (let request = 0; request < 100; request++) {
      expect(coordinator.credential(KEY)).toBeInstanceOf(Promise);
      expect(await coordinator.credential(other)).toBeUndefined();
    }
    expect(get).toHaveBeenCalledTimes(2);
    expect(lock).not.toHaveBeenCalled();
  });

  it("does not go back to what was read before a sign-in wrote", async () => {
    const inner = memoryStore();
    let letGo = (): void => undefined;
    let isHeld = false;
    const stage = await startStage({
      store: storeWith(inner, {
        get: async (key) => {
          const found = await inner.get(key);
          if (isHeld) {
            isHeld = false;
            await new Promise<void>((resolve) => {
              letGo = resolve;
            });
          }
          return found;
        },
      }),
    });
    const old = await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.load(KEY);
    isHeld = true;
    const reading = coordinator.reload(KEY);
    await settled();
    await coordinator.save(KEY, { ...old, accessToken: secret("signed-in") });
    letGo();
    expect(textOf((await reading)?.credential)).toBe("signed-in");
    expect(textOf(await coordinator.credential(KEY))).toBe("signed-in");
  });

  it("does not go back to a session that a sign-out removes while its refresh ends", async () => {
    for (let ticks = 0; ticks < 12; ticks++) {
      const stage = await startStage();
      await stage.seed();
      stage.clock.advance(HOUR);
      const { coordinator } = stage.open();
      let removing: Promise<void> | undefined;
      stage.faults.push((request, helpers) => {
        removing = coordinator.remove(KEY);
        return stage.usual(request, helpers);
      });
      await coordinator.credential(KEY).catch(() => undefined);
      for (let tick = 0; tick < ticks; tick++) await Promise.resolve();
      await removing;
      await settled();
      expect(await stage.stored()).toBeUndefined();
      expect(coordinator.loaded(KEY)).toBeUndefined();
      expect(await coordinator.credential(KEY)).toBeUndefined();
    }
  });
});
