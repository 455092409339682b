import type { TokenStore } from "mcp-oauth-client";

/** Lets operations through to token stores until it is shut. An app that was interrupted may not have noticed yet. */
export class Gate {
  readonly #underWay = new Set<Promise<unknown>>();
  #isShut = false;

  /** A store behind this gate. */
  through(store: TokenStore): TokenStore {
    return {
      kind: store.kind,
      get: (key) => this.#pass(() => store.get(key)),
      set: (key, value, lock) => this.#pass(() => store.set(key, value, lock)),
      delete: (key, lock) => this.#pass(() => store.delete(key, lock)),
      keys: () => this.#pass(() => store.keys()),
      lock: (key, options) => this.#pass(() => store.lock(key, options)),
      close: async () => store.close?.(),
    };
  }

  /** Lets nothing through any more, and waits for what is on its way. */
  async shut(): Promise<void> {
    this.#isShut = true;
    await Promise.allSettled(this.#underWay);
  }

  async #pass<Value>(operation: () => Promise<Value>): Promise<Value> {
    if (this.#isShut) throw new Error("The demo is over.");
    const work = operation();
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }
}
