import { McpOAuthError } from "../core/errors.ts";
import type { CommandContext } from "./command-context.ts";

/**
 * Does a work that ends at Ctrl-C, or when its time is up, whatever it is waiting for then.
 *
 * @param message what is said when its time is up; asked for at that moment.
 * @throws `timeout`, and what the work throws.
 */
export async function withDeadline<Result>(
  context: CommandContext,
  { seconds, message }: { readonly seconds: number; readonly message: () => string },
  work: (context: CommandContext) => Promise<Result>,
): Promise<Result> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), seconds * 1000);
  const signal = AbortSignal.any([context.signal, deadline.signal]);
  try {
    return await work({ ...context, signal });
  } catch (error) {
    const isLate = deadline.signal.aborted && !context.signal.aborted;
    throw isLate ? new McpOAuthError("timeout", message(), { cause: error }) : error;
  } finally {
    clearTimeout(timer);
  }
}
