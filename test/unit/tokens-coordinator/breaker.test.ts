// Nobody storms a token endpoint, whatever goes wrong and however many processes there are.
import { expect, it } from "vitest";
import { failureOf } from "../../support/failure.ts";
import { HOUR, KEY, MINUTE, secret, startStage, textOf, throughPauses } from "./stage.ts";

/** The most requests that fell into any window of a minute; the seconds in which pauses passed are not looked at. */
function mostInAMinute(times: readonly number[]): number {
  return Math.max(0, ...times.map((start) => times.filter((at) => at >= start && at < start + MINUTE - 6500).length));
}

it("sends ten requests a minute at most for a token that is refused again and again, by two managers together", async () => {
  const stage = await startStage();
  await stage.seed();
  const managers = [stage.open(), stage.open()].map((manager) => ({ ...manager, refused: secret("access-token-1") }));
  const outcomes: string[] = [];
  for (const startedAt = stage.clock.now(); stage.clock.now() < startedAt + 150_000; ) {
    for (const manager of managers) {
      await throughPauses(stage.clock, manager.coordinator.renew(KEY, manager.refused)).then(
        ({ accessToken }) => {
          manager.refused = accessToken;
          outcomes.push("renewed");
        },
        (error) => outcomes.push(error.code),
      );
    }
    stage.clock.jump(500);
  }
  expect(mostInAMinute(stage.askedAt)).toBe(10);
  // Two and a half minutes: it goes on when the minute is over.
  expect(stage.askedAt.length).toBeGreaterThanOrEqual(20);
  expect(stage.askedAt.length).toBeLessThanOrEqual(30);
  expect(new Set(outcomes)).toEqual(new Set(["renewed", "refresh_failed"]));
});

it("says that it pauses, for how long, and what to do", async () => {
  const stage = await startStage();
  await stage.seed();
  const { coordinator, told } = stage.open();
  let refused = secret("access-token-1");
  for (let round = 0; round < 10; round++) {
    refused = (await coordinator.renew(KEY, refused)).accessToken;
    stage.clock.jump(1000);
  }
  const error = await failureOf(coordinator.renew(KEY, refused));
  expect(error).toMatchObject({ code: "refresh_failed", server: KEY.server, retryAfterMs: 50_000 });
  expect(told("refresh_failed")).toMatchObject([{ code: "refresh_failed", failures: 1 }]);
  expect(error.message).toMatch(/10 times within a minute.*report it to the operator.*try again in 50 s/s);
  expect(stage.askedAt).toHaveLength(10);
  stage.clock.jump(50_000);
  expect(textOf(await coordinator.renew(KEY, refused))).toBe("access-token-12");
  expect(stage.askedAt).toHaveLength(11);
});

it("bounds what eight processes with fifty requests each ask a server that is down", async () => {
  const stage = await startStage();
  await stage.seed();
  stage.clock.advance(HOUR);
  stage.usual = (_, { text }) => text("", 503);
  const managers = Array.from({ length: 8 }, () => stage.open());
  for (let round = 0; round < 6; round++) {
    const calls = managers.flatMap(({ coordinator }) =>
      Array.from({ length: 50 }, () => failureOf(coordinator.credential(KEY))),
    );
    const errors = await throughPauses(stage.clock, Promise.all(calls));
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["refresh_failed"]));
    stage.clock.jump(20_000);
  }
  expect(stage.askedAt.length).toBeGreaterThan(10);
  expect(mostInAMinute(stage.askedAt)).toBeLessThanOrEqual(10);
  expect(await stage.storedToken()).toBe("refresh-token-1");
});

it("counts for each account by itself", async () => {
  const stage = await startStage({
    usual: ({ form }, { json }) =>
      json({ access_token: `new-${form.get("refresh_token")}-${Math.random()}`, token_type: "Bearer", expires_in: 60 }),
  });
  const { coordinator } = stage.open();
  for (const account of ["a", "b"]) {
    const key = { ...KEY, account };
    await stage.seed({ accessToken: secret(account) }, key);
    let refused = secret(account);
    for (let round = 0; round < 10; round++) refused = (await coordinator.renew(key, refused)).accessToken;
    expect((await failureOf(coordinator.renew(key, refused))).code).toBe("refresh_failed");
  }
  expect(stage.askedAt).toHaveLength(20);
});

it("lets a sign-in begin anew", async () => {
  const stage = await startStage();
  const first = await stage.seed();
  const { coordinator } = stage.open();
  let refused = first.accessToken;
  for (let round = 0; round < 10; round++) refused = (await coordinator.renew(KEY, refused)).accessToken;
  await failureOf(coordinator.renew(KEY, refused));
  const signedIn = { ...first, accessToken: secret("signed-in"), refreshToken: secret("refresh-token-11") };
  await coordinator.save(KEY, signedIn);
  expect(textOf(await coordinator.renew(KEY, signedIn.accessToken))).toBe("access-token-12");
});
