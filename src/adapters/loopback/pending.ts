import type { ServerResponse } from "node:http";
import type { Clock } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";
import type { PendingRedirect, RedirectArrival } from "../../ports/redirect-receiver.ts";
import { sendPage } from "./answer.ts";
import { noticePage, resultPage } from "./result-page.ts";
import type { StateRouter } from "./state-router.ts";

/** Takes an authorization response that was routed to its sign-in. */
export type Deliver = (parameters: URLSearchParams, response: ServerResponse) => void;

/** What a pending redirect needs of the listener that it shares. */
export interface PendingOptions {
  readonly redirectUri: string;
  readonly router: StateRouter<Deliver>;
  readonly clock: Clock;
  /** How long the browser is kept waiting for the outcome, in milliseconds. */
  readonly answerWithinMs: number;
  /** Gives the share in the listener back. */
  readonly release: () => Promise<void>;
}

/** One sign-in's share in a listener. */
export function createPending(options: PendingOptions): PendingRedirect {
  const { redirectUri, router, clock, answerWithinMs, release } = options;
  /** Ends what is still open, when the redirect is closed. */
  const closers = new Set<() => Promise<void> | void>();
  let closing: Promise<void> | undefined;

  /** Keeps the browser's request until there is an outcome to show, but not for ever. */
  function hold(parameters: URLSearchParams, response: ServerResponse): RedirectArrival {
    const answer = async (status: number, html: string): Promise<void> => {
      cancel();
      await sendPage(response, status, html, clock);
      closers.delete(giveUp);
    };
    const giveUp = (): Promise<void> => answer(200, noticePage("received"));
    const cancel = clock.schedule(() => void giveUp(), answerWithinMs);
    closers.add(giveUp);
    return {
      parameters,
      respond: (page) => answer(page.outcome === "failed" ? 400 : 200, resultPage(page)),
    };
  }

  function arrival(state: string, signal: AbortSignal): Promise<RedirectArrival> {
    const arrived = waitFor(state, signal);
    // A sign-in starts to wait before it opens the browser. When that fails it never looks at this promise again, and
    // its rejection must not end the process.
    arrived.catch(() => undefined);
    return arrived;
  }

  function waitFor(state: string, signal: AbortSignal): Promise<RedirectArrival> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      if (closing !== undefined) throw new McpOAuthError("aborted", "The redirect listener has been closed.");
      const forget = router.add(state, (parameters, response) => {
        stopWaiting();
        resolve(hold(parameters, response));
      });
      const onAbort = (): void => {
        stopWaiting();
        reject(signal.reason);
      };
      const onClose = (): void => {
        stopWaiting();
        reject(new McpOAuthError("aborted", "The redirect listener was closed before a response arrived."));
      };
      const stopWaiting = (): void => {
        forget();
        closers.delete(onClose);
        signal.removeEventListener("abort", onAbort);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      closers.add(onClose);
    });
  }

  async function closeOnce(): Promise<void> {
    await Promise.all([...closers].map((end) => end()));
    await release();
  }

  return {
    redirectUri,
    arrival,
    close: () => {
      closing ??= closeOnce();
      return closing;
    },
  };
}
