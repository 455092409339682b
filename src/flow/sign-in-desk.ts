import { McpOAuthError } from "../core/errors.ts";
import { waitFor } from "../core/wait-for.ts";
import type { Credential } from "../tokens/credential.ts";

interface RunningSignIn {
  readonly scope: string | undefined;
  readonly outcome: Promise<Credential>;
  readonly controller: AbortController;
  /** Callers that wait. When the last one that may end it has gone, and nobody else waits, it ends. */
  waiting: number;
}

/**
 * At most one sign-in for a session at a time in this process; whoever needs it shares it. A sign-in belongs to nobody's
 * request: when a request gives up, it goes on, and the next request finds it finished or still running.
 */
export class SignInDesk {
  readonly #running = new Map<string, RunningSignIn>();

  /** The sign-in under way, if there is one. */
  running(name: string): { readonly scope: string | undefined; readonly outcome: Promise<Credential> } | undefined {
    return this.#running.get(name);
  }

  /**
   * Waits for a sign-in under way, without the power to end it.
   *
   * @throws what the sign-in throws; `aborted`.
   */
  async join(name: string, signal: AbortSignal | undefined): Promise<Credential | undefined> {
    const running = this.#running.get(name);
    return running === undefined ? undefined : this.#wait(running, signal, false);
  }

  /**
   * Joins the sign-in under way, or starts one.
   *
   * @param mayEnd whether this caller's abort ends it when nobody else waits (an explicit `signIn`), or not (a request).
   */
  async start(
    name: string,
    scope: string | undefined,
    perform: (signal: AbortSignal) => Promise<Credential>,
    options: { signal?: AbortSignal | undefined; mayEnd: boolean },
  ): Promise<Credential> {
    const running = this.#running.get(name) ?? this.#begin(name, scope, perform);
    return this.#wait(running, options.signal, options.mayEnd);
  }

  /** Ends all sign-ins. */
  close(): void {
    const reason = new McpOAuthError("closed", "The token manager was closed during a sign-in.");
    for (const running of this.#running.values()) running.controller.abort(reason);
  }

  #begin(
    name: string,
    scope: string | undefined,
    perform: (signal: AbortSignal) => Promise<Credential>,
  ): RunningSignIn {
    const controller = new AbortController();
    const outcome = perform(controller.signal).finally(() => this.#running.delete(name));
    outcome.catch(() => undefined);
    const running = { scope, outcome, controller, waiting: 0 };
    this.#running.set(name, running);
    return running;
  }

  async #wait(running: RunningSignIn, signal: AbortSignal | undefined, mayEnd: boolean): Promise<Credential> {
    running.waiting++;
    try {
      return await waitFor(running.outcome, signal);
    } finally {
      running.waiting--;
      if (mayEnd && signal?.aborted === true && running.waiting === 0) running.controller.abort(signal.reason);
    }
  }
}
