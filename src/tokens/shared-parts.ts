/**
 * Parts that the sessions of one issuer have in common: its metadata, their client. Sessions that were read from a store
 * have copies of them, which make up most of what a session is; here the copies become one, for as long as any session has
 * it.
 */
export class SharedParts<Part extends { readonly issuer: string }> {
  readonly #latest = new Map<string, WeakRef<Part>>();
  readonly #textOf: (part: Part) => string;

  /** @param textOf says all that there is to a part: the same text, the same part. */
  constructor(textOf: (part: Part) => string) {
    this.#textOf = textOf;
  }

  /** The latest part of the same issuer, if it is the same; else this one. */
  of(part: Part): Part {
    const latest = this.#latest.get(part.issuer)?.deref();
    if (latest !== undefined && this.#textOf(latest) === this.#textOf(part)) return latest;
    this.#latest.set(part.issuer, new WeakRef(part));
    return part;
  }
}
