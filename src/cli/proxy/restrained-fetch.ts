import { findMcpOAuthError } from "../../core/errors.ts";
import type { Fetch } from "../../core/http.ts";
import type { TokenManager } from "../../token-manager.ts";

/** How long nobody is asked again after a sign-in that failed. */
const QUIET_MS = 60_000;

/**
 * A `fetch` under which a person is not asked over and over: hosts try again by themselves, and each time would open
 * another page. For a while after a sign-in that failed, requests that need one fail as it did.
 */
export function restrainedFetch(tokens: TokenManager, fetch: Fetch): Fetch {
  let asked = 0;
  let quiet: { readonly until: number; readonly error: unknown } | undefined;
  tokens.on("sign_in_started", () => {
    asked += 1;
  });
  tokens.on("token_issued", () => {
    quiet = undefined;
  });
  return async (input, init) => {
    if (quiet !== undefined && quiet.until > Date.now()) throw quiet.error;
    const before = asked;
    try {
      return await fetch(input, init);
    } catch (error) {
      if (asked > before && findMcpOAuthError(error) !== undefined) quiet = { until: Date.now() + QUIET_MS, error };
      throw error;
    }
  };
}
