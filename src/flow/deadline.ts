import { McpOAuthError } from "../core/errors.ts";
import { nobodyFinished } from "../core/unanswered.ts";
import type { FlowContext } from "./context.ts";

/** A signal that aborts with another, if there is one, or with `timeout` when the time for a sign-in is up. */
export function withDeadline(
  context: FlowContext,
  server: string,
  signal?: AbortSignal,
): { signal: AbortSignal; cancel: () => void } {
  const deadline = new AbortController();
  const seconds = Math.round(context.signInTimeoutMs / 1000);
  const cancel = context.clock.schedule(() => {
    const message = `Nobody finished the sign-in to ${server} within ${seconds} s. Start it again; the option signInTimeoutMs gives more time.`;
    deadline.abort(nobodyFinished(message, { server }));
  }, context.signInTimeoutMs);
  return { signal: signal === undefined ? deadline.signal : AbortSignal.any([signal, deadline.signal]), cancel };
}

/** What a sign-in threw, as one of our errors: an abort's reason may be the deadline's, or anything of the caller's. */
export function toError(error: unknown, signal: AbortSignal, server: string): unknown {
  const reason: unknown = signal.aborted ? signal.reason : undefined;
  if (reason instanceof McpOAuthError) return reason;
  // A step that was interrupted says so in its own words; the caller is told of the sign-in.
  const wasInterrupted = signal.aborted && error instanceof McpOAuthError && error.code === "aborted";
  if (error instanceof McpOAuthError && !wasInterrupted) return error.withContext({ server });
  if (!signal.aborted) return error;
  return new McpOAuthError("aborted", `The sign-in to ${server} was aborted.`, { cause: reason, server });
}
