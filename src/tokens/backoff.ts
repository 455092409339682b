import { randomFraction } from "../core/entropy.ts";
import type { McpOAuthError } from "../core/errors.ts";

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 5 * 60_000;
/** Delays differ by up to this share, so that many processes do not come back together. */
const JITTER_SHARE = 0.25;

/** A row of failures of one session's refresh. */
export interface FailureRow {
  readonly failures: number;
  /** How many of them in a row were definite refusals, not faults that pass. */
  readonly refusals: number;
  readonly failedAt: number;
  readonly retryAt: number;
  readonly error: McpOAuthError;
}

/** Statuses and codes that say "try again later" (RFC 6749 section 4.1.2.1 names two of them). */
const PASSING_CODES = new Set(["temporarily_unavailable", "server_error", "slow_down"]);

/** Whether a server has definitely refused, as opposed to a fault on the way that may pass. */
export function isDefiniteRefusal(error: McpOAuthError): boolean {
  const { code, status = 500, oauthError } = error;
  if (code !== "token_request_failed" || (oauthError !== undefined && PASSING_CODES.has(oauthError))) return false;
  return status < 500 && status !== 408 && status !== 425 && status !== 429;
}

/** The row after one more failure: exponential delays with jitter, never shorter than the server's Retry-After. */
export function afterFailure(before: FailureRow | undefined, error: McpOAuthError, nowMs: number): FailureRow {
  const failures = (before?.failures ?? 0) + 1;
  const exponential = Math.min(FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 20), LONGEST_DELAY_MS);
  const jittered = exponential * (1 + JITTER_SHARE * (2 * randomFraction() - 1));
  return {
    failures,
    refusals: isDefiniteRefusal(error) ? (before?.refusals ?? 0) + 1 : 0,
    failedAt: nowMs,
    retryAt: nowMs + Math.max(jittered, error.retryAfterMs ?? 0),
    error,
  };
}

/** How much of the pause is left, in milliseconds; 0 when it is over, or when the clock was set back meanwhile. */
export function pauseLeft({ failedAt, retryAt }: FailureRow, nowMs: number): number {
  return nowMs < failedAt ? 0 : Math.max(retryAt - nowMs, 0);
}
