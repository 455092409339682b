import type { CancelTimer, Clock } from "../../src/core/clock.ts";

interface Timer {
  readonly at: number;
  readonly background: boolean;
  readonly callback: () => void;
}

/** A clock that stands still until a test moves it. No test ever sleeps. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(nowMs: number = Date.UTC(2026, 7, 22, 12)) {
    this.#nowMs = nowMs;
  }

  /** When the timers that wait will fire, earliest first. */
  get timers(): readonly { readonly at: number; readonly background: boolean }[] {
    return [...this.#timers].sort((left, right) => left.at - right.at);
  }

  now(): number {
    return this.#nowMs;
  }

  schedule(callback: () => void, delayMs: number, options?: { background?: boolean }): CancelTimer {
    const timer = { at: this.#nowMs + Math.max(delayMs, 0), background: options?.background === true, callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** Lets time pass: what falls due fires in order, each at its own time, also what is scheduled meanwhile. */
  advance(ms: number): void {
    const end = this.#nowMs + ms;
    for (let next = this.#nextUntil(end); next !== undefined; next = this.#nextUntil(end)) this.#fire(next);
    this.#nowMs = end;
  }

  /** As {@link advance}, but promises go on between one timer and the next. */
  async advanceAsync(ms: number): Promise<void> {
    const end = this.#nowMs + ms;
    await settled();
    for (let next = this.#nextUntil(end); next !== undefined; next = this.#nextUntil(end)) {
      this.#fire(next);
      await settled();
    }
    this.#nowMs = end;
  }

  /** Changes the time without firing anything: the machine slept, or somebody set its clock. */
  jump(ms: number): void {
    this.#nowMs += ms;
  }

  #nextUntil(end: number): Timer | undefined {
    // The sort is stable, so timers for the same moment fire in the order in which they were scheduled.
    const [next] = [...this.#timers].sort((left, right) => left.at - right.at);
    return next !== undefined && next.at <= end ? next : undefined;
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    this.#nowMs = Math.max(this.#nowMs, timer.at);
    timer.callback();
  }
}

/** Resolves once everything that needs no I/O has gone on as far as it can. */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
