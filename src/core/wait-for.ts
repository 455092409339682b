import { McpOAuthError } from "./errors.ts";

/**
 * Waits for something shared: an abort ends this caller's waiting, never the thing itself.
 *
 * @throws `aborted` with the signal's reason as cause.
 */
export function waitFor<Value>(shared: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return shared;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(
        new McpOAuthError("aborted", "The caller stopped waiting; what was under way goes on.", {
          cause: signal.reason,
        }),
      );
    };
    if (signal.aborted) {
      shared.catch(() => undefined);
      onAbort();
      return;
    }
    signal.addEventListener("abort", onAbort, { once: true });
    shared.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
