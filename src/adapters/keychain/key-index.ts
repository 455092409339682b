import type { FileLocks } from "../file-lock/file-lock.ts";
import { KeychainFailure } from "./failure.ts";
import type { KeychainItems } from "./items.ts";
import { toAsciiJson } from "./manifest.ts";

const INDEX = "index";

/**
 * The list of keys, in an item of its own: keychains are searched in different ways, some of which show a prompt per
 * entry or crash while locked.
 */
export class KeyIndex {
  readonly #items: KeychainItems;
  readonly #locks: FileLocks;
  // Those that were seen in it, so that a refresh need not look again.
  readonly #known = new Set<string>();

  constructor(items: KeychainItems, locks: FileLocks) {
    this.#items = items;
    this.#locks = locks;
  }

  /** Whether this process has seen the key in the list. Another one may have removed it since, with its record. */
  hasSeen(key: string): boolean {
    return this.#known.has(key);
  }

  async list(): Promise<Set<string>> {
    const found = await this.#items.read(INDEX);
    if (found === undefined) return new Set();
    const keys = parseJson(found.payload);
    if (!Array.isArray(keys)) throw new KeychainFailure("unreadable");
    return new Set(keys.filter((key) => typeof key === "string"));
  }

  async add(key: string): Promise<void> {
    await this.#change((keys) => !keys.has(key) && keys.add(key) !== undefined);
    this.#known.add(key);
  }

  async remove(key: string): Promise<void> {
    this.#known.delete(key);
    await this.#change((keys) => keys.delete(key));
  }

  async #change(change: (keys: Set<string>) => boolean): Promise<void> {
    const floor = (): Promise<number> => this.#items.fenceOf(INDEX).catch(() => 0);
    const lock = await this.#locks.lock(INDEX, { floor });
    try {
      const keys = await this.list();
      if (!change(keys)) return;
      const mayWrite = (): void => lock.assertHeld();
      // Nothing is left behind in the keychain of somebody who has signed out everywhere.
      if (keys.size === 0) await this.#items.remove(INDEX, mayWrite);
      else await this.#items.write(INDEX, toAsciiJson([...keys]), lock.fence, mayWrite);
    } finally {
      await lock.release();
    }
  }
}

/**
 * Parses a payload.
 *
 * @throws KeychainFailure without a cause: a SyntaxError quotes the text, which may be a token.
 */
export function parseJson(payload: string): unknown {
  try {
    return JSON.parse(payload);
  } catch {
    throw new KeychainFailure("unreadable");
  }
}
