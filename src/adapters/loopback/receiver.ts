import { type Clock, systemClock } from "../../core/clock.ts";
import type { RedirectOptions, RedirectReceiver } from "../../ports/redirect-receiver.ts";

const ANSWER_WITHIN_MS = 30_000;

/** Options of {@link loopbackReceiver}. */
export interface LoopbackReceiverOptions {
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock;
  /**
   * How long the browser waits for the outcome of a sign-in before it gets a page without one, in milliseconds.
   * Default 30,000.
   */
  answerWithinMs?: number;
}

/**
 * Receives authorization responses on a loopback address of this machine (RFC 8252 section 7.3).
 *
 * All sign-ins of the process with the same redirect options share one listener, which tells them apart by `state`. It
 * answers GET, and POST from `response_mode=form_post`, on exactly one path and under its own host name only; anything
 * else is refused and leaves the sign-ins waiting. A response reaches its sign-in once. The listener stops, and lets the
 * process end, when the last sign-in has closed its share and its result page is on the way to the browser.
 *
 * @returns a receiver whose `open` throws `redirect_unavailable` when the address cannot be listened on, and
 * `invalid_configuration` for unusable options.
 */
export function loopbackReceiver(options: LoopbackReceiverOptions = {}): RedirectReceiver {
  const share = { clock: options.clock ?? systemClock, answerWithinMs: options.answerWithinMs ?? ANSWER_WITHIN_MS };
  return {
    // Loaded here, so that importing the package does not load it.
    open: async (redirect: RedirectOptions) => (await import("./open-share.ts")).openShare(redirect, share),
  };
}
