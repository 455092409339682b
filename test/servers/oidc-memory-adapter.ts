// oidc-provider's storage, one per instance: the package's own in-memory default is shared by every
// provider of the process, and two issuers in one test must not know each other's codes.
import type { Adapter, AdapterPayload } from "oidc-provider";

/** A fixture that runs for hours (the demo, a benchmark) must not grow without end. */
const ENTRY_LIMIT = 20_000;

interface Entry {
  payload: AdapterPayload;
  expiresAt: number;
}

export class OidcMemory {
  readonly #entries = new Map<string, Entry>();

  adapterFor(model: string): Adapter {
    const key = (id: string): string => `${model}:${id}`;
    const first = (test: (payload: AdapterPayload) => boolean): AdapterPayload | undefined => {
      for (const [name, entry] of this.#entries) {
        if (name.startsWith(`${model}:`) && entry.expiresAt > Date.now() && test(entry.payload))
          return structuredClone(entry.payload);
      }
      return undefined;
    };
    return {
      upsert: async (id, payload, expiresIn) => {
        this.#makeRoom();
        const expiresAt = typeof expiresIn === "number" ? Date.now() + expiresIn * 1000 : Number.POSITIVE_INFINITY;
        this.#entries.set(key(id), { payload: structuredClone(payload), expiresAt });
      },
      find: async (id) => this.#read(key(id)),
      findByUid: async (uid) => first((payload) => payload.uid === uid),
      findByUserCode: async (userCode) => first((payload) => payload.userCode === userCode),
      destroy: async (id) => void this.#entries.delete(key(id)),
      consume: async (id) => {
        const entry = this.#entries.get(key(id));
        if (entry) entry.payload.consumed = Math.floor(Date.now() / 1000);
      },
      revokeByGrantId: async (grantId) => {
        for (const [name, entry] of this.#entries) {
          if (name.startsWith(`${model}:`) && entry.payload.grantId === grantId) this.#entries.delete(name);
        }
      },
    };
  }

  /** Forgets every record of the named models. */
  deleteModels(...models: string[]): void {
    for (const name of this.#entries.keys()) {
      if (models.some((model) => name.startsWith(`${model}:`))) this.#entries.delete(name);
    }
  }

  /** How many records of a model are held. */
  count(model: string): number {
    return [...this.#entries.keys()].filter((name) => name.startsWith(`${model}:`)).length;
  }

  // A copy each way, as any database would give: a caller that mutates what it read changes nothing here.
  #read(name: string): AdapterPayload | undefined {
    const entry = this.#entries.get(name);
    if (!entry) return undefined;
    if (entry.expiresAt > Date.now()) return structuredClone(entry.payload);
    this.#entries.delete(name);
    return undefined;
  }

  #makeRoom(): void {
    if (this.#entries.size < ENTRY_LIMIT) return;
    const now = Date.now();
    for (const [name, entry] of this.#entries) {
      if (entry.expiresAt <= now) this.#entries.delete(name);
    }
    for (const name of this.#entries.keys()) {
      if (this.#entries.size < ENTRY_LIMIT) return;
      this.#entries.delete(name);
    }
  }
}
