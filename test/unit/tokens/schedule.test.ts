import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Schedule } from "../../../src/tokens/schedule.ts";
import { ManualClock } from "../../support/manual-clock.ts";

function start() {
  const clock = new ManualClock(0);
  const due: string[] = [];
  const schedule = new Schedule(clock, (key) => due.push(`${key}@${clock.now()}`));
  return { clock, due, schedule };
}

/** All orders of some numbers. */
function orders(numbers: readonly number[]): number[][] {
  if (numbers.length === 0) return [[]];
  return numbers.flatMap((first) =>
    orders(numbers.filter((each) => each !== first)).map((others) => [first, ...others]),
  );
}

describe("Schedule", () => {
  it("wakes up for each key at its time, with one timer that lets the process end", () => {
    const { clock, due, schedule } = start();
    for (const [key, at] of [
      ["c", 30],
      ["a", 10],
      ["b", 20],
    ] as const)
      schedule.set(key, at);
    expect(clock.timers).toEqual([expect.objectContaining({ at: 10, background: true })]);
    clock.advance(25);
    expect(due).toEqual(["a@10", "b@20"]);
    expect(clock.timers).toHaveLength(1);
    clock.advance(5);
    expect([due.at(-1), schedule.size, clock.timers.length]).toEqual(["c@30", 0, 0]);
  });

  it("wakes up in the order of time, whatever the order was in which times were set", () => {
    for (const order of orders([1, 2, 3, 4, 5, 6])) {
      const { clock, due, schedule } = start();
      for (const at of order) schedule.set(`key ${at}`, at);
      clock.advance(10);
      expect(due, String(order)).toEqual([1, 2, 3, 4, 5, 6].map((at) => `key ${at}@${at}`));
    }
  });

  it("has one time a key: the last one set counts, and one that is not finite removes it", () => {
    const { clock, due, schedule } = start();
    schedule.set("a", 10);
    schedule.set("a", 30);
    schedule.set("b", 20);
    schedule.set("b", Number.POSITIVE_INFINITY);
    schedule.set("c", 40);
    schedule.set("c", 5);
    clock.advance(100);
    expect(due).toEqual(["c@5", "a@30"]);
  });

  it("forgets no key, however often the time of another was changed", () => {
    const { clock, due, schedule } = start();
    schedule.set("b", 5000);
    for (let at = 1000; at < 2000; at++) schedule.set("a", at);
    clock.advance(10_000);
    expect(due).toEqual(["a@1999", "b@5000"]);
  });

  it("finds everything due after the machine has slept", () => {
    const { clock, due, schedule } = start();
    schedule.set("a", 10);
    schedule.set("b", 5000);
    schedule.set("c", 10_000);
    clock.jump(6000);
    clock.advance(0);
    expect(due.sort()).toEqual(["a@6000", "b@6000"]);
  });

  it("leaves no timer behind when it is cleared or its last key is removed", () => {
    const { clock, due, schedule } = start();
    schedule.set("a", 10);
    schedule.remove("a");
    expect(clock.timers).toEqual([]);
    schedule.set("b", 10);
    schedule.clear();
    expect([clock.timers.length, schedule.size]).toEqual([0, 0]);
    clock.advance(100);
    expect(due).toEqual([]);
  });

  it("may be set again from within the callback", () => {
    const clock = new ManualClock(0);
    const due: number[] = [];
    const schedule: Schedule = new Schedule(clock, (key) => {
      due.push(clock.now());
      if (due.length < 3) schedule.set(key, clock.now() + 10);
    });
    schedule.set("a", 10);
    clock.advance(100);
    expect(due).toEqual([10, 20, 30]);
  });

  it("does what a plain table of times would do, however it is used", () => {
    const key = fc.constantFrom(..."abcdefghijklmnop");
    const step = fc.oneof(
      {
        weight: 100,
        arbitrary: fc.record({ kind: fc.constant("set" as const), key, inMs: fc.integer({ min: -5, max: 50 }) }),
      },
      {
        weight: 30,
        arbitrary: fc.record({ kind: fc.constant("advance" as const), ms: fc.integer({ min: 0, max: 15 }) }),
      },
      { weight: 20, arbitrary: fc.record({ kind: fc.constant("remove" as const), key }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant("clear" as const) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const { clock, due, schedule } = start();
        const times = new Map<string, number>();
        for (const each of steps) {
          if (each.kind === "set") {
            times.set(each.key, clock.now() + each.inMs);
            schedule.set(each.key, clock.now() + each.inMs);
          } else if (each.kind === "remove") {
            times.delete(each.key);
            schedule.remove(each.key);
          } else if (each.kind === "clear") {
            times.clear();
            schedule.clear();
          } else {
            due.length = 0;
            const start = clock.now();
            clock.advance(each.ms);
            const expected = [...times]
              .filter(([, at]) => at <= clock.now())
              .map(([name, at]) => `${name}@${Math.max(at, start)}`);
            expect([...due].sort()).toEqual(expected.sort());
            for (const [name, at] of [...times]) if (at <= clock.now()) times.delete(name);
          }
          expect(schedule.size).toBe(times.size);
          expect(clock.timers.length).toBeLessThanOrEqual(1);
        }
      }),
      { numRuns: 200 },
    );
  });
});
