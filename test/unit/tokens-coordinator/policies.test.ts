// The host's own limits for sessions, and what keeps sessions apart.
import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";
import type { TokenStore } from "../../../src/ports/token-store.ts";
import type { SessionPolicy } from "../../../src/tokens/session-policy.ts";
import { failureOf } from "../../support/failure.ts";
import { settled } from "../../support/manual-clock.ts";
import { credentialAt, SERVER } from "../../support/stage.ts";
import { HOUR, KEY, MINUTE, NAME, secret, startStage, storeWith, textOf, until, write } from "./stage.ts";

/** A session of a day, so that nothing but the policy ends it. */
async function underPolicy(sessionPolicy: SessionPolicy) {
  const stage = await startStage();
  const { coordinator, told } = stage.open({ sessionPolicy });
  const now = stage.clock.now();
  const credential = await stage.seed({ expiresAt: now + 24 * HOUR });
  await coordinator.save(KEY, credential);
  return { ...stage, stage, coordinator, told, credential };
}

describe("maxAgeSeconds", () => {
  it("ends a session when it is that old, however it was refreshed, and tells it once", async () => {
    const { stage, coordinator, told } = await underPolicy({ maxAgeSeconds: 3600 });
    stage.clock.jump(30 * MINUTE);
    expect(textOf(await coordinator.renew(KEY, secret("access-token-1")))).toBe("access-token-2");
    stage.clock.jump(30 * MINUTE - 1);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    stage.clock.jump(1);
    const errors = await Promise.all(Array.from({ length: 50 }, () => failureOf(coordinator.credential(KEY))));
    for (const error of errors) {
      expect(error).toMatchObject({ code: "sign_in_required", server: SERVER });
      expect(error.message).toContain("older than 3600 s");
    }
    expect(told("sign_in_required")).toHaveLength(1);
    expect(await coordinator.credential(KEY)).toBeUndefined();
    expect(await stage.stored()).toMatchObject({ ...KEY, credentials: {} });
  });

  it("keeps no session alive beyond it in the background", async () => {
    const { stage, coordinator } = await underPolicy({ maxAgeSeconds: 3600 });
    await coordinator.credential(KEY);
    stage.clock.advance(23 * HOUR);
    await settled();
    // Not even the intention was written down.
    expect(await stage.stored()).not.toHaveProperty("journal");
    expect(stage.askedAt).toEqual([]);
  });

  it("is no reason not to refresh before its end", async () => {
    const { stage, coordinator, told } = await underPolicy({ maxAgeSeconds: 48 * 3600 });
    await coordinator.credential(KEY);
    stage.clock.advance(20 * HOUR);
    await until(() => told("token_refreshed").length === 1);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("ends the next session as it did the first one", async () => {
    const { stage, coordinator, told, credential } = await underPolicy({ maxAgeSeconds: 3600 });
    for (const session of [1, 2]) {
      stage.clock.jump(HOUR);
      expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
      expect((await stage.stored())?.credentials).toEqual({});
      expect(told("sign_in_required")).toHaveLength(session);
      await coordinator.save(KEY, { ...credential, signedInAt: stage.clock.now() });
      expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    }
  });

  it("finds a session that another process has ended before it", async () => {
    const { stage, coordinator } = await underPolicy({ maxAgeSeconds: 3600 });
    await write(stage.store, KEY, { ...KEY, credentials: {} });
    stage.clock.jump(HOUR);
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect(await coordinator.credential(KEY)).toBeUndefined();
  });

  it("finds a session that another process has signed out of", async () => {
    const { stage, coordinator } = await underPolicy({ maxAgeSeconds: 3600 });
    await stage.open().coordinator.remove(KEY);
    stage.clock.jump(HOUR);
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect(await coordinator.credential(KEY)).toBeUndefined();
    expect(await stage.stored()).toBeUndefined();
  });

  it("is told of as it is when the end cannot be written", async () => {
    const inner = memoryStore();
    let isFailing = false;
    const full = new McpOAuthError("store_failed", "The disk is full.");
    const set: TokenStore["set"] = (key, value, lock) =>
      isFailing ? Promise.reject(full) : inner.set(key, value, lock);
    const stage = await startStage({ store: storeWith(inner, { set }) });
    const { coordinator, told } = stage.open({ sessionPolicy: { maxAgeSeconds: 3600 } });
    await coordinator.save(KEY, await stage.seed({ expiresAt: stage.clock.now() + 24 * HOUR }));
    stage.clock.jump(HOUR);
    isFailing = true;
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("store_failed");
    isFailing = false;
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect(told("sign_in_required")).toHaveLength(1);
  });

  it("counts from the next sign-in anew, also when that happened in another process", async () => {
    const { stage, coordinator, told } = await underPolicy({ maxAgeSeconds: 3600 });
    stage.clock.jump(HOUR);
    await stage.seed({ accessToken: secret("signed-in") });
    expect(textOf(await coordinator.credential(KEY))).toBe("signed-in");
    expect(told("sign_in_required")).toEqual([]);
  });
});

describe("maxIdleSeconds", () => {
  it("ends a session that nobody used for so long, and none that is used", async () => {
    const { stage, coordinator } = await underPolicy({ maxIdleSeconds: 3600 });
    for (let use = 0; use < 6; use++) {
      stage.clock.jump(50 * MINUTE);
      expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
      await until(async () => (await stage.stored())?.lastUsedAt === stage.clock.now());
    }
    stage.clock.jump(HOUR);
    const error = await failureOf(coordinator.credential(KEY));
    expect(error.code).toBe("sign_in_required");
    expect(error.message).toContain("not used for 3600 s");
  });

  it("notes the use now and then, not at each request", async () => {
    const inner = memoryStore();
    const set = vi.fn(inner.set.bind(inner));
    const stage = await startStage({ store: storeWith(inner, { set }) });
    const { coordinator } = stage.open({ sessionPolicy: { maxIdleSeconds: 3600 } });
    await coordinator.save(KEY, await stage.seed({ expiresAt: stage.clock.now() + 24 * HOUR }));
    set.mockClear();
    for (let second = 0; second < 3600; second += 10) {
      stage.clock.jump(10_000);
      await Promise.all([coordinator.credential(KEY), coordinator.credential(KEY)]);
      await settled();
    }
    expect(set).toHaveBeenCalledTimes(10);
  });

  it("holds no request up to note its use, and fails none", async () => {
    const inner = memoryStore();
    let isFailing = false;
    const stage = await startStage({
      store: storeWith(inner, {
        set: async (key, value, lock) => {
          if (isFailing) throw new McpOAuthError("store_failed", "The disk is full.");
          await inner.set(key, value, lock);
        },
      }),
    });
    const { coordinator } = stage.open({ sessionPolicy: { maxIdleSeconds: 3600 } });
    await coordinator.save(KEY, await stage.seed({ expiresAt: stage.clock.now() + 24 * HOUR }));
    stage.clock.jump(30 * MINUTE);
    const lock = await inner.lock(NAME);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    isFailing = true;
    await lock.release();
    await settled();
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    await settled();
    isFailing = false;
    await coordinator.credential(KEY);
    await coordinator.close();
    expect((await stage.stored())?.lastUsedAt).toBe(stage.clock.now());
  });

  it("is noted before close() has ended", async () => {
    const { stage, coordinator } = await underPolicy({ maxIdleSeconds: 3600 });
    stage.clock.jump(30 * MINUTE);
    const lock = await stage.store.lock(NAME);
    await coordinator.credential(KEY);
    let isClosed = false;
    const closing = coordinator.close().then(() => {
      isClosed = true;
    });
    await settled();
    expect(isClosed).toBe(false);
    await lock.release();
    await closing;
    expect((await stage.stored())?.lastUsedAt).toBe(stage.clock.now());
  });

  it("is not noted of a session that another process has signed out of: nothing is brought back", async () => {
    const { stage, coordinator } = await underPolicy({ maxIdleSeconds: 3600 });
    await stage.open().coordinator.remove(KEY);
    stage.clock.jump(30 * MINUTE);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    await coordinator.close();
    expect(await stage.stored()).toBeUndefined();
    expect(await coordinator.credential(KEY)).toBeUndefined();
  });

  it("takes what another process noted into account", async () => {
    const { stage, coordinator, told } = await underPolicy({ maxIdleSeconds: 3600 });
    const other = stage.open({ sessionPolicy: { maxIdleSeconds: 3600 } });
    for (let use = 0; use < 3; use++) {
      stage.clock.jump(40 * MINUTE);
      await other.coordinator.credential(KEY);
      await until(async () => (await stage.stored())?.lastUsedAt === stage.clock.now());
    }
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    expect(told("sign_in_required")).toEqual([]);
  });
});

describe("refresh: false", () => {
  it("keeps no refresh token, sets no timer, and ends with the access token", async () => {
    const { stage, coordinator, told } = await underPolicy({ refresh: false });
    expect(await stage.storedToken()).toBeUndefined();
    expect(stage.clock.timers).toEqual([]);
    stage.clock.jump(24 * HOUR);
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect(stage.askedAt).toEqual([]);
    expect(told("sign_in_required")).toHaveLength(1);
  });

  it("uses none that was stored before it was said", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open({ sessionPolicy: { refresh: false } });
    const credential = await coordinator.credential(KEY);
    expect(credential).not.toHaveProperty("refreshToken");
    stage.clock.jump(50 * MINUTE);
    await coordinator.credential(KEY);
    expect((await failureOf(coordinator.renew(KEY, secret("access-token-1")))).code).toBe("sign_in_required");
    stage.clock.jump(10 * MINUTE);
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect(stage.askedAt).toEqual([]);
  });

  it("has nothing to drop of a session that another process has ended", async () => {
    const stage = await startStage();
    await write(stage.store, KEY, { ...KEY, credentials: {} });
    const { coordinator } = stage.open({ sessionPolicy: { refresh: false } });
    expect(await coordinator.credential(KEY)).toBeUndefined();
  });

  it("can be said for one server alone", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open({ sessionPolicy: ({ account }) => ({ refresh: account !== "strict" }) });
    for (const account of ["strict", "lax"]) await coordinator.save({ ...KEY, account }, await stage.seed());
    expect(await stage.storedToken({ ...KEY, account: "strict" })).toBeUndefined();
    expect(await stage.storedToken({ ...KEY, account: "lax" })).toBe("refresh-token-1");
  });
});

describe("sessions", () => {
  it("of two accounts, two servers and two issuers never meet", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const keys = ["a", "b"].flatMap((account) =>
      ["https://one.example/mcp", "https://two.example/mcp"].map((server) => ({ account, server })),
    );
    const nameOf = ({ account, server }: { account: string; server: string }): string => `token-${account}-${server}`;
    for (const key of keys) {
      await coordinator.save(
        key,
        credentialAt(stage.server.url, { resource: key.server, accessToken: secret(nameOf(key)) }),
      );
    }
    stage.clock.jump(-stage.clock.now());
    for (const key of keys) expect(textOf(await coordinator.credential(key))).toBe(nameOf(key));
    expect(await coordinator.list()).toHaveLength(4);
    await coordinator.remove(keys[0]!);
    expect(await coordinator.credential(keys[0]!)).toBeUndefined();
    for (const key of keys.slice(1)) expect(textOf(await coordinator.credential(key))).toBe(nameOf(key));
  });

  it("ask for the resource that each was issued for, at the one issuer they share [RES-1]", async () => {
    const stage = await startStage({
      usual: ({ form }, { json }) =>
        json({ access_token: `new-${form.get("resource")}`, token_type: "Bearer", expires_in: 3600 }),
    });
    const { coordinator } = stage.open();
    const servers = ["https://one.example/mcp", "https://two.example/mcp"];
    for (const server of servers) {
      const key = { ...KEY, server };
      await coordinator.save(key, await stage.seed({ resource: server, accessToken: secret(server) }, key));
    }
    stage.clock.jump(HOUR);
    const renewed = await Promise.all(servers.map((server) => coordinator.credential({ ...KEY, server })));
    expect(renewed.map(textOf)).toEqual(servers.map((server) => `new-${server}`));
    expect(stage.askedAt).toHaveLength(2);
  });

  it("keep what other issuers gave when one of them ends", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const old = credentialAt("https://old.example", { accessToken: secret("old") });
    await coordinator.save(KEY, old);
    await coordinator.save(KEY, { ...(await stage.seed()), expiresAt: stage.clock.now() + 1 });
    stage.usual = (_, { json }) => json({ error: "invalid_grant" }, 400);
    await coordinator.save(KEY, old);
    await coordinator.save(KEY, credentialAt(stage.server.url, { issuedAt: 0, expiresAt: 1 }));
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    const left = await stage.stored();
    expect(Object.keys(left?.credentials ?? {})).toEqual(["https://old.example"]);
    // What one issuer gave is not used because another's is gone.
    expect(left?.activeIssuer).toBeUndefined();
    expect(await coordinator.credential(KEY)).toBeUndefined();
  });

  it("of a machine follow their grant to another issuer", async () => {
    const stage = await startStage();
    const now = stage.clock.now();
    const { refreshToken: __, ...next } = credentialAt("https://new.example", {
      flow: "client_credentials",
      accessToken: secret("from-the-new-issuer"),
      issuedAt: now + HOUR,
      expiresAt: now + 2 * HOUR,
    });
    const { refreshToken: _, ...machine } = await stage.seed({ flow: "client_credentials" });
    const { coordinator } = stage.open({ renewByGrant: () => Promise.resolve(next) });
    await coordinator.save(KEY, machine);
    stage.clock.jump(HOUR);
    expect(textOf(await coordinator.credential(KEY))).toBe("from-the-new-issuer");
    expect(textOf(await coordinator.credential(KEY))).toBe("from-the-new-issuer");
    expect(await stage.stored()).toMatchObject({ activeIssuer: "https://new.example" });
  });
});
