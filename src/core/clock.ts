/** Cancels a timer that {@link Clock.schedule} started. Calling it again does nothing. */
export type CancelTimer = () => void;

/** Where the time comes from. Tests inject their own, so that no test ever sleeps. */
export interface Clock {
  /** Milliseconds since the epoch, by the wall clock (it may jump). */
  now(): number;
  /**
   * Calls `callback` once after `delayMs`. Timers keep the process alive unless `background` is set.
   */
  schedule(callback: () => void, delayMs: number, options?: { background?: boolean }): CancelTimer;
}

/** setTimeout fires at once for anything above this, instead of waiting. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  schedule(callback, delayMs, options) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), LONGEST_TIMER_MS));
    if (options?.background === true) timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Resolves after `delayMs` by `clock`; rejects with the signal's reason when `signal` aborts first. */
export function delay(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.schedule(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, delayMs);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
