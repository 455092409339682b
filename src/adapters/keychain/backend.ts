/**
 * keytar's way to the operating system's keychain: `keytar`, `@github/keytar`, or anything of that shape.
 *
 * Strings in, promises out; `null` and `false` mean that there is no such item.
 */
export interface KeytarLike {
  /** The value of an item, or `null` where there is none. */
  getPassword(service: string, account: string): Promise<string | null>;
  /** Writes an item, replacing an older one. */
  setPassword(service: string, account: string, password: string): Promise<void>;
  /** Removes an item; says whether there was one. */
  deletePassword(service: string, account: string): Promise<boolean>;
}

/** A keychain as the store uses it. One operation at a time, each with a deadline; rejects with `KeychainFailure`. */
export interface KeychainBackend {
  /** Sets apart what different libraries wrote: they do not see one another's items. */
  readonly family: string;
  get(account: string): Promise<string | null>;
  set(account: string, password: string): Promise<void>;
  delete(account: string): Promise<boolean>;
  close(): void;
}
