import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { freshnessOf, momentsOf, wakeAt } from "../../../src/tokens/freshness.ts";

const MINUTE = 60_000;

describe("freshness", () => {
  // Issued at 0, lives 100 minutes: due at 80 %, not used in its last minute.
  it.each<[number, string]>([
    [0, "fresh"],
    [80 * MINUTE - 1, "fresh"],
    [80 * MINUTE, "due"],
    [99 * MINUTE - 1, "due"],
    [99 * MINUTE, "expired"],
    [100 * MINUTE, "expired"],
    [-MINUTE, "fresh"],
  ])("after %i ms of an hour and forty minutes: %s [REF-7]", (nowMs, expected) => {
    expect(freshnessOf(momentsOf({ issuedAt: 0, expiresAt: 100 * MINUTE }, 0.8), nowMs)).toBe(expected);
  });

  it.each<[number, number, number]>([
    [3600, 2880, 3540],
    [60, 48, 54],
    [10, 8, 9],
    [1, 0.8, 0.9],
  ])("of %i s: due after %f s, not sent after %f s", (lifetime, due, expired) => {
    const moments = momentsOf({ issuedAt: 1000, expiresAt: 1000 + lifetime * 1000 }, 0.8);
    expect([moments.dueAt - 1000, moments.expiredAt - 1000].map(Math.round)).toEqual([due * 1000, expired * 1000]);
  });

  it("lets a token without a lifetime live until it is refused [REF-7]", () => {
    const moments = momentsOf({ issuedAt: 0 }, 0.8);
    expect(freshnessOf(moments, Number.MAX_SAFE_INTEGER, 10 ** 9)).toBe("fresh");
  });

  it("takes a token that does not last as long as the caller needs for expired", () => {
    const moments = momentsOf({ issuedAt: 0, expiresAt: 100 * MINUTE }, 0.8);
    expect(freshnessOf(moments, 50 * MINUTE, 49 * MINUTE)).toBe("expired");
    expect(freshnessOf(moments, 50 * MINUTE, 49 * MINUTE - 1)).toBe("fresh");
  });

  it("lets a token that no lifetime can satisfy the caller with be renewed when it is due, not at every call", () => {
    const moments = momentsOf({ issuedAt: 0, expiresAt: 100 * MINUTE }, 0.8);
    for (const minTtlMs of [99 * MINUTE, 10 ** 12, Number.POSITIVE_INFINITY]) {
      expect(freshnessOf(moments, 0, minTtlMs)).toBe("fresh");
      expect(freshnessOf(moments, 80 * MINUTE - 1, minTtlMs)).toBe("fresh");
      expect(freshnessOf(moments, 80 * MINUTE, minTtlMs)).toBe("expired");
    }
    expect(freshnessOf(moments, 1, 99 * MINUTE - 1)).toBe("expired");
    expect(freshnessOf(moments, 0, Number.NaN)).toBe("fresh");
    expect([-1, 0].map((minTtlMs) => freshnessOf(moments, 99 * MINUTE, minTtlMs))).toEqual(["expired", "expired"]);
    expect(freshnessOf(momentsOf({ issuedAt: 0 }, 0.8), 10, Number.POSITIVE_INFINITY)).toBe("fresh");
  });

  it("takes a token for due that was received in the future, by more than clocks differ", () => {
    for (const expiresAt of [100 * MINUTE, undefined]) {
      const moments = momentsOf({ issuedAt: 0, ...(expiresAt !== undefined && { expiresAt }) }, 0.8);
      expect(freshnessOf(moments, -MINUTE)).toBe("fresh");
      expect(freshnessOf(moments, -MINUTE - 1)).toBe("due");
    }
  });

  it("wakes up when a token is due or within a tenth of the time that is then left, and never for one without end", () => {
    const moments = momentsOf({ issuedAt: 0, expiresAt: 100 * MINUTE }, 0.8);
    const times = Array.from({ length: 200 }, () => wakeAt(moments));
    expect(Math.min(...times)).toBeGreaterThanOrEqual(80 * MINUTE);
    expect(Math.min(...times)).toBeLessThan(80.3 * MINUTE);
    expect(Math.max(...times)).toBeLessThanOrEqual(81.9 * MINUTE);
    expect(Math.max(...times)).toBeGreaterThan(81.6 * MINUTE);
    expect(wakeAt(momentsOf({ issuedAt: 0 }, 0.8))).toBe(Number.POSITIVE_INFINITY);
    expect(wakeAt(momentsOf({ issuedAt: 0, expiresAt: 100 * MINUTE }, 1))).toBe(99 * MINUTE);
  });

  it("goes from fresh over due to expired and never back, for any lifetime and share [REF-7]", () => {
    const times = fc.array(fc.integer({ min: -1000, max: 10 ** 9 }), { minLength: 2, maxLength: 20 });
    fc.assert(
      fc.property(
        fc.integer({ min: -1000, max: 10 ** 8 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        times,
        (lifetime, share, moments) => {
          const all = momentsOf({ issuedAt: 0, expiresAt: lifetime }, share);
          const { dueAt, expiredAt } = all;
          expect(dueAt).toBeLessThanOrEqual(expiredAt);
          expect(expiredAt).toBeLessThanOrEqual(lifetime);
          const order = ["fresh", "due", "expired"];
          const seen = moments.sort((left, right) => left - right).map((at) => order.indexOf(freshnessOf(all, at)));
          expect(seen).toEqual([...seen].sort((left, right) => left - right));
        },
      ),
    );
  });
});
