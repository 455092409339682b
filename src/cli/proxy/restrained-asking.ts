import { findMcpOAuthError, handOver, type McpOAuthError } from "../../core/errors.ts";
import type { Fetch } from "../../core/http.ts";
import { coversScope } from "../../core/scope.ts";
import type { TokenManager } from "../../token-manager.ts";

/** How long nobody is asked again after a sign-in that failed. */
const QUIET_MS = 60_000;

/** A sign-in that failed, for as long as nobody is asked again. */
interface Quiet {
  readonly until: number;
  readonly failure: unknown;
  /** The scopes that were asked for, where it was a step-up. */
  readonly stepUpTo: string | undefined;
}

/** Thrown where a page would be opened too soon after the last one. */
class TooSoon extends Error {
  /** Why the last sign-in failed. */
  readonly failure: unknown;

  constructor(failure: unknown) {
    super("a sign-in has just failed");
    this.name = "TooSoon";
    this.failure = failure;
  }
}

/**
 * Keeps a person from being asked over and over: hosts try again by themselves, and each time would open another page.
 * For a while after a sign-in that failed no page is opened, and requests that need one fail as it did. All others go on:
 * those that the present token is enough for, and those for which somebody has signed in elsewhere.
 */
export class RestrainedAsking {
  #quiet: Quiet | undefined;
  #stepUpTo: string | undefined;
  #pagesOpened = 0;
  /** Whether the last page has led to nothing yet. */
  #isPageOpen = false;

  /** To be called before each page. @throws an error that {@link RestrainedAsking.restrain} knows again, when it is too soon. */
  beforePage(): void {
    const quiet = this.#presentQuiet();
    if (quiet !== undefined) throw new TooSoon(quiet.failure);
    this.#pagesOpened += 1;
    this.#isPageOpen = true;
  }

  /** Learns from a token manager how its sign-ins go. */
  follow(tokens: TokenManager): void {
    tokens.on("step_up", ({ scope }) => {
      this.#stepUpTo = scope;
    });
    tokens.on("token_issued", () => {
      this.#quiet = undefined;
      this.#stepUpTo = undefined;
      this.#isPageOpen = false;
    });
  }

  /** The same `fetch`, but a request that no page was opened for fails as the last sign-in did. */
  restrain(fetch: Fetch): Fetch {
    return async (input, init) => {
      const before = this.#pagesOpened;
      try {
        return await fetch(input, init);
      } catch (error) {
        throw this.#failureOf(error, before);
      }
    };
  }

  /** @param before how many pages had been opened when the request began. */
  #failureOf(error: unknown, before: number): unknown {
    const known = findMcpOAuthError(error);
    if (known === undefined) return error;
    const earlier = this.#earlierFailure(known);
    // It may be so long ago that nobody else remembers having handed it to the SDK.
    if (earlier !== undefined) return handOver(earlier.failure);
    if (this.#pagesOpened > before || this.#isPageOpen) {
      this.#quiet = { until: Date.now() + QUIET_MS, failure: error, stepUpTo: this.#stepUpTo };
      this.#isPageOpen = false;
    }
    return error;
  }

  /** The failure because of which there was no page for a request. */
  #earlierFailure({ cause, code, requiredScope }: McpOAuthError): { readonly failure: unknown } | undefined {
    if (cause instanceof TooSoon) return cause;
    const quiet = this.#presentQuiet();
    if (quiet?.stepUpTo === undefined || code !== "insufficient_scope") return undefined;
    // The session, too, remembers a step-up that was denied, and says so in other words.
    return coversScope(quiet.stepUpTo, requiredScope) ? quiet : undefined;
  }

  #presentQuiet(): Quiet | undefined {
    return this.#quiet !== undefined && this.#quiet.until > Date.now() ? this.#quiet : undefined;
  }
}
