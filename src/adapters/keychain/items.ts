import { type Clock, delay } from "../../core/clock.ts";
import type { KeychainBackend } from "./backend.ts";
import { KeychainFailure } from "./failure.ts";
import { digestOf, layOut, type Manifest, parseItem, type Slot } from "./manifest.ts";

/** A record as it was found. */
export interface FoundItem {
  readonly payload: string;
  readonly fence: number;
}

/** What {@link KeychainItems} needs. */
export interface KeychainItemsOptions {
  backend: KeychainBackend;
  clock: Clock;
  /** How many characters one item can have. */
  longest: number;
  /**
   * Asked when an item seems to be absent: `true` when that is so, `false` when it is worth looking again. Rejects when
   * the keychain is locked.
   */
  confirmsAbsence: () => Promise<boolean>;
}

/** A reader without a lock can meet a writer that is replacing the parts it reads. */
const READ_ATTEMPTS = 5;
const READ_PAUSE_MS = 20;

/** Named payloads of any length in a keychain whose items are limited. Rejects with {@link KeychainFailure}. */
export class KeychainItems {
  readonly #options: KeychainItemsOptions;

  constructor(options: KeychainItemsOptions) {
    this.#options = options;
  }

  /** Reads a payload; `undefined` only when there surely is none. */
  async read(name: string): Promise<FoundItem | undefined> {
    const { clock } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      const item = await this.#get(name);
      if (item === undefined) return undefined;
      const parsed = parseItem(item);
      if (parsed === undefined) throw new KeychainFailure("unreadable");
      const payload = await this.#payload(name, parsed.manifest, parsed.inline);
      if (payload !== undefined) return { payload, fence: parsed.manifest.fence };
      if (attempt >= READ_ATTEMPTS) throw new KeychainFailure("unreadable");
      await delay(clock, READ_PAUSE_MS * attempt);
    }
  }

  /** The fence under which a record was last written: 0 when there is none that says so. */
  async fenceOf(name: string): Promise<number> {
    return (await this.#present(name)).old?.fence ?? 0;
  }

  /** Whether there is something, readable or not. */
  async has(name: string): Promise<boolean> {
    const { old, foreign } = await this.#present(name);
    return old !== undefined || foreign !== undefined;
  }

  /**
   * Replaces a payload. To be called by the owner of the record's lock.
   *
   * @param mayWrite throws when the lock is lost; called right before each item is written.
   */
  async write(name: string, payload: string, fence: number, mayWrite: (newest: number) => void): Promise<void> {
    const { backend, longest } = this.#options;
    const { old, foreign } = await this.#present(name);
    // Of a newer version, or not ours: replaced, since the caller wants that, but not lost.
    if (foreign !== undefined) await backend.set(`${name}-unreadable`, foreign);
    const slot: Slot = old?.slot === "a" ? "b" : "a";
    const { item, parts } = layOut(payload, fence, slot, longest);
    for (const [index, part] of parts.entries()) {
      mayWrite(old?.fence ?? 0);
      await backend.set(partName(name, slot, index), part);
    }
    mayWrite(old?.fence ?? 0);
    await backend.set(name, item);
    // From here on it is written; leftovers are found again by the next writer.
    if ((old?.parts ?? 0) > 0) await this.#ignoreFailure(this.#removeParts(name, slot === "a" ? "b" : "a", 0));
    if (parts.length > 0) await this.#ignoreFailure(this.#removeParts(name, slot, parts.length));
  }

  /** Removes a payload, and everything that a crash may have left of earlier ones. */
  async remove(name: string, mayWrite: (newest: number) => void): Promise<void> {
    const { old } = await this.#present(name);
    mayWrite(old?.fence ?? 0);
    const deleted = await this.#options.backend.delete(name);
    // keytar answers false for "locked", too.
    if (!deleted && (await this.has(name))) throw new KeychainFailure("locked");
    await this.#removeParts(name, "a", 0);
    await this.#removeParts(name, "b", 0);
  }

  async #get(name: string): Promise<string | undefined> {
    const { backend, confirmsAbsence } = this.#options;
    const item = await backend.get(name);
    if (item !== null || (await confirmsAbsence())) return item ?? undefined;
    return (await backend.get(name)) ?? undefined;
  }

  /** What is there now: one of our records, or something else (empty when it is not even text). */
  async #present(name: string): Promise<{ old?: Manifest; foreign?: string }> {
    try {
      const item = await this.#get(name);
      if (item === undefined) return {};
      const old = parseItem(item)?.manifest;
      return old === undefined ? { foreign: item } : { old };
    } catch (error) {
      if (error instanceof KeychainFailure && error.problem === "unreadable") return { foreign: "" };
      throw error;
    }
  }

  async #payload(name: string, manifest: Manifest, inline: string): Promise<string | undefined> {
    let payload = inline;
    for (let index = 0; index < manifest.parts; index += 1) {
      const part = await this.#options.backend.get(partName(name, manifest.slot, index));
      if (part === null) return undefined;
      payload += part;
    }
    return digestOf(payload) === manifest.sha256 ? payload : undefined;
  }

  /**
   * Removes the parts from an index on. However many a crash left, they follow one another without a gap: parts are
   * written upwards and removed downwards.
   */
  async #removeParts(name: string, slot: Slot, from: number): Promise<void> {
    const { backend } = this.#options;
    let end = from;
    while ((await backend.get(partName(name, slot, end))) !== null) end += 1;
    for (let index = end - 1; index >= from; index -= 1) await backend.delete(partName(name, slot, index));
  }

  async #ignoreFailure(cleaning: Promise<void>): Promise<void> {
    try {
      await cleaning;
    } catch {
      // The record itself is written, which is what was asked for.
    }
  }
}

function partName(name: string, slot: Slot, index: number): string {
  return `${name}-${slot}-${index}`;
}
