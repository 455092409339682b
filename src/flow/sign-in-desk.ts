import { McpOAuthError } from "../core/errors.ts";
import { waitFor } from "../core/wait-for.ts";
import { type Credential, type SessionKey, storeKey } from "../tokens/credential.ts";

interface RunningSignIn {
  readonly scope: string | undefined;
  readonly holdsUp: boolean;
  readonly outcome: Promise<Credential>;
  readonly controller: AbortController;
  /** Brings it before the user once more, where that can be done. */
  reopen?: () => void;
  /** Callers that wait. When the last one that may end it has gone, and nobody else waits, it ends. */
  waiting: number;
}

/** Performs a sign-in; `onShown` takes what brings it before the user once more. */
export type PerformSignIn = (signal: AbortSignal, onShown: (reopen: () => void) => void) => Promise<Credential>;

/**
 * At most one sign-in for a session at a time in this process; whoever needs it shares it. A sign-in belongs to nobody's
 * request: when a request gives up, it goes on, and the next request finds it finished or still running.
 */
export class SignInDesk {
  readonly #running = new Map<string, RunningSignIn>();
  #closed = false;

  /** The sign-in under way, if there is one. */
  running(name: string): { readonly scope: string | undefined; readonly outcome: Promise<Credential> } | undefined {
    return this.#running.get(name);
  }

  /** Whether a sign-in is under way that requests wait for. */
  holdsUp(name: string): boolean {
    return this.#running.get(name)?.holdsUp === true;
  }

  /**
   * Waits for a sign-in under way, without the power to end it. One that only adds scopes holds nobody up: what could be
   * done before it, can be done meanwhile.
   *
   * @throws what the sign-in throws; `aborted`.
   */
  async join(name: string, signal: AbortSignal | undefined): Promise<Credential | undefined> {
    const running = this.#running.get(name);
    return running?.holdsUp === true ? this.#wait(name, running, signal, false) : undefined;
  }

  /**
   * Joins the sign-in under way, or starts one.
   *
   * @param options `mayEnd`: whether this caller's abort ends it when nobody else waits (an explicit `signIn`), or not (a
   * request). `holdsUp`: whether requests that come meanwhile wait for it; default true.
   * @throws what the sign-in throws; `aborted`, `closed`.
   */
  async start(
    key: SessionKey,
    scope: string | undefined,
    perform: PerformSignIn,
    options: { signal?: AbortSignal | undefined; mayEnd: boolean; holdsUp?: boolean },
  ): Promise<Credential> {
    this.requireOpen(key);
    const name = storeKey(key);
    const before = this.#running.get(name);
    // A person who asks for a sign-in that is under way has lost sight of it.
    if (options.mayEnd) before?.reopen?.();
    const running = before ?? this.#begin(name, scope, perform, options.holdsUp ?? true);
    return this.#wait(name, running, options.signal, options.mayEnd);
  }

  /** Requests go on to come from what was handed out before the end: none of them may ask a person. @throws `closed`. */
  requireOpen({ server }: SessionKey): void {
    if (!this.#closed) return;
    const message = `${server} wants a new token, and the token manager that would get it has been closed. Make a new one.`;
    throw new McpOAuthError("closed", message, { server });
  }

  /** Ends all sign-ins; no other starts any more. */
  close(): void {
    this.#closed = true;
    const reason = new McpOAuthError("closed", "The token manager was closed during a sign-in.");
    for (const running of this.#running.values()) running.controller.abort(reason);
  }

  #begin(name: string, scope: string | undefined, perform: PerformSignIn, holdsUp: boolean): RunningSignIn {
    const controller = new AbortController();
    const onShown = (reopen: () => void): void => {
      running.reopen = reopen;
    };
    const outcome = perform(controller.signal, onShown).finally(() => this.#forget(name, running));
    outcome.catch(() => undefined);
    const running: RunningSignIn = { scope, holdsUp, outcome, controller, waiting: 0 };
    this.#running.set(name, running);
    return running;
  }

  #forget(name: string, running: RunningSignIn): void {
    if (this.#running.get(name) === running) this.#running.delete(name);
  }

  async #wait(
    name: string,
    running: RunningSignIn,
    signal: AbortSignal | undefined,
    mayEnd: boolean,
  ): Promise<Credential> {
    running.waiting++;
    try {
      return await waitFor(running.outcome, signal);
    } catch (error) {
      if (!mayEnd || signal?.aborted !== true || running.waiting > 1) throw error;
      // Whoever comes now starts anew; and when this caller hears of the end, the port and the lock are free again.
      this.#forget(name, running);
      running.controller.abort(signal.reason);
      return await running.outcome;
    } finally {
      running.waiting--;
    }
  }
}
