/** Randomness that a seed repeats (mulberry32): what is drawn stays the same, when it is drawn does not. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** In [0, 1). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from `low` up to, but without, `high`. */
  between(low: number, high: number): number {
    return low + Math.floor(this.fraction() * (high - low));
  }

  oneOf<Item>(items: readonly Item[]): Item {
    return items[this.between(0, items.length)] as Item;
  }
}
