import { findMcpOAuthError } from "../../core/errors.ts";
import type { Fetch } from "../../core/http.ts";
import type { TokenManager } from "../../token-manager.ts";

/** How long nobody is asked again after a sign-in that failed. */
const QUIET_MS = 60_000;

/** How a person is asked, as far as it concerns how often. */
export interface Asking {
  /** How many pages have been opened. */
  readonly pagesOpened: number;
}

/**
 * A `fetch` under which a person is not asked over and over: hosts try again by themselves, and each time would open
 * another page. For a while after a sign-in that failed, requests that need one fail as it did.
 */
export function restrainedFetch(tokens: TokenManager, fetch: Fetch, asking: Asking): Fetch {
  let quiet: { readonly until: number; readonly error: unknown } | undefined;
  tokens.on("token_issued", () => {
    quiet = undefined;
  });
  return async (input, init) => {
    if (quiet !== undefined && quiet.until > Date.now()) throw quiet.error;
    const before = asking.pagesOpened;
    try {
      return await fetch(input, init);
    } catch (error) {
      const wasAsked = asking.pagesOpened > before && findMcpOAuthError(error) !== undefined;
      if (wasAsked) quiet = { until: Date.now() + QUIET_MS, error };
      throw error;
    }
  };
}
