import { describe, expect, it } from "vitest";
import { delay } from "../../../src/core/clock.ts";
import { waitFor } from "../../../src/core/wait-for.ts";
import { failureOf } from "../../support/failure.ts";
import { ManualClock, settled } from "../../support/manual-clock.ts";

describe("ManualClock", () => {
  it("fires timers in the order of their times, each at its own, and those that they start", () => {
    const clock = new ManualClock(0);
    const fired: string[] = [];
    const at = (name: string) => () => fired.push(`${name}@${clock.now()}`);
    clock.schedule(at("c"), 30);
    clock.schedule(() => {
      at("a")();
      clock.schedule(at("b"), 5);
    }, 10);
    clock.schedule(at("late"), 101);
    clock.schedule(at("cancelled"), 20)();
    clock.advance(100);
    expect(fired).toEqual(["a@10", "b@15", "c@30"]);
    expect([clock.now(), clock.timers.length]).toEqual([100, 1]);
  });
});

describe("delay", () => {
  it("resolves after its time, and rejects with the signal's reason before it", async () => {
    const clock = new ManualClock();
    const ends: string[] = [];
    const stop = new AbortController();
    void delay(clock, 100).then(() => ends.push("first"));
    void delay(clock, 100, stop.signal).catch((reason: unknown) => ends.push(String(reason)));
    stop.abort("stopped");
    await settled();
    expect(ends).toEqual(["stopped"]);
    expect(clock.timers).toHaveLength(1);
    clock.advance(100);
    await settled();
    expect(ends).toEqual(["stopped", "first"]);
    await expect(delay(clock, 1, AbortSignal.abort("at once"))).rejects.toBe("at once");
  });
});

describe("waitFor", () => {
  it("ends one caller's waiting by its signal, and not the shared work [ERR-3]", async () => {
    let finish: (value: string) => void = () => undefined;
    const shared = new Promise<string>((resolve) => {
      finish = resolve;
    });
    const stop = new AbortController();
    const impatient = failureOf(waitFor(shared, stop.signal));
    const patient = waitFor(shared, new AbortController().signal);
    stop.abort(new Error("bored"));
    expect(await impatient).toMatchObject({ code: "aborted", cause: { message: "bored" } });
    finish("done");
    expect(await patient).toBe("done");
    expect((await failureOf(waitFor(Promise.reject(new Error("lost")), AbortSignal.abort()))).code).toBe("aborted");
  });
});
