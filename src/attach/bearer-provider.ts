import { readChallenge } from "../challenge/read.ts";
import type { ServerSession } from "../flow/run.ts";
import type { Credential } from "../tokens/credential.ts";

/** The small auth provider of the MCP SDK's second version (`AuthProvider` of `@modelcontextprotocol/client`). */
export interface SdkBearerProvider {
  token(): Promise<string | undefined>;
  onUnauthorized(context: { response: Response }): Promise<void>;
}

/**
 * Makes an SDK bearer provider: `token` gives a valid token, `onUnauthorized` signs in or refreshes.
 *
 * The SDK hands 403 answers to nobody, so scopes cannot be stepped up this way; use `fetch` for servers that need it.
 */
export function bearerProvider(session: ServerSession): SdkBearerProvider {
  let used: Credential | undefined;
  return {
    async token() {
      const credential = await session.credentialForRequest();
      // A second request is made only after the first was not refused.
      if (used !== undefined && used === credential) session.accepted(used);
      used = credential;
      return used?.accessToken.reveal();
    },
    async onUnauthorized({ response }) {
      await session.afterRefusal(readChallenge(response.status, response.headers), used);
    },
  };
}
