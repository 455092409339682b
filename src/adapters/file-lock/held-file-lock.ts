import type { CancelTimer, Clock } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";
import type { LockHandle } from "../../ports/token-store.ts";
import { type Generations, isMissing } from "./generations.ts";

/** What {@link HeldFileLock} is made of. */
export interface HeldFileLockParts {
  readonly key: string;
  readonly fence: number;
  readonly generations: Generations;
  readonly clock: Clock;
  readonly heartbeatMs: number;
  readonly onReleased: () => void;
}

/** A lock that this process holds, as long as nobody took it for dead. */
export class HeldFileLock implements LockHandle {
  readonly #parts: HeldFileLockParts;
  readonly #loss = new AbortController();
  #cancelHeartbeat: CancelTimer;
  #released = false;

  constructor(parts: HeldFileLockParts) {
    this.#parts = parts;
    this.#cancelHeartbeat = this.#scheduleHeartbeat();
  }

  get fence(): number {
    return this.#parts.fence;
  }

  get lost(): AbortSignal {
    return this.#loss.signal;
  }

  /** The folder of this lock, which is its identity. */
  get folder(): string {
    return this.#parts.generations.folder;
  }

  /**
   * To be called right before a write, with no `await` in between.
   *
   * @throws `store_failed` when the lock was released, or somebody else has taken it over.
   */
  assertHeld(): void {
    if (this.#released) {
      throw new McpOAuthError(
        "store_failed",
        "The record was not written: its lock has been released already. Take the lock again and re-read the record before writing.",
      );
    }
    if (!this.#loss.signal.aborted && !this.#isNewest()) this.#lose();
    if (this.#loss.signal.aborted) throw this.#loss.signal.reason;
  }

  async release(): Promise<void> {
    if (this.#released) return;
    this.#released = true;
    this.#cancelHeartbeat();
    this.#parts.generations.release(this.fence);
    this.#parts.onReleased();
  }

  #scheduleHeartbeat(): CancelTimer {
    return this.#parts.clock.schedule(() => this.#beat(), this.#parts.heartbeatMs, { background: true });
  }

  #beat(): void {
    const { generations, clock } = this.#parts;
    try {
      generations.touch(this.fence, clock.now());
      if (!generations.isNewest(this.fence)) this.#lose();
    } catch (error) {
      // Other errors may pass: the disk may be busy or full.
      if (isMissing(error)) this.#lose();
    }
    if (!this.#loss.signal.aborted) this.#cancelHeartbeat = this.#scheduleHeartbeat();
  }

  #isNewest(): boolean {
    try {
      return this.#parts.generations.isNewest(this.fence);
    } catch {
      // Whoever cannot see the lock any more must not write on the strength of it.
      return false;
    }
  }

  #lose(): void {
    this.#loss.abort(
      new McpOAuthError(
        "store_failed",
        "The record was not written: this process was silent for so long that another one took over its lock. Take the lock again and re-read the record before writing.",
      ),
    );
  }
}
