import type { AuthorizationRequest } from "../authorization/request.ts";
import { McpOAuthError } from "../core/errors.ts";
import { assertOpenableUrl } from "../core/openable-url.ts";
import type { PendingRedirect, RedirectArrival } from "../ports/redirect-receiver.ts";
import type { FlowContext, SignInFlow } from "./context.ts";
import { receivePastedRedirect } from "./pasted-redirect.ts";
import { promptNeeded } from "./prompt-needed.ts";

/** An authorization response, unchecked. */
export interface ReceivedResponse {
  readonly parameters: URLSearchParams;
  /** Absent when the response was pasted: there is no page to answer. */
  readonly arrival?: RedirectArrival;
}

export interface ResponseWait {
  readonly request: AuthorizationRequest;
  readonly redirect: PendingRedirect;
  readonly flow: SignInFlow;
  /** Takes what opens the browser once more, for a user who has lost the tab. */
  readonly onShown?: (reopen: () => void) => void;
  readonly signal: AbortSignal;
}

function browserUnavailable({ server, authorizationServer }: AuthorizationRequest, cause: unknown): McpOAuthError {
  return new McpOAuthError(
    "browser_unavailable",
    `No browser could be opened for the sign-in to ${server}. Pass the option prompt to show the address and take a pasted ` +
      "answer, or sign in where there is a browser.",
    { cause, server, issuer: authorizationServer.issuer },
  );
}

/** Never resolves: what a browser that was opened returns is nobody's business. Rejects when none could be opened. */
async function failureToOpen(context: FlowContext, request: AuthorizationRequest): Promise<never> {
  // Whatever a server published: nothing but https, or http on loopback, is ever opened.
  const url = assertOpenableUrl(request.url);
  try {
    await context.openBrowser(url);
  } catch (error) {
    throw browserUnavailable(request, error);
  }
  return new Promise<never>(() => undefined);
}

/**
 * Brings the authorization URL before the user and takes the response from whichever way it comes first: the listener, or
 * the user's paste. With `auto` the prompt is shown where no browser can be opened; the listener stays up meanwhile.
 *
 * @throws `browser_unavailable`, `insecure_url`, `invalid_configuration`, `invalid_authorization_response`, or the
 * signal's reason.
 */
export async function receiveResponse(context: FlowContext, wait: ResponseWait): Promise<ReceivedResponse> {
  const { request, redirect, flow } = wait;
  const { prompt } = context;
  if (flow === "paste" && prompt === undefined) throw promptNeeded();
  // What came before may have missed the abort; nothing is brought before the user after it.
  wait.signal.throwIfAborted();
  const over = new AbortController();
  const signal = AbortSignal.any([wait.signal, over.signal]);
  const pasted = async (): Promise<ReceivedResponse> =>
    prompt === undefined
      ? new Promise(() => undefined)
      : { parameters: await receivePastedRedirect(prompt, request, signal) };
  const arrived = redirect
    .arrival(request.state, signal)
    .then((arrival) => ({ arrival, parameters: arrival.parameters }));
  const shown: Promise<ReceivedResponse> =
    flow === "paste"
      ? pasted()
      : failureToOpen(context, request).catch((error: unknown) => {
          const canPaste =
            flow === "auto" &&
            prompt !== undefined &&
            error instanceof McpOAuthError &&
            error.code === "browser_unavailable";
          if (canPaste) return pasted();
          throw error;
        });
  wait.onShown?.(() => {
    if (!signal.aborted && flow !== "paste") failureToOpen(context, request).catch(() => undefined);
  });
  try {
    return await Promise.race([arrived, shown]);
  } finally {
    over.abort();
    for (const way of [arrived, shown]) way.catch(() => undefined);
  }
}
