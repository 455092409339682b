import { join, resolve } from "node:path";
import { type Clock, delay, systemClock } from "../../core/clock.ts";
import { randomFraction } from "../../core/entropy.ts";
import { McpOAuthError } from "../../core/errors.ts";
import type { LockHandle, LockOptions } from "../../ports/token-store.ts";
import { fileSystem } from "../file-system.ts";
import { fileNameFor } from "./file-name.ts";
import { Generations, type LatestGeneration } from "./generations.ts";
import { HeldFileLock } from "./held-file-lock.ts";
import { currentOwner, judgeOwner } from "./owner.ts";
import { Silence } from "./silence.ts";
import { unusableFolder } from "./unusable-folder.ts";
import { DEFAULT_LOCK_TIMEOUT_MS, lockTimeout, WaitingLine } from "./waiting-line.ts";

const { mkdirSync, realpathSync } = fileSystem;

/** Settings of {@link FileLocks}. All but `directory` have defaults that only tests need to change. */
export interface FileLocksOptions {
  /** Where the lock files live. Everybody who shares it shares the locks. Made with mode 0700 when it is not there. */
  directory: string;
  clock?: Clock;
  /** How often an owner shows that it is alive, in milliseconds. Default 1,000. */
  heartbeatMs?: number;
  /** Silence after which an owner is taken for dead when only its heartbeat can be seen. Default 4,000. */
  staleMs?: number;
  /** Silence after which a process that still exists here loses its lock: it must be frozen. Default 60,000. */
  leaseMs?: number;
}

/** Beside what the port offers. */
export interface FileLockOptions extends LockOptions {
  /**
   * The highest fence known from elsewhere, e.g. from the record itself: the new one will be higher, also when the lock
   * files were deleted or restored from a backup. Must not reject.
   */
  floor?: () => Promise<number>;
}

const SHORTEST_WAIT_MS = 5;
const LONGEST_WAIT_MS = 50;

// Shared by all instances in this thread: two stores over the same folder form one line.
const line = new WaitingLine();
const silences = new Map<string, Silence>();
const heldHere = new Set<string>();

/**
 * Locks for everything that shares a folder: requests, store instances, threads, processes, and other containers that
 * mount it. At most one owner a key; each has a fence higher than all before.
 *
 * An owner that died on this machine is replaced at the next look of a waiter (50 ms) where the system has a name for each
 * boot (Linux), and as one elsewhere where it has none: after four seconds without heartbeat. One that exists but is frozen
 * is replaced after a minute. See {@link Generations} for the files.
 */
export class FileLocks {
  readonly #options: Required<FileLocksOptions>;
  #directory: string | undefined;

  constructor(options: FileLocksOptions) {
    this.#options = {
      directory: resolve(options.directory),
      clock: options.clock ?? systemClock,
      heartbeatMs: options.heartbeatMs ?? 1000,
      staleMs: options.staleMs ?? 4000,
      leaseMs: options.leaseMs ?? 60_000,
    };
  }

  /**
   * Takes the lock named `key`.
   *
   * @throws `lock_timeout`; the signal's reason; `store_unavailable` when the folder cannot be used.
   */
  async lock(key: string, options: FileLockOptions = {}): Promise<HeldFileLock> {
    const { clock } = this.#options;
    const timeoutMs = options.timeoutMs ?? DEFAULT_LOCK_TIMEOUT_MS;
    const startedAt = clock.now();
    const folder = join(this.#openDirectory(), fileNameFor(key));
    const endTurn = await line.take(folder, timeoutMs, options.signal, clock);
    try {
      // A clock that jumps back must not make anybody wait longer than asked for.
      const remainingMs = timeoutMs - Math.max(clock.now() - startedAt, 0);
      const generations = new Generations(folder);
      const fence = await this.#acquire(generations, { timeoutMs, remainingMs, options });
      heldHere.add(folder);
      return new HeldFileLock({
        key,
        fence,
        generations,
        clock,
        heartbeatMs: this.#options.heartbeatMs,
        onReleased: () => {
          heldHere.delete(folder);
          endTurn();
        },
      });
    } catch (error) {
      endTurn();
      throw this.#worded(error, options.signal);
    }
  }

  /** Whether a handle is a lock of `key` in this folder, whichever instance took it. */
  isLockOf(handle: LockHandle, key: string): handle is HeldFileLock {
    return (
      handle instanceof HeldFileLock &&
      this.#directory !== undefined &&
      handle.folder === join(this.#directory, fileNameFor(key))
    );
  }

  async #acquire(
    generations: Generations,
    wait: { timeoutMs: number; remainingMs: number; options: FileLockOptions },
  ): Promise<number> {
    const { clock } = this.#options;
    const { signal } = wait.options;
    // Before the first look at the lock: were it asked for after, somebody could take the lock and write in between,
    // and we would place ourselves above an owner that we have not seen.
    const floor = (await wait.options.floor?.()) ?? 0;
    const silence = silenceOf(generations.folder);
    let remainingMs = wait.remainingMs;
    let pauseMs = SHORTEST_WAIT_MS;
    if (wait.timeoutMs > 0) remainingMs -= await this.#letOthersFirst(generations, remainingMs, signal);
    for (;;) {
      signal?.throwIfAborted();
      const latest = generations.latest();
      if (this.#isFree(generations, latest, silence)) {
        const generation = Math.max(latest.generation, floor) + 1;
        if (generations.create(generation, currentOwner())) {
          silences.delete(generations.folder);
          return generation;
        }
      }
      if (remainingMs <= 0) throw lockTimeout(wait.timeoutMs);
      if (!latest.contended) generations.announceWaiting();
      const pause = Math.min(pauseMs * (0.5 + randomFraction()), Math.max(remainingMs, 1));
      const before = clock.now();
      await delay(clock, pause, signal);
      // At least the pause itself has passed, whatever the clock says.
      remainingMs -= Math.max(clock.now() - before, pause);
      pauseMs = Math.min(pauseMs * 1.5, LONGEST_WAIT_MS);
    }
  }

  #isFree(generations: Generations, latest: LatestGeneration, silence: Silence): boolean {
    if (latest.released) return true;
    silence.look(latest, this.#options.clock.now());
    const state = judgeOwner(latest.owner, heldHere.has(generations.folder));
    return silence.isOver(state, this.#options);
  }

  /**
   * Without this, a process that releases and takes the lock again at once would always find it free, while those who
   * wait are asleep.
   *
   * @returns how long that took, in milliseconds.
   */
  async #letOthersFirst(generations: Generations, atMostMs: number, signal: AbortSignal | undefined): Promise<number> {
    const latest = generations.latest();
    if (!latest.contended || !latest.released) return 0;
    if (latest.owner?.instance !== currentOwner().instance) return 0;
    generations.forgetWaiting();
    const pauseMs = Math.min(LONGEST_WAIT_MS * (0.5 + randomFraction()), Math.max(atMostMs, 0));
    await delay(this.#options.clock, pauseMs, signal);
    return pauseMs;
  }

  #openDirectory(): string {
    const { directory } = this.#options;
    if (this.#directory !== undefined) return this.#directory;
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      // One line for one folder, under whatever name it is reached.
      this.#directory = trueName(directory);
      return this.#directory;
    } catch (error) {
      throw this.#worded(error, undefined);
    }
  }

  #worded(error: unknown, signal: AbortSignal | undefined): unknown {
    if (error instanceof McpOAuthError || (signal?.aborted === true && error === signal.reason)) return error;
    return unusableFolder(this.#options.directory, error);
  }
}

/** The system's own answer also puts upper and lower case right, where it takes no notice of them (macOS, Windows). */
function trueName(directory: string): string {
  try {
    return realpathSync.native(directory);
  } catch {
    // Some drives of Windows (in memory, of networks) have no such answer.
    return realpathSync(directory);
  }
}

function silenceOf(folder: string): Silence {
  let silence = silences.get(folder);
  if (silence === undefined) {
    silence = new Silence();
    silences.set(folder, silence);
  }
  return silence;
}
