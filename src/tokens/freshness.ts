import { randomFraction } from "../core/entropy.ts";
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
/** Of the time between due and expired, the share over which refreshes that nobody waits for are spread. */
const JITTER_SHARE = 0.1;

/** The moments in an access token's life, in milliseconds since the epoch. */
export interface TokenMoments {
  readonly issuedAt: number;
  /** From here on it is refreshed in the background. */
  readonly dueAt: number;
  /** From here on it is not used any more. */
  readonly expiredAt: number;
}

/** @param refreshAt the share of the lifetime after which a refresh is due, 0 to 1. */
export function momentsOf(credential: Pick<Credential, "issuedAt" | "expiresAt">, refreshAt: number): TokenMoments {
  const { issuedAt, expiresAt } = credential;
  const never = Number.POSITIVE_INFINITY;
  if (expiresAt === undefined) return { issuedAt, dueAt: never, expiredAt: never };
  const lifetimeMs = Math.max(expiresAt - issuedAt, 0);
  const expiredAt = expiresAt - Math.min(LONGEST_SKEW_MS, lifetimeMs * SKEW_SHARE);
  return { issuedAt, dueAt: Math.min(issuedAt + lifetimeMs * refreshAt, expiredAt), expiredAt };
}

/** @param minTtlMs how long the caller needs the token to last. */
export function freshnessOf({ issuedAt, dueAt, expiredAt }: TokenMoments, nowMs: number, minTtlMs = 0): Freshness {
  if (nowMs >= expiredAt) return "expired";
  // Where no token ever lasts that long, asking for another at every call would not help: it is renewed when it is due.
  const couldLast = issuedAt + minTtlMs < expiredAt;
  if (nowMs + minTtlMs >= expiredAt && (couldLast || nowMs >= dueAt)) return "expired";
  // Received in the future: the clock has been set back, and nobody knows when this token ends.
  if (nowMs < issuedAt - LONGEST_SKEW_MS) return "due";
  return nowMs >= dueAt ? "due" : "fresh";
}

/**
 * When to refresh a token that nobody asks for: shortly after it is due, and not when everybody else does, be it other
 * processes with the same token or other tokens that were issued together.
 */
export function wakeAt({ dueAt, expiredAt }: TokenMoments): number {
  return Number.isFinite(dueAt) ? dueAt + (expiredAt - dueAt) * JITTER_SHARE * randomFraction() : dueAt;
}
