// One refresh, step by step, and what it finds when others were there before.
import { describe, expect, it } from "vitest";
import { withCredential, withoutCredential } from "../../../src/tokens/credential.ts";
import { failureOf } from "../../support/failure.ts";
import { settled } from "../../support/manual-clock.ts";
import { credentialAt } from "../../support/stage.ts";
import {
  HOUR,
  KEY,
  looseStore,
  MINUTE,
  NAME,
  secret,
  startStage,
  storeWith,
  textOf,
  throughPauses,
  until,
  write,
} from "./stage.ts";

describe("the steps of a refresh", () => {
  it("are taken in this order, with the lock held from the first to the last but one", async () => {
    const inner = looseStore();
    const steps: string[] = [];
    const stage = await startStage({
      store: storeWith(inner, {
        get: async (key) => {
          steps.push("get");
          return inner.get(key);
        },
        set: async (key, value, lock) => {
          steps.push(value.includes("access-token-2") ? "set tokens" : "set journal");
          await inner.set(key, value, lock);
        },
        lock: async (key) => {
          steps.push("lock");
          const lock = await inner.lock(key);
          return { ...lock, release: async () => void steps.push("release") };
        },
      }),
    });
    const { coordinator } = stage.open({ onRefreshStep: (step) => void steps.push(`[${step}]`) });
    stage.faults.push((request, helpers) => {
      steps.push("request");
      return stage.usual(request, helpers);
    });
    await stage.seed();
    await coordinator.load(KEY);
    stage.clock.jump(HOUR);
    steps.length = 0;
    await coordinator.credential(KEY);
    expect(steps).toEqual([
      "lock",
      "[locked]",
      "get",
      "[read]",
      "set journal",
      "[journaled]",
      "request",
      "[answered]",
      "set tokens",
      "[persisted]",
      "release",
      "[released]",
    ]);
  });

  it("are waited for: the tokens are handed out after the last one", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    let letGo = (): void => undefined;
    const { coordinator } = stage.open({
      onRefreshStep: (step) =>
        step === "released"
          ? new Promise((resolve) => {
              letGo = resolve;
            })
          : undefined,
    });
    let isThere = false;
    const call = coordinator.credential(KEY).then(() => {
      isThere = true;
    });
    await until(async () => (await stage.storedToken()) === "refresh-token-2");
    await settled();
    expect(isThere).toBe(false);
    letGo();
    await call;
  });

  it("end with the lock free, whatever failed", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    const { coordinator } = stage.open();
    stage.usual = (_, { text }) => text("", 400);
    await failureOf(coordinator.credential(KEY));
    const lock = await stage.store.lock(NAME, { timeoutMs: 0 });
    await lock.release();
  });
});

describe("what another process has written", () => {
  it("is refreshed in its turn when it has expired as well", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    await stage.seed({ accessToken: secret("theirs") });
    stage.clock.jump(HOUR);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
    expect([told("token_adopted").length, told("token_refreshed").length]).toEqual([0, 1]);
  });

  it("is adopted with its end and without a request when it is good", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    stage.clock.jump(HOUR);
    const theirs = await stage.seed({ accessToken: secret("theirs") });
    expect(textOf(await coordinator.credential(KEY))).toBe("theirs");
    expect(told("token_adopted")).toMatchObject([{ ...KEY, issuer: stage.server.url, expiresAt: theirs.expiresAt }]);
    expect(stage.askedAt).toEqual([]);
    const { expiresAt: _, ...endless } = theirs;
    stage.clock.jump(HOUR);
    await write(stage.store, KEY, {
      ...KEY,
      activeIssuer: endless.issuer,
      credentials: { [endless.issuer]: { ...endless, accessToken: secret("endless") } },
    });
    expect(textOf(await coordinator.credential(KEY))).toBe("endless");
    expect(told("token_adopted")[1]).not.toHaveProperty("expiresAt");
  });

  it("is nothing when they have signed out: the session is over, and it says so", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    stage.clock.jump(HOUR);
    await stage.open().coordinator.remove(KEY);
    const error = await failureOf(coordinator.credential(KEY));
    expect(error).toMatchObject({ code: "sign_in_required", server: KEY.server, issuer: stage.server.url });
    expect(error.message).toMatch(/signed out or has ended elsewhere/);
    expect(told("sign_in_required")).toMatchObject([{ ...KEY, issuer: stage.server.url, reason: error.message }]);
    expect(stage.askedAt).toEqual([]);
  });

  it("is nothing, too, when they have ended the session and kept what is known beside it", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    await coordinator.credential(KEY);
    stage.clock.jump(HOUR);
    await write(stage.store, KEY, { ...KEY, credentials: {}, requestedScope: "a" });
    const error = await failureOf(coordinator.credential(KEY));
    expect(error).toMatchObject({ code: "sign_in_required", server: KEY.server, issuer: stage.server.url });
    expect(error.message).toMatch(/signed out or has ended elsewhere/);
    expect(stage.askedAt).toEqual([]);
  });

  it.each([
    ["it was signed out of", (store: ReturnType<typeof looseStore>) => store.delete(NAME, {} as never)],
    [
      "another process has ended it",
      (store: ReturnType<typeof looseStore>) => write(store, KEY, { ...KEY, credentials: {} }),
    ],
  ])("while our request is under way: %s, and a refusal of our token writes nothing", async (_name, change) => {
    const store = looseStore();
    const stage = await startStage({ store });
    await stage.seed();
    stage.clock.jump(HOUR);
    const { coordinator } = stage.open();
    let after: string | undefined;
    stage.faults.push(async (_, { json }) => {
      await change(store);
      after = (await store.get(NAME))?.value;
      return json({ error: "invalid_grant" }, 400);
    });
    expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect((await store.get(NAME))?.value).toBe(after);
  });

  it("is kept when it has no refresh token any more and ours is refused", async () => {
    const store = looseStore();
    const stage = await startStage({ store });
    await stage.seed();
    stage.clock.jump(HOUR);
    const { coordinator } = stage.open();
    const { refreshToken: _, ...theirs } = credentialAt(stage.server.url, {
      accessToken: secret("theirs"),
      issuedAt: stage.clock.now(),
      expiresAt: stage.clock.now() + HOUR,
    });
    stage.faults.push(async (__, { json }) => {
      await write(store, KEY, { ...KEY, activeIssuer: theirs.issuer, credentials: { [theirs.issuer]: theirs } });
      return json({ error: "invalid_grant" }, 400);
    });
    expect(textOf(await coordinator.credential(KEY))).toBe("theirs");
  });
});

describe("an error of the host's own code", () => {
  it("comes out as it is, and is no failure of the server's", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    const bug = new TypeError("a bug in the host");
    const { coordinator, events } = stage.open({
      completeClient: () => {
        throw bug;
      },
    });
    await expect(coordinator.credential(KEY)).rejects.toBe(bug);
    expect(coordinator.failures(KEY)).toBeUndefined();
    expect(events).toEqual([]);
  });
});

describe("the journal", () => {
  it("keeps the requests of the last minute, and none that a clock set back has put into the future", async () => {
    const stage = await startStage();
    let { accessToken } = await stage.seed();
    const { coordinator } = stage.open();
    const start = stage.clock.now();
    for (const at of [0, 30_000, 59_999, 60_000, 90_000]) {
      stage.clock.jump(start + at - stage.clock.now());
      accessToken = (await coordinator.renew(KEY, accessToken)).accessToken;
    }
    const times = async (): Promise<number[] | undefined> =>
      (await stage.stored())?.journal?.recent.map((at) => at - start);
    expect(await times()).toEqual([59_999, 60_000, 90_000]);
    stage.clock.jump(start + 65_000 - stage.clock.now());
    await coordinator.renew(KEY, accessToken);
    expect(await times()).toEqual([59_999, 60_000, 65_000]);
    expect((await stage.stored())?.journal?.sentAt).toBe(start + 65_000);
  });

  it("that is unknown or broken counts as empty", async () => {
    const stage = await startStage();
    const credential = await stage.seed();
    await write(stage.store, KEY, {
      ...withCredential({ ...KEY, credentials: {} }, credential),
      journal: { sentAt: 1, recent: ["x", null, Number.NaN] as never },
    });
    stage.clock.jump(HOUR);
    await stage.open().coordinator.credential(KEY);
    expect((await stage.stored())?.journal).toEqual({ sentAt: stage.clock.now(), recent: [stage.clock.now()] });
  });

  it("goes with the credential that it was about", () => {
    const credential = credentialAt("https://as.example.com");
    const record = { ...withCredential({ ...KEY, credentials: {} }, credential), journal: { sentAt: 1, recent: [1] } };
    // From whom it was is still known, so that a change is noticed.
    expect(withoutCredential(record, credential.issuer)).toEqual({
      ...KEY,
      credentials: {},
      lastIssuer: credential.issuer,
    });
    expect(withoutCredential(record, "https://other.example.com")).toMatchObject({ activeIssuer: credential.issuer });
  });
});

describe("events of a refresh", () => {
  it("tell what was granted, until when, whether the refresh token was replaced, and how long it took", async () => {
    const stage = await startStage();
    await stage.seed({ scope: "a b" });
    const { coordinator, told } = stage.open();
    stage.clock.jump(HOUR);
    const plain = { access_token: "plain", token_type: "Bearer" };
    stage.faults.push((_, { json }) => {
      stage.clock.jump(2500);
      return json({ ...plain, scope: "a" });
    });
    await coordinator.credential(KEY);
    expect(told("token_refreshed")).toEqual([
      {
        type: "token_refreshed",
        at: stage.clock.now(),
        ...KEY,
        issuer: stage.server.url,
        durationMs: 2500,
        rotated: false,
        scope: "a",
      },
    ]);
    await coordinator.renew(KEY, secret("plain"));
    expect(told("token_refreshed")[1]).toMatchObject({
      rotated: true,
      expiresAt: stage.clock.now() + HOUR,
      durationMs: 0,
    });
  });

  it("tell of a failure when, why and until when", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    stage.clock.jump(HOUR);
    stage.faults.push((_, { text }) => text("", 503, { "retry-after": "60" }));
    await failureOf(coordinator.credential(KEY));
    expect(told("refresh_failed")).toEqual([
      {
        type: "refresh_failed",
        at: stage.clock.now(),
        ...KEY,
        issuer: stage.server.url,
        code: "token_request_failed",
        failures: 1,
        retryAt: stage.clock.now() + MINUTE,
      },
    ]);
  });
});

describe("messages", () => {
  it("say why a session is over", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    for (const [error, words] of [
      ["invalid_grant", "no longer accepts its refresh token"],
      ["invalid_client", "no longer knows the client that it was made with"],
    ] as const) {
      await stage.seed({ expiresAt: stage.clock.now() });
      stage.faults.push((_, { json }) => json({ error }, 400));
      const { message } = await failureOf(stage.open().coordinator.credential(KEY));
      expect(message).toBe(`The session at ${KEY.server} has ended: ${stage.server.url} ${words}. Sign in again.`);
    }
    const { refreshToken: _, ...unrenewable } = await stage.seed({ expiresAt: stage.clock.now() });
    const { coordinator } = stage.open();
    await coordinator.save(KEY, unrenewable);
    const error = await failureOf(coordinator.credential(KEY));
    expect(error.message).toBe(`The session at ${KEY.server} has expired and has no refresh token. Sign in again.`);
    expect(error).toMatchObject({ server: KEY.server, issuer: stage.server.url });
  });

  it("say of a machine's session that its grant is no longer there", async () => {
    const stage = await startStage();
    const { refreshToken: _, ...machine } = await stage.seed({ flow: "client_credentials" });
    for (const renewByGrant of [undefined, () => undefined]) {
      const { coordinator } = stage.open(renewByGrant === undefined ? {} : { renewByGrant });
      await coordinator.save(KEY, { ...machine, expiresAt: stage.clock.now() });
      const error = await failureOf(coordinator.credential(KEY));
      expect(error).toMatchObject({ code: "sign_in_required", server: KEY.server, issuer: stage.server.url });
      expect(error.message).toContain("no grant is configured any more");
    }
    expect(stage.askedAt).toEqual([]);
  });

  it("say how often it failed, why, and when to try again", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.jump(HOUR);
    stage.usual = (_, { text }) => text("", 503);
    const error = await failureOf(throughPauses(stage.clock, stage.open().coordinator.credential(KEY)));
    expect(error.message).toMatch(
      /^The token for \S+ could not be refreshed \(3 in a row; last: The token endpoint .*status 503.*\) The session is kept; try again in \d s\.$/,
    );
    expect(error.issuer).toBe(stage.server.url);
  });
});
