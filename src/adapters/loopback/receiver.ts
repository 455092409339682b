import { type Clock, systemClock } from "../../core/clock.ts";
import type { PendingRedirect, RedirectOptions, RedirectReceiver } from "../../ports/redirect-receiver.ts";
import { type ListenAddress, parseRedirectOptions } from "./address.ts";
import { Listener, type ShareOptions } from "./listener.ts";

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

/** The listeners of this process by their address. Sign-ins that want the same address share one. */
const listeners = new Map<string, Promise<Listener>>();

async function openShare(address: ListenAddress, options: ShareOptions): Promise<PendingRedirect> {
  const running = listeners.get(address.key);
  const starting = running ?? Listener.start(address);
  listeners.set(address.key, starting);
  const forget = (): void => {
    if (listeners.get(address.key) === starting) listeners.delete(address.key);
  };
  try {
    const pending = (await starting).share(options);
    if (pending !== undefined) return pending;
  } catch (error) {
    forget();
    throw error;
  }
  // Its last sign-in has ended in the meantime, so it has stopped.
  forget();
  return openShare(address, options);
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
    open: async (redirect: RedirectOptions) => openShare(parseRedirectOptions(redirect), share),
  };
}
