import type { DataKey } from "./data-key.ts";
import type { RecordHeader } from "./format.ts";
import { type KeySource, remembered } from "./key-source.ts";
import { type KeySourceContext, openKeySource } from "./open-key-source.ts";
import type { EncryptedFileStoreOptions } from "./options.ts";

/** The present key and the earlier ones. */
export class KeyChoice {
  readonly #present: () => Promise<KeySource>;
  readonly #earlier: () => Promise<KeySource[]>;

  constructor(options: EncryptedFileStoreOptions, context: KeySourceContext) {
    this.#present = remembered(() => openKeySource(options, context)).get;
    const previous = options.previousKeys ?? [];
    this.#earlier = remembered(() => Promise.all(previous.map((each) => openKeySource(each, context)))).get;
  }

  /** The key that new records get. */
  async current(): Promise<DataKey> {
    return (await this.#present()).current();
  }

  /** The key that a record was encrypted with; `undefined` when it is none of ours. */
  async find(header: RecordHeader): Promise<DataKey | undefined> {
    const present = await this.#present();
    const earlier = await this.#earlier();
    // First those that are at hand: a source that does not know the key may fetch its own once more.
    if ((await present.current()).id === header.keyId) return present.current();
    for (const source of [...earlier, present]) {
      const key = await source.find(header);
      if (key !== undefined) return key;
    }
    return undefined;
  }

  /** Makes a new key to be the present one, where keys are ours to make. */
  async renew(): Promise<void> {
    await (await this.#present()).renew?.();
  }
}
