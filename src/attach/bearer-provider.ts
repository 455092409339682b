import { readChallenge } from "../challenge/read.ts";
import { handOver } from "../core/errors.ts";
import type { ServerSession } from "../flow/run.ts";
import { SdkSession } from "./sdk-session.ts";

/** The small auth provider of the MCP SDK's second version (`AuthProvider` of `@modelcontextprotocol/client`). */
export interface SdkBearerProvider {
  /** A valid access token; `undefined` where there is no session yet. */
  token(): Promise<string | undefined>;
  /** Refreshes or signs in, so that the SDK's next request finds a valid token. */
  onUnauthorized(context: { response: Response }): Promise<void>;
}

/**
 * Makes an SDK bearer provider: `token` gives a valid token, `onUnauthorized` signs in or refreshes.
 *
 * The SDK hands 403 answers to nobody, so scopes cannot be stepped up this way; use `fetch` for servers that need it.
 *
 * @param now milliseconds since the epoch.
 */
export function bearerProvider(session: ServerSession, now: () => number): SdkBearerProvider {
  const sdkSession = new SdkSession(session, now);
  const rethrow = (error: unknown): never => {
    throw handOver(error);
  };
  return {
    token: async () => (await sdkSession.credential().catch(rethrow))?.accessToken.reveal(),
    onUnauthorized: async ({ response }) => {
      const challenge = readChallenge(response.status, response.headers);
      await sdkSession.answerRefusal({ challenge, tellsScope: true }).catch(rethrow);
    },
  };
}
