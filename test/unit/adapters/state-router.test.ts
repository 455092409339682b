import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StateRouter } from "../../../src/adapters/loopback/state-router.ts";

describe("StateRouter [STATE-1]", () => {
  it("leads a state to its waiter once", () => {
    const router = new StateRouter<number>();
    router.add("a", 1);
    router.add("b", 2);
    expect(router.take("b")).toEqual({ kind: "waiting", waiter: 2 });
    expect(router.take("b")).toEqual({ kind: "used" });
    expect(router.take("c")).toEqual({ kind: "unknown" });
    expect(router.take(null)).toEqual({ kind: "unknown" });
    expect(router.take("")).toEqual({ kind: "unknown" });
    expect(router.take("a")).toEqual({ kind: "waiting", waiter: 1 });
  });

  it("forgets a waiter that gave up, and refuses a state twice", () => {
    const router = new StateRouter<number>();
    const forget = router.add("a", 1);
    expect(() => router.add("a", 2)).toThrow(/new, unguessable state/);
    forget();
    forget();
    expect(router.take("a")).toEqual({ kind: "unknown" });
    router.add("a", 3);
    forget();
    router.take("a");
    expect(() => router.add("a", 4)).toThrow(/new, unguessable state/);
    expect(() => router.add("", 5)).toThrow(/new, unguessable state/);
  });

  it("behaves like a map whose entries can be read once", () => {
    const states = fc.uniqueArray(fc.string({ minLength: 1 }), { maxLength: 20 });
    fc.assert(
      fc.property(states, fc.array(fc.string()), (known, probes) => {
        const router = new StateRouter<string>();
        for (const state of known) router.add(state, state);
        for (const probe of probes) {
          if (!known.includes(probe)) expect(router.take(probe).kind).toBe("unknown");
        }
        for (const state of known) expect(router.take(state)).toEqual({ kind: "waiting", waiter: state });
        for (const state of known) expect(router.take(state).kind).toBe("used");
      }),
    );
  });
});
