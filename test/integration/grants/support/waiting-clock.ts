import type { CancelTimer } from "../../../../src/core/clock.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

/** Longer than any wait that a test is about, so that deadlines can be told from waits. */
export const DEADLINE_MS = 100_000_000;

/**
 * A clock on which a wait is over as soon as it has begun: it notes how long the wait was and lets just that time pass.
 * Deadlines ({@link DEADLINE_MS}) and what runs in the background are no waits.
 */
export class WaitingClock extends ManualClock {
  /** How long each wait was, in milliseconds. */
  readonly waits: number[] = [];
  readonly #before: (count: number) => unknown;

  /** @param before called with the number of the wait before it is over. */
  constructor(before: (count: number) => unknown = () => undefined) {
    super();
    this.#before = before;
  }

  override schedule(callback: () => void, delayMs: number, options?: { background?: boolean }): CancelTimer {
    const cancel = super.schedule(callback, delayMs, options);
    if (options?.background !== true && delayMs < DEADLINE_MS) void this.#passes(delayMs);
    return cancel;
  }

  async #passes(delayMs: number): Promise<void> {
    const count = this.waits.push(delayMs);
    await this.#before(count);
    this.advance(delayMs);
  }
}

/** Options of a token manager that has no deadline shorter than {@link DEADLINE_MS}. */
export const patient = { signInTimeoutMs: 2 * DEADLINE_MS, requestTimeoutMs: DEADLINE_MS } as const;
