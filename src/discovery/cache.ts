import type { Clock } from "../core/clock.ts";

/** How long an answer may be used when its server does not say (RFC 9111 section 4.2.2 leaves it to us). */
const DEFAULT_LIFETIME_MS = 5 * 60_000;
const LONGEST_LIFETIME_MS = 24 * 3_600_000;
const MOST_ENTRIES = 500;

/** The lifetime that Cache-Control gives an answer, in milliseconds; 0 when it may not be kept (RFC 9111 section 5.2.2). */
export function cacheLifetimeMs(headers: Headers): number {
  const directives = (headers.get("cache-control") ?? "").toLowerCase();
  if (/(?:^|[\s,])(?:no-store|no-cache)(?:$|[\s,=])/.test(directives)) return 0;
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,10})/.exec(directives)?.[1];
  if (maxAge === undefined) return DEFAULT_LIFETIME_MS;
  const age = Number(headers.get("age") ?? 0);
  const lifetimeMs = (Number(maxAge) - (Number.isFinite(age) ? age : 0)) * 1000;
  return Math.min(Math.max(lifetimeMs, 0), LONGEST_LIFETIME_MS);
}

/** Values kept in memory for as long as their servers allow. */
export class MetadataCache<Value> {
  readonly #clock: Clock;
  readonly #entries = new Map<string, { readonly value: Value; readonly expiresAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.expiresAt > this.#clock.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  set(key: string, value: Value, lifetimeMs: number): void {
    this.#entries.delete(key);
    if (lifetimeMs <= 0) return;
    if (this.#entries.size >= MOST_ENTRIES) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    this.#entries.set(key, { value, expiresAt: this.#clock.now() + lifetimeMs });
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
