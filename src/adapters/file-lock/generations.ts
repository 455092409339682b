import { join } from "node:path";
import { fileSystem } from "../file-system.ts";
import { type LockOwner, parseOwner } from "./owner.ts";

const {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
  writeSync,
} = fileSystem;

/*
 * One folder per lock, in it one file per generation: `1`, `2`, `3`, ... The highest number is the present owner, and
 * its number is the fence. A file begins with one letter, H for held or R for released, followed by who the owner is.
 *
 * A generation is created with O_EXCL, so that no two can ever win the same number, and released by overwriting that one
 * letter in place: the folder does not change, so nobody who lists it at that moment can miss the highest number.
 * The last few generations are kept, so that one who read the folder long ago finds the next number taken.
 */
const HELD = "H";
const RELEASED = "R";
const KEPT_GENERATIONS = 8;
const READ_ATTEMPTS = 100;
/** An empty file that tells the owner that others want the lock, so that it lets them go first next time. */
const WAITING_FILE = "waiting";

/** The present state of one lock. */
export interface LatestGeneration {
  /** 0 when there is none yet. */
  readonly generation: number;
  readonly released: boolean;
  /** Not known for a file that is being written, or damaged. */
  readonly owner: LockOwner | undefined;
  /** The time of the last heartbeat, by the file system's clock, in milliseconds since the epoch. */
  readonly heartbeatAt: number;
  /** Whether somebody said that they are waiting. */
  readonly contended: boolean;
}

const NO_GENERATION: LatestGeneration = {
  generation: 0,
  released: true,
  owner: undefined,
  heartbeatAt: 0,
  contended: false,
};

/**
 * The files of one lock. Errors are the file system's own; the caller words them.
 *
 * They are tiny and local, and nothing here waits for a disk: a way through the thread pool would take a hundred times as
 * long as the system's answer.
 */
export class Generations {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
  }

  /** Reads the present state; makes the folder when there is none. */
  latest(): LatestGeneration {
    for (let attempt = 1; ; attempt += 1) {
      const names = this.#list();
      const generation = highest(names);
      const contended = names.includes(WAITING_FILE);
      if (generation === 0) return { ...NO_GENERATION, contended };
      try {
        const path = this.#path(generation);
        const content = readFileSync(path, "utf8");
        const { mtimeMs } = statSync(path);
        return {
          generation,
          released: content.startsWith(RELEASED),
          owner: parseOwner(content.slice(1)),
          heartbeatAt: mtimeMs,
          contended,
        };
      } catch (error) {
        // Only lower generations are ever removed, so there is a higher one by now; a link to nowhere never has one.
        if (!isMissing(error) || attempt === READ_ATTEMPTS) throw error;
      }
    }
  }

  /**
   * Tries to become generation `generation`. One that cannot be sure of it lets go of it again.
   *
   * @returns whether that worked; `false` when somebody else was faster.
   */
  create(generation: number, owner: LockOwner): boolean {
    const path = this.#path(generation);
    try {
      writeFileSync(path, HELD + JSON.stringify(owner), { flag: "wx", mode: 0o600 });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
      throw error;
    }
    try {
      const names = this.#list();
      if (highest(names) > generation) {
        // We listed before an owner cleaned up and created after it: not the newest, hence not the owner.
        unlinkIfPossible(path);
        return false;
      }
      this.#clean(names, generation);
      return true;
    } catch (error) {
      this.release(generation);
      throw error;
    }
  }

  /**
   * Marks a generation as released; where that fails, as one whose owner has been silent for long. Then those who wait
   * elsewhere take over after having watched for a moment, and not only after the whole lease of a process that lives.
   */
  release(generation: number): void {
    try {
      this.#markReleased(generation);
    } catch {
      try {
        this.touch(generation, 0);
      } catch {
        // Gone when somebody took over long ago. In any other case the heartbeat is missed.
      }
    }
  }

  /** Shows that the owner is alive. */
  touch(generation: number, now: number): void {
    utimesSync(this.#path(generation), now / 1000, now / 1000);
  }

  /**
   * Whether no higher generation exists. Synchronous, so that nothing can happen between the answer and the write that
   * it is asked for.
   */
  isNewest(generation: number): boolean {
    return highest(readdirSync(this.folder)) === generation;
  }

  /** Says that somebody waits. */
  announceWaiting(): void {
    writeFileSync(join(this.folder, WAITING_FILE), "", { mode: 0o600 });
  }

  /** Takes back what {@link Generations.announceWaiting} said; those who still wait will say it again. */
  forgetWaiting(): void {
    unlinkIfPossible(join(this.folder, WAITING_FILE));
  }

  #markReleased(generation: number): void {
    const file = openSync(this.#path(generation), "r+");
    try {
      writeSync(file, RELEASED, 0);
    } finally {
      closeSync(file);
    }
  }

  #list(): string[] {
    try {
      return readdirSync(this.folder);
    } catch (error) {
      if (!isMissing(error)) throw error;
      mkdirSync(this.folder, { recursive: true, mode: 0o700 });
      return [];
    }
  }

  #clean(names: readonly string[], generation: number): void {
    if (names.length <= 2 * KEPT_GENERATIONS) return;
    for (const name of names) {
      const number = parseGeneration(name);
      if (number > 0 && number <= generation - KEPT_GENERATIONS) unlinkIfPossible(join(this.folder, name));
    }
  }

  #path(generation: number): string {
    return join(this.folder, String(generation));
  }
}

function parseGeneration(name: string): number {
  if (!/^[1-9][0-9]{0,15}$/.test(name)) return 0;
  const number = Number(name);
  return Number.isSafeInteger(number) ? number : 0;
}

function highest(names: readonly string[]): number {
  let result = 0;
  for (const name of names) result = Math.max(result, parseGeneration(name));
  return result;
}

/** Whether a file system error says that something is not there. */
export function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === "ENOENT";
}

/** What is left over does no harm, and a later owner cleans up as well. On Windows a virus scanner may be looking at it. */
function unlinkIfPossible(path: string): void {
  try {
    unlinkSync(path);
  } catch {}
}
