import type { Clock } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";

/** How long a lock is waited for when the caller does not say. */
export const DEFAULT_LOCK_TIMEOUT_MS = 30_000;

/** The error for a lock that was not free in time. */
export function lockTimeout(timeoutMs: number): McpOAuthError {
  return new McpOAuthError(
    "lock_timeout",
    timeoutMs === 0
      ? "The lock of this credential is held by somebody else at the moment. Try again, or allow time to wait for it."
      : `The lock of this credential was not free within ${timeoutMs} ms: another request or process is working on it. Try again.`,
  );
}

interface Waiter {
  readonly admit: () => void;
}

/**
 * First come, first served, among everything that runs in this thread. The machine-wide lock is asked for only by the
 * one at the head of a line, so that a thousand waiting requests cost as much as one.
 */
export class WaitingLine {
  readonly #lines = new Map<string, Waiter[]>();

  /**
   * Waits for the turn at `name`.
   *
   * @returns what ends the turn; calling it again does nothing.
   * @throws `lock_timeout` when `timeoutMs` passed, the signal's reason when it aborted.
   */
  take(name: string, timeoutMs: number, signal: AbortSignal | undefined, clock: Clock): Promise<() => void> {
    if (signal?.aborted === true) return Promise.reject(signal.reason);
    const line = this.#lines.get(name);
    if (line === undefined) {
      this.#lines.set(name, []);
      return Promise.resolve(this.#turn(name));
    }
    if (timeoutMs <= 0) return Promise.reject(lockTimeout(0));
    return new Promise((resolve, reject) => {
      const leave = (reason: unknown): void => {
        line.splice(line.indexOf(waiter), 1);
        settle();
        reject(reason);
      };
      const onAbort = (): void => leave(signal?.reason);
      const cancelTimer = clock.schedule(() => leave(lockTimeout(timeoutMs)), timeoutMs);
      const settle = (): void => {
        cancelTimer();
        signal?.removeEventListener("abort", onAbort);
      };
      const waiter: Waiter = {
        admit: () => {
          settle();
          resolve(this.#turn(name));
        },
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      line.push(waiter);
    });
  }

  #turn(name: string): () => void {
    let ended = false;
    return () => {
      if (ended) return;
      ended = true;
      const next = this.#lines.get(name)?.shift();
      if (next === undefined) this.#lines.delete(name);
      else next.admit();
    };
  }
}
