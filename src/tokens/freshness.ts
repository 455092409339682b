import type { Credential } from "./credential.ts";

/**
 * How much life an access token has left.
 *
 * `fresh`: use it. `due`: use it, and refresh it in the background. `expired`: refresh it first.
 */
export type Freshness = "fresh" | "due" | "expired";

/** Clocks differ and requests travel; a token this close to its end is not sent any more. */
const LONGEST_SKEW_MS = 60_000;
/** Of short lives only a small share is given to skew, or they would be over before they began. */
const SKEW_SHARE = 0.1;

/** The moments in an access token's life, in milliseconds since the epoch. */
export interface TokenMoments {
  /** From here on it is refreshed in the background. */
  readonly dueAt: number;
  /** From here on it is not used any more. */
  readonly expiredAt: number;
}

/** @param refreshAt the share of the lifetime after which a refresh is due, 0 to 1. */
export function momentsOf(credential: Pick<Credential, "issuedAt" | "expiresAt">, refreshAt: number): TokenMoments {
  const { issuedAt, expiresAt } = credential;
  if (expiresAt === undefined) return { dueAt: Number.POSITIVE_INFINITY, expiredAt: Number.POSITIVE_INFINITY };
  const lifetimeMs = Math.max(expiresAt - issuedAt, 0);
  const expiredAt = expiresAt - Math.min(LONGEST_SKEW_MS, lifetimeMs * SKEW_SHARE);
  return { dueAt: Math.min(issuedAt + lifetimeMs * refreshAt, expiredAt), expiredAt };
}

/** @param minTtlMs how long the caller needs the token to last. */
export function freshnessOf(moments: TokenMoments, nowMs: number, minTtlMs = 0): Freshness {
  if (nowMs + minTtlMs >= moments.expiredAt) return "expired";
  return nowMs >= moments.dueAt ? "due" : "fresh";
}
