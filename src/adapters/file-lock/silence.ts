import type { LatestGeneration } from "./generations.ts";
import type { OwnerState } from "./owner.ts";

/** After how much silence an owner loses its lock. */
export interface SilenceLimits {
  /** For an owner of whom only the heartbeat can be seen. */
  readonly staleMs: number;
  /** For a process that certainly exists on this machine, so it is frozen or very busy. */
  readonly leaseMs: number;
}

/** More than a waiter ever sleeps between two looks. */
const LONGEST_STEP_MS = 250;

/**
 * How long an owner has been silent, as seen from here.
 *
 * It is counted in the steps between our own looks, each of them capped, and not by comparing a file's time with the
 * clock: after a laptop woke up, after the clock jumped, or while we were frozen ourselves, an owner would otherwise
 * look hours old although it had no chance to show itself.
 */
export class Silence {
  #generation = 0;
  #heartbeatAt = 0;
  #silentMs = 0;
  #lookedAt = 0;

  /** Notes what was seen at time `now`. */
  look(latest: LatestGeneration, now: number): void {
    const changed = latest.generation !== this.#generation || latest.heartbeatAt !== this.#heartbeatAt;
    const step = Math.min(Math.max(now - this.#lookedAt, 0), LONGEST_STEP_MS);
    this.#silentMs = changed ? 0 : this.#silentMs + step;
    this.#generation = latest.generation;
    this.#heartbeatAt = latest.heartbeatAt;
    this.#lookedAt = now;
  }

  /** Whether the owner that was looked at last may be replaced. */
  isOver(state: OwnerState, limits: SilenceLimits): boolean {
    if (state === "dead") return true;
    if (state === "unknown") return this.#silentMs >= limits.staleMs;
    if (this.#silentMs >= limits.leaseMs) return true;
    // Who comes late need not wait for a whole lease again, when the file's own time says the same. Several missed
    // heartbeats must have been seen all the same: the clock may have jumped.
    return this.#silentMs >= limits.staleMs && this.#lookedAt - this.#heartbeatAt >= limits.leaseMs;
  }
}
