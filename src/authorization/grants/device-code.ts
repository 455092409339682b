import { delay } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { nobodyFinished } from "../../core/unanswered.ts";
import type { DeviceAuthorization } from "../../endpoint/device-authorization-request.ts";
import { type EndpointContext, requestToken, type TokenResponse } from "../../endpoint/token-request.ts";

const GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code";
/** What slow_down adds to the interval, for this and all later polls (RFC 8628 section 3.5). */
const SLOW_DOWN_MS = 5000;
/** Up to here a server in trouble makes the interval longer by itself. */
const LONGEST_BACKOFF_MS = 60_000;

/** The next interval after a poll that gave no tokens; throws what ends the polling. */
function intervalAfter(error: unknown, intervalMs: number): number {
  if (!(error instanceof McpOAuthError)) throw error;
  const atLeast = Math.max(intervalMs, error.retryAfterMs ?? 0);
  if (error.oauthError === "authorization_pending") return atLeast;
  if (error.oauthError === "slow_down") return Math.max(intervalMs + SLOW_DOWN_MS, error.retryAfterMs ?? 0);
  // A server in trouble is asked less and less often, as the section recommends for timeouts.
  const passing =
    error.code === "timeout" || error.code === "network_failed" || (error.status ?? 0) >= 500 || error.status === 429;
  if (passing) return Math.max(atLeast, Math.min(intervalMs * 2, LONGEST_BACKOFF_MS));
  throw error;
}

function expired(server: string, issuer: string): McpOAuthError {
  const message = `The code for the sign-in to ${server} ended before anybody used it. Start the sign-in again for a new code.`;
  return nobodyFinished(message, { server, issuer });
}

/**
 * Polls for the tokens of a device sign-in (RFC 8628 section 3.4 and 3.5): never more often than the interval, slower when
 * told so, until the user has decided or the code ends.
 *
 * @throws `authorization_denied`, `timeout` when the code ends, `aborted`, and what {@link requestToken} throws.
 */
export async function pollForDeviceTokens(
  context: EndpointContext & { readonly signal: AbortSignal },
  device: DeviceAuthorization,
  resource: string | undefined,
): Promise<TokenResponse> {
  const { clock, signal, server, client } = context;
  const endsAt = clock.now() + device.expiresInSeconds * 1000;
  let intervalMs = device.intervalSeconds * 1000;
  for (;;) {
    if (clock.now() + intervalMs > endsAt) {
      await delay(clock, Math.max(endsAt - clock.now(), 0), signal);
      throw expired(server, client.issuer);
    }
    await delay(clock, intervalMs, signal);
    try {
      const grant = {
        type: GRANT_TYPE,
        parameters: { device_code: device.deviceCode.reveal(), ...(resource !== undefined && { resource }) },
        secrets: [device.deviceCode],
      };
      return await requestToken(context, grant);
    } catch (error) {
      if (error instanceof McpOAuthError && error.oauthError === "expired_token") throw expired(server, client.issuer);
      if (error instanceof McpOAuthError && error.oauthError === "access_denied")
        throw denied(error, server, client.issuer);
      intervalMs = intervalAfter(error, intervalMs);
    }
  }
}

function denied(cause: McpOAuthError, server: string, issuer: string): McpOAuthError {
  const message = `The sign-in to ${server} was denied at ${issuer}. Start it again to give consent.`;
  return new McpOAuthError("authorization_denied", message, { cause, server, issuer, oauthError: "access_denied" });
}
