import { equalInConstantTime } from "../../core/entropy.ts";
import { McpOAuthError } from "../../core/errors.ts";

/** How many used states are remembered, so that a second arrival is told apart from a wrong one. */
const REMEMBERED_STATES = 32;

/** What a `state` leads to: the sign-in that waits for it, one that has had its answer, or nothing. */
export type Route<Waiter> =
  | { readonly kind: "waiting"; readonly waiter: Waiter }
  | { readonly kind: "used" }
  | { readonly kind: "unknown" };

/**
 * Leads each authorization response to the one sign-in whose `state` it has, once (RFC 9700 section 4.7). Comparing
 * takes the same time wherever two states differ, and however many sign-ins wait.
 */
export class StateRouter<Waiter> {
  readonly #waiting = new Map<string, Waiter>();
  readonly #used: string[] = [];

  /**
   * Registers a waiter and returns how to take it away again.
   *
   * @throws `invalid_argument` for an empty state or one that was handed in before: a state belongs to one request.
   */
  add(state: string, waiter: Waiter): () => void {
    if (state === "" || this.#waiting.has(state) || this.#used.includes(state)) {
      throw new McpOAuthError("invalid_argument", "Each sign-in needs a new, unguessable state to wait for.");
    }
    this.#waiting.set(state, waiter);
    return () => {
      if (this.#waiting.get(state) === waiter) this.#waiting.delete(state);
    };
  }

  /** Finds who waits for a state and takes the state out of use. */
  take(state: string | null): Route<Waiter> {
    if (state === null) return { kind: "unknown" };
    let found: string | undefined;
    for (const candidate of this.#waiting.keys()) {
      if (equalInConstantTime(candidate, state)) found = candidate;
    }
    let wasUsed = false;
    for (const used of this.#used) {
      if (equalInConstantTime(used, state)) wasUsed = true;
    }
    if (found === undefined) return { kind: wasUsed ? "used" : "unknown" };
    const waiter = this.#waiting.get(found) as Waiter;
    this.#waiting.delete(found);
    this.#used.push(found);
    if (this.#used.length > REMEMBERED_STATES) this.#used.shift();
    return { kind: "waiting", waiter };
  }
}
