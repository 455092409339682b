// What a token endpoint can answer to a refresh, and what becomes of the session.
import { describe, expect, it, vi } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import type { Credential, SessionRecord } from "../../../src/tokens/credential.ts";
import type { ScriptedRoute } from "../../servers/scripted-server.ts";
import { failureOf } from "../../support/failure.ts";
import { clientAt, credentialAt } from "../../support/stage.ts";
import {
  HOUR,
  KEY,
  looseStore,
  MINUTE,
  type Stage,
  secret,
  startStage,
  storeWith,
  textOf,
  throughPauses,
  until,
  write,
} from "./stage.ts";

/** Faults that may pass: they are tried three times for a caller who waits. */
const passing: [name: string, answer: ScriptedRoute, cause: object][] = [
  ["500", (_, { json }) => json({ error: "server_error" }, 500), { code: "token_request_failed", status: 500 }],
  ["500 that talks of invalid_grant", (_, { json }) => json({ error: "invalid_grant" }, 500), { status: 500 }],
  ["502 with a page", (_, { html }) => html("<h1>Bad gateway</h1>", 502), { status: 502 }],
  ["503 without a body", (_, { text }) => text("", 503), { status: 503 }],
  ["429 without Retry-After", (_, { text }) => text("", 429), { status: 429 }],
  ["429 that talks of invalid_client", (_, { json }) => json({ error: "invalid_client" }, 429), { status: 429 }],
  ["a reset", () => "reset", { code: "network_failed" }],
  ["garbage instead of JSON", (_, { text }) => text('{"access_token":', 200), { code: "invalid_response" }],
  ["200 without access_token", (_, { json }) => json({ token_type: "Bearer" }), { code: "invalid_response" }],
  ["200 with an empty body", (_, { text }) => text("", 200), { code: "invalid_response" }],
  ["200 with a page", (_, { html }) => html("<p>Sign in"), { code: "invalid_response" }],
  ["a redirect", (_, { redirect }) => redirect("/login"), { code: "invalid_response" }],
  ["an endless answer", (_, { endless }) => endless(), { code: "invalid_response" }],
  ["temporarily_unavailable", (_, { json }) => json({ error: "temporarily_unavailable" }, 400), { status: 400 }],
];

/** Definite refusals that are not about the refresh token: asked once, since the answer will be the same. */
const refusals: [name: string, answer: ScriptedRoute, cause: object][] = [
  ["400 with an empty body", (_, { text }) => text("", 400), { code: "token_request_failed", status: 400 }],
  ["401 with an odd code", (_, { json }) => json({ error: "quota" }, 401), { status: 401, oauthError: "quota" }],
  ["200 with an error", (_, { json }) => json({ error: "quota" }), { status: 200, oauthError: "quota" }],
  ["403 with a page", (_, { html }) => html("<p>No", 403), { status: 403 }],
  ["unauthorized_client", (_, { json }) => json({ error: "unauthorized_client" }, 400), { status: 400 }],
];

/** A session whose access token has expired, and a coordinator that has not loaded it yet. */
async function expired(changes: object = {}): Promise<Stage & ReturnType<Stage["open"]>> {
  const stage = await startStage();
  await stage.seed(changes);
  stage.clock.advance(HOUR);
  return Object.assign(stage, stage.open());
}

/** What somebody else got meanwhile. */
function winner({ server, clock }: Stage): Credential {
  return credentialAt(server.url, {
    accessToken: secret("winners-access-token"),
    refreshToken: secret("winners-refresh-token"),
    issuedAt: clock.now(),
    expiresAt: clock.now() + HOUR,
  });
}

function sessionOf(credential: Credential): SessionRecord {
  return { ...KEY, activeIssuer: credential.issuer, credentials: { [credential.issuer]: credential } };
}

describe("a caller who waits for a refresh", () => {
  it.each(passing)(
    "is told of %s after three tries, and nothing is lost [REF-6] [ERR-3]",
    async (_name, answer, cause) => {
      const stage = await expired();
      stage.faults.push(answer, answer, answer);
      const startedAt = stage.clock.now();
      const error = await failureOf(throughPauses(stage.clock, stage.coordinator.credential(KEY)));
      expect(error).toMatchObject({ code: "refresh_failed", server: KEY.server, cause });
      expect(error.message).toMatch(/3 in a row.* The session is kept; try again in [3-5] s\./);
      expect(error.retryAfterMs).toBeGreaterThanOrEqual(3000);
      expect(error.retryAfterMs).toBeLessThanOrEqual(5000);
      expect(stage.askedAt).toHaveLength(3);
      const pauses = [startedAt, ...stage.askedAt].map((at, index, all) => at - (all[index - 1] ?? at)).slice(2);
      expect(pauses[0]).toBeGreaterThanOrEqual(750);
      expect(pauses[0]).toBeLessThanOrEqual(1250);
      expect(pauses[1]).toBeGreaterThanOrEqual(1500);
      expect(pauses[1]).toBeLessThanOrEqual(2500);
      expect(stage.told("refresh_failed").map(({ failures }) => failures)).toEqual([1, 2, 3]);
      expect(stage.told("refresh_failing")).toHaveLength(1);
      expect(stage.told("sign_in_required")).toEqual([]);
      expect(await stage.storedToken()).toBe("refresh-token-1");
      // The server has recovered: the same session goes on.
      const after = await throughPauses(stage.clock, stage.coordinator.credential(KEY));
      expect(textOf(after)).toBe("access-token-2");
      expect(stage.askedAt).toHaveLength(4);
      expect(stage.coordinator.failures(KEY)).toBeUndefined();
    },
  );

  it("is told of a server that does not answer when its time is up [REF-6]", async () => {
    const stage = await expired();
    stage.faults.push(
      ...[1, 2, 3].map(
        (): ScriptedRoute =>
          (request, { hang }) =>
            hang(request),
      ),
    );
    const call = failureOf(throughPauses(stage.clock, stage.coordinator.credential(KEY)));
    for (const tries of [1, 2, 3]) {
      await until(() => stage.askedAt.length === tries);
      stage.clock.advance(30_000);
    }
    expect(await call).toMatchObject({ code: "refresh_failed", cause: { code: "timeout" } });
    expect(stage.askedAt).toHaveLength(3);
    expect(await stage.storedToken()).toBe("refresh-token-1");
  });

  it.each(refusals)(
    "is told of %s at once; it is asked again with pauses, and after three the session is given up, not deleted [REF-6]",
    async (_name, answer, cause) => {
      const stage = await expired();
      stage.usual = answer;
      for (const tries of [1, 2]) {
        const error = await failureOf(stage.coordinator.credential(KEY));
        expect(error).toMatchObject({ code: "refresh_failed", cause });
        expect(stage.askedAt).toHaveLength(tries);
        // Nobody asks during the pause.
        expect(await failureOf(stage.coordinator.credential(KEY))).toMatchObject({ code: "refresh_failed", cause });
        expect(stage.askedAt).toHaveLength(tries);
        stage.clock.advance(error.retryAfterMs ?? 0);
      }
      const over = await failureOf(stage.coordinator.credential(KEY));
      expect(over).toMatchObject({ code: "sign_in_required", server: KEY.server, issuer: stage.server.url, cause });
      expect(over.message).toContain("keeps refusing");
      expect(stage.askedAt).toHaveLength(3);
      for (let request = 0; request < 50; request++)
        expect((await failureOf(stage.coordinator.credential(KEY))).code).toBe("sign_in_required");
      expect(stage.askedAt).toHaveLength(3);
      expect(stage.told("refresh_failing")).toHaveLength(1);
      expect(stage.told("sign_in_required")).toHaveLength(1);
      expect(await stage.storedToken()).toBe("refresh-token-1");
    },
  );

  it("waits as long as Retry-After says, in seconds or as a date, and nobody asks meanwhile [ERR-3]", async () => {
    for (const retryAfter of ["120", "date"]) {
      const stage = await expired();
      const at = new Date(stage.clock.now() + 120_000).toUTCString();
      stage.faults.push((_, { text }) => text("", 503, { "retry-after": retryAfter === "date" ? at : retryAfter }));
      const error = await failureOf(stage.coordinator.credential(KEY));
      expect(error).toMatchObject({ code: "refresh_failed", retryAfterMs: 120_000, status: 503 });
      stage.clock.advance(114_000);
      expect(await failureOf(stage.coordinator.credential(KEY))).toMatchObject({ retryAfterMs: 6000 });
      // A wait of five seconds and less is for us, not for the caller.
      stage.clock.advance(1000);
      const after = throughPauses(stage.clock, stage.coordinator.credential(KEY));
      expect(textOf(await after)).toBe("access-token-2");
      expect(stage.askedAt.map((each) => each - (stage.askedAt[0] ?? 0))).toEqual([0, 120_000]);
    }
  });

  it("sits through a short pause that a failure in the background began, instead of failing at once", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(50 * MINUTE);
    const { coordinator, told } = stage.open();
    stage.faults.push(() => "reset");
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    await until(() => told("refresh_failed").length === 1);
    const call = coordinator.credential(KEY, { minTtlMs: 30 * MINUTE });
    expect(textOf(await throughPauses(stage.clock, call))).toBe("access-token-2");
    expect(stage.askedAt).toHaveLength(2);
    expect((stage.askedAt[1] ?? 0) - (stage.askedAt[0] ?? 0)).toBeGreaterThanOrEqual(750);
  });

  it("has three tries, too, when the refresh began in the background", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(50 * MINUTE);
    const { coordinator } = stage.open();
    stage.faults.push(
      () => "reset",
      () => "reset",
    );
    await coordinator.credential(KEY);
    const call = coordinator.credential(KEY, { minTtlMs: 30 * MINUTE });
    expect(textOf(await throughPauses(stage.clock, call))).toBe("access-token-2");
    expect(stage.askedAt).toHaveLength(3);
  });
});

describe("a token that is due but still good", () => {
  it.each([...passing, ...refusals])(
    "is served through %s, with one request a pause [REF-6]",
    async (_name, answer) => {
      const stage = await startStage();
      const { coordinator, told } = stage.open();
      await stage.seed();
      stage.usual = answer;
      stage.clock.advance(50 * MINUTE);
      for (let failures = 1; failures <= 4; failures++) {
        for (let request = 0; request < 20; request++) {
          expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
        }
        await until(() => told("refresh_failed").length === failures);
        expect(stage.askedAt).toHaveLength(failures);
        const retryAt = told("refresh_failed").at(-1)?.retryAt ?? 0;
        stage.clock.advance(retryAt - stage.clock.now() - 1);
        expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
        expect(stage.askedAt).toHaveLength(failures);
        // The timer tries again by itself when the pause is over.
        stage.clock.advance(1);
        if (failures < 4) await until(() => stage.askedAt.length === failures + 1);
      }
      expect(told("refresh_failing")).toHaveLength(1);
      expect(told("sign_in_required")).toEqual([]);
      expect(await stage.storedToken()).toBe("refresh-token-1");
    },
  );
});

describe("a row of failures", () => {
  it("raises refresh_failing at the third, once a row, and again for the next row", async () => {
    const stage = await expired();
    const reset: ScriptedRoute = () => "reset";
    for (const rows of [1, 2]) {
      stage.faults.push(...Array.from({ length: 7 }, () => reset));
      for (let count = 0; stage.faults.length > 0 && count < 20; count++) {
        const error = await failureOf(throughPauses(stage.clock, stage.coordinator.credential(KEY)));
        if (stage.faults.length > 0) stage.clock.advance(error.retryAfterMs ?? 0);
      }
      expect(stage.told("refresh_failed")).toHaveLength(7 * rows);
      expect(stage.told("refresh_failing").map(({ failures }) => failures)).toEqual(rows === 1 ? [3] : [3, 3]);
      stage.clock.advance(10 * MINUTE);
      await stage.coordinator.credential(KEY);
      stage.clock.advance(HOUR);
    }
  });

  it("has pauses that grow, differ, and end at five minutes [ERR-3]", async () => {
    const stage = await expired();
    stage.usual = () => "reset";
    const pauses: number[] = [];
    for (let count = 0; count < 15; count++) {
      await failureOf(throughPauses(stage.clock, stage.coordinator.credential(KEY)));
      const { at = 0, retryAt = 0 } = stage.told("refresh_failed").at(-1) ?? {};
      pauses.push(retryAt - at);
      stage.clock.advance(retryAt - at);
    }
    for (const pause of pauses) expect(pause).toBeLessThanOrEqual(5 * MINUTE * 1.25);
    expect(pauses.at(-1)).toBeGreaterThanOrEqual(5 * MINUTE * 0.75);
    expect(new Set(pauses).size).toBe(pauses.length);
  });

  it("is shown by failures() only for the token that it concerns", async () => {
    const stage = await expired();
    stage.faults.push((_, { text }) => text("", 400));
    await failureOf(stage.coordinator.credential(KEY));
    expect(stage.coordinator.failures(KEY)).toMatchObject({ failures: 1, refusals: 1 });
    await stage.seed({ accessToken: secret("somebody-elses") });
    await stage.coordinator.reload(KEY);
    expect(stage.coordinator.failures(KEY)).toBeUndefined();
  });

  it("holds nobody up whose token is another: somebody else has had success", async () => {
    const stage = await expired();
    stage.faults.push((_, { text }) => text("", 503, { "retry-after": "3600" }));
    await failureOf(stage.coordinator.credential(KEY));
    await stage.seed({ accessToken: secret("somebody-elses") });
    stage.clock.advance(1000);
    expect(textOf(await stage.coordinator.credential(KEY))).toBe("somebody-elses");
    expect(stage.told("token_adopted")).toHaveLength(1);
    expect(stage.askedAt).toHaveLength(1);
  });

  it("is forgotten with a sign-in, even one that gives the same token", async () => {
    const stage = await expired();
    const stuck = (_: unknown, { text }: { text: (body: string, status: number, headers: object) => Response }) =>
      text("", 503, { "retry-after": "3600" });
    stage.faults.push(stuck as ScriptedRoute);
    await failureOf(stage.coordinator.credential(KEY));
    const { credential } = (await stage.coordinator.load(KEY)) ?? {};
    await stage.coordinator.save(KEY, credential as Credential);
    expect(stage.coordinator.failures(KEY)).toBeUndefined();
    expect(textOf(await stage.coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("is not there for a session that was not loaded yet, nor for none", async () => {
    const stage = await startStage();
    expect(stage.open().coordinator.failures(KEY)).toBeUndefined();
  });

  it("asks the store during a pause once a second at most, however many ask", async () => {
    const inner = memoryStore();
    const get = vi.fn(inner.get.bind(inner));
    const stage = await startStage({ store: storeWith(inner, { get }) });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    stage.faults.push((_, { text }) => text("", 503, { "retry-after": "3600" }));
    await failureOf(coordinator.credential(KEY));
    get.mockClear();
    for (let request = 0; request < 50; request++) await failureOf(coordinator.credential(KEY));
    expect(get).not.toHaveBeenCalled();
    stage.clock.advance(1000);
    for (let request = 0; request < 50; request++) await failureOf(coordinator.credential(KEY));
    expect(get).toHaveBeenCalledTimes(1);
    expect(stage.askedAt).toHaveLength(1);
  });
});

describe("a session that is over", () => {
  it("ends with invalid_grant for the stored token: the credential goes, the rest stays, and it is told once [REF-6]", async () => {
    const stage = await expired({ requestedScope: "a b" });
    stage.faults.push((_, { json }) => json({ error: "invalid_grant", error_description: "expired" }, 400));
    const errors = await Promise.all(Array.from({ length: 50 }, () => failureOf(stage.coordinator.credential(KEY))));
    for (const error of errors) {
      expect(error).toMatchObject({ code: "sign_in_required", server: KEY.server, issuer: stage.server.url });
      expect(error.cause).toMatchObject({ oauthError: "invalid_grant" });
    }
    expect(stage.askedAt).toHaveLength(1);
    for (let request = 0; request < 10; request++) expect(await stage.coordinator.credential(KEY)).toBeUndefined();
    expect(stage.told("sign_in_required")).toHaveLength(1);
    expect(stage.told("sign_in_required")[0]).toMatchObject({ ...KEY, issuer: stage.server.url });
    expect(stage.askedAt).toHaveLength(1);
    expect(await stage.stored()).toMatchObject({ ...KEY, requestedScope: "a b", credentials: {} });
    expect(stage.told("refresh_failed")).toEqual([]);
  });

  it("is told again when the next session ends, too, also when another process signed in", async () => {
    const stage = await expired();
    stage.usual = (_, { json }) => json({ error: "invalid_grant" }, 400);
    await failureOf(stage.coordinator.credential(KEY));
    await stage.seed({ accessToken: secret("second-session") });
    await stage.coordinator.reload(KEY);
    expect(textOf(await stage.coordinator.credential(KEY))).toBe("second-session");
    stage.clock.advance(HOUR);
    await failureOf(stage.coordinator.credential(KEY));
    expect(stage.told("sign_in_required")).toHaveLength(2);
    await stage.seed({ accessToken: secret("third-session") });
    await stage.coordinator.remove(KEY);
    expect(stage.told("sign_in_required")).toHaveLength(2);
  });

  it("is told again for the same token when that was signed in with again", async () => {
    const stage = await expired();
    stage.usual = (_, { json }) => json({ error: "invalid_grant" }, 400);
    for (const session of [1, 2]) {
      await stage.coordinator.save(KEY, await stage.seed({ expiresAt: stage.clock.now() }));
      expect((await failureOf(stage.coordinator.credential(KEY))).code).toBe("sign_in_required");
      expect(stage.told("sign_in_required")).toHaveLength(session);
    }
  });

  it("is adopted from the winner when somebody has rotated meanwhile: the loser wipes nothing [REF-6]", async () => {
    const stage = await startStage({ store: looseStore() });
    await stage.seed();
    stage.clock.advance(HOUR);
    const { coordinator, told } = stage.open();
    stage.faults.push(async (_, { json }) => {
      await write(stage.store, KEY, sessionOf(winner(stage)));
      return json({ error: "invalid_grant" }, 400);
    });
    expect(textOf(await coordinator.credential(KEY))).toBe("winners-access-token");
    expect(stage.askedAt).toHaveLength(1);
    expect(await stage.storedToken()).toBe("winners-refresh-token");
    expect([told("token_adopted").length, told("sign_in_required").length]).toEqual([1, 0]);
  });

  it("keeps what it has when the server has forgotten a dynamic client, asks once a pause, and tells once [DCR-8]", async () => {
    const stage = await startStage();
    await stage.seed();
    stage.clock.advance(HOUR);
    const onClientForgotten = vi.fn(async () => undefined);
    const { coordinator, told } = stage.open({ onClientForgotten });
    stage.usual = (_, { json }) => json({ error: "invalid_client" }, 401);
    for (let request = 0; request < 50; request++) {
      const error = await failureOf(coordinator.credential(KEY));
      expect(error).toMatchObject({ code: "sign_in_required", cause: { oauthError: "invalid_client" } });
    }
    expect(stage.askedAt).toHaveLength(1);
    expect(onClientForgotten).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ clientId: "client" }),
      KEY.server,
    );
    expect(told("sign_in_required")).toHaveLength(1);
    expect(await stage.storedToken()).toBe("refresh-token-1");
  });

  it("is not over because a client that was configured by hand is refused: that may be put right [REF-6]", async () => {
    const stage = await startStage();
    await stage.seed({ client: clientAt(stage.server.url, { how: "pre-registered" }) });
    stage.clock.advance(HOUR);
    const { coordinator } = stage.open();
    stage.faults.push((_, { json }) => json({ error: "invalid_client" }, 401));
    const error = await failureOf(coordinator.credential(KEY));
    expect(error).toMatchObject({ code: "refresh_failed", oauthError: "invalid_client" });
    stage.clock.advance(error.retryAfterMs ?? 0);
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-2");
  });

  it("is over without a request when there is nothing to refresh with", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open({ sessionPolicy: { refresh: false } });
    expect(textOf(await coordinator.credential(KEY))).toBe("access-token-1");
    stage.clock.advance(HOUR);
    for (let request = 0; request < 10; request++)
      expect((await failureOf(coordinator.credential(KEY))).code).toBe("sign_in_required");
    expect([stage.askedAt.length, told("sign_in_required").length]).toEqual([0, 1]);
  });
});

describe("a token that a server refused", () => {
  it("is not renewed when memory has another by now", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator } = stage.open();
    expect(textOf(await coordinator.renew(KEY, secret("one-before")))).toBe("access-token-1");
    expect(stage.askedAt).toEqual([]);
    stage.clock.jump(HOUR);
    expect(textOf(await coordinator.renew(KEY, secret("one-before")))).toBe("access-token-2");
    expect(stage.askedAt).toHaveLength(1);
  });

  it("is not renewed when the store has another by now", async () => {
    const stage = await startStage();
    await stage.seed();
    const { coordinator, told } = stage.open();
    await coordinator.credential(KEY);
    await stage.seed({ accessToken: secret("somebody-elses") });
    expect(textOf(await coordinator.renew(KEY, secret("access-token-1")))).toBe("somebody-elses");
    expect([stage.askedAt.length, told("token_adopted").length]).toEqual([0, 1]);
    expect(told("token_adopted")[0]).toMatchObject({ ...KEY, issuer: stage.server.url });
  });

  it("cannot be renewed where there is no session", async () => {
    const stage = await startStage();
    const { coordinator } = stage.open();
    const error = await failureOf(coordinator.renew(KEY, secret("access-token-1")));
    expect(error).toMatchObject({ code: "sign_in_required", server: KEY.server });
    expect(error.message).toContain("there is no session");
    expect(error).not.toHaveProperty("cause");
    await write(stage.store, KEY, { ...KEY, credentials: {} });
    const ended = stage.open().coordinator;
    expect((await failureOf(ended.renew(KEY, secret("access-token-1")))).code).toBe("sign_in_required");
    expect(await ended.credential(KEY)).toBeUndefined();
  });
});
