import type { KeytarLike } from "../../../../src/adapters/keychain/backend.ts";

/** A keychain in memory that behaves like keytar on Linux, also when it is locked. */
export class FakeKeytar implements KeytarLike {
  readonly items = new Map<string, string>();
  /** Each call, as `set account`. */
  readonly calls: string[] = [];
  isLocked = false;
  /** Refuses whatever is longer. */
  limit: number = Number.POSITIVE_INFINITY;
  /** Runs before each call takes effect; may reject, or never end. */
  before: (call: string) => unknown = () => {};

  async getPassword(service: string, account: string): Promise<string | null> {
    await this.#note(`get ${account}`);
    return this.isLocked ? null : (this.items.get(`${service} ${account}`) ?? null);
  }

  async setPassword(service: string, account: string, password: string): Promise<void> {
    await this.#note(`set ${account}`);
    if (this.isLocked) throw new Error("Cannot create an item in a locked collection");
    if (password.length > this.limit) throw new Error(`too long: ${password}`);
    this.items.set(`${service} ${account}`, password);
  }

  async deletePassword(service: string, account: string): Promise<boolean> {
    await this.#note(`delete ${account}`);
    return !this.isLocked && this.items.delete(`${service} ${account}`);
  }

  async #note(call: string): Promise<void> {
    this.calls.push(call);
    await this.before(call);
  }
}
