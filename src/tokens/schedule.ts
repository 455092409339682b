import type { CancelTimer, Clock } from "../core/clock.ts";

interface Entry {
  readonly key: string;
  readonly at: number;
}

/**
 * Wakes up for many keys with one timer: a binary heap of times, the earliest armed. The timer never keeps the process
 * alive. A machine that slept finds everything due when it wakes.
 */
export class Schedule {
  readonly #clock: Clock;
  readonly #onDue: (key: string) => void;
  readonly #heap: Entry[] = [];
  /** The entry that counts for each key; older ones in the heap are skipped when they come up. */
  readonly #current = new Map<string, Entry>();
  #cancelTimer: CancelTimer | undefined;
  #armedAt = Number.POSITIVE_INFINITY;

  constructor(clock: Clock, onDue: (key: string) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** How many keys are waiting. */
  get size(): number {
    return this.#current.size;
  }

  /** Sets the one time for a key, replacing an earlier one. A time that is not finite removes it. */
  set(key: string, at: number): void {
    if (!Number.isFinite(at)) {
      this.remove(key);
      return;
    }
    const entry = { key, at };
    this.#current.set(key, entry);
    this.#push(entry);
    if (this.#heap.length > 2 * this.#current.size + 64) this.#compact();
    this.#arm();
  }

  remove(key: string): void {
    this.#current.delete(key);
    if (this.#current.size === 0) this.clear();
  }

  clear(): void {
    this.#current.clear();
    this.#heap.length = 0;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    this.#armedAt = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    const next = this.#heap[0];
    if (next === undefined || (this.#cancelTimer !== undefined && this.#armedAt <= next.at)) return;
    this.#cancelTimer?.();
    this.#armedAt = next.at;
    this.#cancelTimer = this.#clock.schedule(() => this.#wake(), next.at - this.#clock.now(), { background: true });
  }

  #wake(): void {
    this.#cancelTimer = undefined;
    this.#armedAt = Number.POSITIVE_INFINITY;
    const due: string[] = [];
    for (let next = this.#heap[0]; next !== undefined && next.at <= this.#clock.now(); next = this.#heap[0]) {
      this.#pop();
      if (this.#current.get(next.key) !== next) continue;
      this.#current.delete(next.key);
      due.push(next.key);
    }
    this.#arm();
    for (const key of due) this.#onDue(key);
  }

  #compact(): void {
    const live = this.#heap.filter((entry) => this.#current.get(entry.key) === entry);
    this.#heap.length = 0;
    for (const entry of live) this.#push(entry);
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let index = heap.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || above.at <= entry.at) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      const right = left + 1;
      const leftAt = heap[left]?.at ?? Number.POSITIVE_INFINITY;
      const rightAt = heap[right]?.at ?? Number.POSITIVE_INFINITY;
      const child = rightAt < leftAt ? right : left;
      const below = heap[child];
      if (below === undefined || below.at >= last.at) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}
