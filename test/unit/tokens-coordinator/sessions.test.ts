// Sessions in the store and in memory: what is listed, kept, and written.
import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { isMachineCredential, isRenewable, isStaticCredential } from "../../../src/tokens/credential.ts";
import { endedByPolicy, shouldNoteUse } from "../../../src/tokens/session-policy.ts";
import { failureOf } from "../../support/failure.ts";
import { credentialAt } from "../../support/stage.ts";
import { HOUR, KEY, NAME, secret, startStage, storeWith, textOf, until, write } from "./stage.ts";

describe("sessions", () => {
  it("are listed without whatever else the store has", async () => {
    const stage = await startStage();
    await stage.seed();
    await stage.seed({}, { ...KEY, account: "a/b c" });
    for (const key of ["client/https://as.example.com", "session/", "sign-in/x"]) {
      const lock = await stage.store.lock(key);
      await stage.store.set(key, "{}", lock);
      await lock.release();
    }
    const listed = await stage.open().coordinator.list();
    expect(listed).toHaveLength(2);
    expect(listed).toEqual(expect.arrayContaining([KEY, { ...KEY, account: "a/b c" }]));
  });

  it("that are not there are nothing, to every question", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    expect(coordinator.loaded(KEY)).toBeUndefined();
    for (let time = 0; time < 2; time++) {
      expect(await coordinator.load(KEY)).toBeUndefined();
      expect(await coordinator.reload(KEY)).toBeUndefined();
      expect(await coordinator.credential(KEY)).toBeUndefined();
      expect(coordinator.loaded(KEY)).toBeUndefined();
    }
    await coordinator.remove(KEY);
    expect(await coordinator.list()).toEqual([]);
  });

  it("that were not there are found by a new look at the store", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    expect(await coordinator.load(KEY)).toBeUndefined();
    await stage.seed();
    expect(await coordinator.load(KEY)).toBeUndefined();
    expect(textOf((await coordinator.reload(KEY))?.credential)).toBe("access-token-1");
    expect(textOf((await coordinator.load(KEY))?.credential)).toBe("access-token-1");
  });

  it("are read from the store once for all who ask at once", async () => {
    const inner = memoryStore();
    const get = vi.fn(inner.get.bind(inner));
    const stage = await startStage({ store: storeWith(inner, { get }) });
    await stage.seed();
    const { coordinator } = stage.open();
    await Promise.all(Array.from({ length: 20 }, () => coordinator.credential(KEY)));
    expect(get).toHaveBeenCalledTimes(1);
    await coordinator.reload(KEY);
    expect(get).toHaveBeenCalledTimes(2);
  });

  it("keep what was asked for before where a sign-in names no scopes, and take over what it names", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const credential = await stage.seed({ requestedScope: "a b" });
    await coordinator.save(KEY, credential);
    const { requestedScope: _, ...silent } = credential;
    await coordinator.save(KEY, silent);
    expect((await stage.stored())?.requestedScope).toBe("a b");
    await coordinator.save(KEY, { ...credential, requestedScope: "a b c" });
    expect(await stage.stored()).toMatchObject({ requestedScope: "a b c", lastUsedAt: stage.clock.now() });
    const key = { ...KEY, account: "other" };
    await coordinator.save(key, silent);
    expect(await stage.stored(key)).not.toHaveProperty("requestedScope");
    expect(coordinator.loaded(key)?.record).not.toHaveProperty("requestedScope");
  });

  it("keep what was asked for before only of the issuer that a sign-in is with", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const first = await stage.seed({ requestedScope: "a b" });
    const second = credentialAt("https://second.example");
    await coordinator.save(KEY, second);
    expect(await stage.stored()).not.toHaveProperty("requestedScope");
    await coordinator.save(KEY, { ...second, requestedScope: "c" });
    expect(await stage.stored()).toMatchObject({ requestedScope: "c", lastIssuer: second.issuer });
    const { requestedScope: _, ...silent } = first;
    await coordinator.save(KEY, silent);
    expect(await stage.stored()).toMatchObject({ requestedScope: "a b", lastIssuer: first.issuer });
    await coordinator.forgetRequestedScope(KEY);
    expect(await stage.stored()).not.toHaveProperty("requestedScope");
    expect(coordinator.loaded(KEY)?.record).not.toHaveProperty("requestedScope");
  });

  it("remember which issuer the last sign-in was with, also when it has ended or a static key took its place", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const key = credentialAt("https://mcp.example.com", { flow: "static" });
    await coordinator.save(KEY, key);
    expect(coordinator.loaded(KEY)?.record).not.toHaveProperty("lastIssuer");
    const credential = await stage.seed({ expiresAt: stage.clock.now() });
    await coordinator.save(KEY, credential);
    stage.usual = (_, { json }) => json({ error: "invalid_grant" }, 400);
    await failureOf(coordinator.credential(KEY));
    expect(await stage.stored()).toMatchObject({ lastIssuer: credential.issuer });
    expect(await stage.stored()).not.toHaveProperty("activeIssuer");
    await coordinator.save(KEY, key);
    expect(await stage.stored()).toMatchObject({ lastIssuer: credential.issuer, activeIssuer: key.issuer });
  });

  it("begin with a sign-in without the journal of the one before", async () => {
    const stage = await startStage();
    const credential = await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.renew(KEY, credential.accessToken);
    expect(await stage.stored()).toHaveProperty("journal");
    await coordinator.save(KEY, credential);
    expect(await stage.stored()).not.toHaveProperty("journal");
  });

  it("are not written where nothing changes", async () => {
    const inner = memoryStore();
    const set = vi.fn(inner.set.bind(inner));
    const stage = await startStage({ store: storeWith(inner, { set }) });
    const { coordinator } = stage.open({ sessionPolicy: { maxAgeSeconds: 3600 } });
    await coordinator.save(KEY, await stage.seed({ expiresAt: stage.clock.now() + 24 * HOUR }));
    stage.clock.jump(HOUR);
    await stage.seed({ accessToken: secret("signed-in-elsewhere") });
    set.mockClear();
    expect(textOf(await coordinator.credential(KEY))).toBe("signed-in-elsewhere");
    expect(set).not.toHaveBeenCalled();
  });

  it("have no policy where the host has none", async () => {
    const stage = await startStage();
    await stage.seed();
    expect(await stage.open().coordinator.load(KEY)).not.toHaveProperty("policy");
    const limited = stage.open({ sessionPolicy: { maxAgeSeconds: 60 } });
    expect(await limited.coordinator.load(KEY)).toHaveProperty("policy", { maxAgeSeconds: 60 });
  });

  it("hand to a sign-out what all issuers gave, before anything is removed, and are removed even if that fails", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const [one, other] = [credentialAt("https://one.example"), credentialAt("https://other.example")];
    for (const credential of [one, other]) await coordinator.save(KEY, credential);
    const order: string[] = [];
    const failing = coordinator.remove(KEY, async (credentials) => {
      order.push(...credentials.map(({ issuer }) => issuer));
      expect(await stage.stored()).toBeDefined();
      throw new Error("cannot revoke");
    });
    await expect(failing).rejects.toThrow("cannot revoke");
    expect(order).toEqual(["https://one.example", "https://other.example"]);
    expect(await stage.stored()).toBeUndefined();
    const lock = await stage.store.lock(NAME, { timeoutMs: 0 });
    await lock.release();
  });

  it.each([
    [{}, 60_000],
    [{ requestTimeoutMs: 120_000 }, 240_000],
  ])(
    "wait for their lock longer than a refresh may hold it, when one is saved or removed: %j",
    async (changes, longestMs) => {
      const inner = memoryStore();
      const waits: (number | undefined)[] = [];
      const stage = await startStage({
        store: storeWith(inner, {
          lock: (key, options) => {
            waits.push(options?.timeoutMs);
            return inner.lock(key, options);
          },
        }),
      });
      const credential = await stage.seed();
      const { coordinator } = stage.open(changes);
      waits.length = 0;
      await coordinator.save(KEY, credential);
      await coordinator.remove(KEY);
      expect(waits).toHaveLength(2);
      for (const waitMs of waits) expect(waitMs).toBeGreaterThan(longestMs);
    },
  );

  it("keep, with a token that could not be written, what is in the store beside it", async () => {
    const inner = memoryStore();
    let isFailing = false;
    const stage = await startStage({
      store: storeWith(inner, {
        set: async (key, value, lock) => {
          if (isFailing && value.includes("access-token-2")) throw new Error("disk full");
          await inner.set(key, value, lock);
        },
      }),
    });
    const old = credentialAt("https://old.example");
    const current = await stage.seed();
    const record = {
      ...KEY,
      activeIssuer: current.issuer,
      credentials: { [old.issuer]: old, [current.issuer]: current },
      requestedScope: "a",
    };
    await write(stage.store, KEY, record);
    stage.clock.jump(HOUR);
    const { coordinator } = stage.open();
    isFailing = true;
    await coordinator.credential(KEY).catch(() => undefined);
    const sentAt = stage.clock.now();
    isFailing = false;
    stage.clock.jump(1000);
    await coordinator.credential(KEY);
    const stored = await stage.stored();
    expect(Object.keys(stored?.credentials ?? {}).sort()).toEqual([old.issuer, current.issuer].sort());
    expect(stored).toMatchObject({ activeIssuer: current.issuer, requestedScope: "a", journal: { sentAt } });
    await until(async () => (await stage.storedToken()) === "refresh-token-2");
  });
});

describe("credentials", () => {
  it.each([
    ["browser", false, false],
    ["device", false, false],
    ["client_credentials", true, false],
    ["jwt_bearer", true, false],
    ["enterprise_managed", true, false],
    ["static", false, true],
    ["", false, false],
  ])("of the flow %j: renewed by a grant %s, static %s", (flow, isMachine, isStatic) => {
    const { refreshToken: _, ...credential } = credentialAt("https://as.example", { flow });
    expect([isMachineCredential(credential), isStaticCredential(credential)]).toEqual([isMachine, isStatic]);
    expect(isRenewable(credential)).toBe(isMachine);
    expect(isRenewable({ ...credential, refreshToken: secret("r") })).toBe(true);
  });
});

describe("policies without limits", () => {
  it("end nothing and note nothing, however long it takes", () => {
    expect(endedByPolicy({}, { signedInAt: 0 }, 0, Number.MAX_SAFE_INTEGER)).toBeUndefined();
    expect(shouldNoteUse({}, 0, Number.MAX_SAFE_INTEGER)).toBe(false);
    expect(shouldNoteUse({ maxAgeSeconds: 1 }, 0, Number.MAX_SAFE_INTEGER)).toBe(false);
  });
});
