import { McpOAuthError } from "../core/errors.ts";
import type { OAuthClient } from "./oauth-client.ts";
import { refusalOf } from "./oauth-error.ts";
import type { RegistrationContext } from "./registration-request.ts";

/** A client whose registration can be managed. */
export type ManagedClient = OAuthClient & Required<Pick<OAuthClient, "registrationUri" | "registrationAccessToken">>;

/** Whether the server gave us what is needed to remove the registration (RFC 7592 section 3). */
export function isManaged(client: OAuthClient): client is ManagedClient {
  return client.registrationUri !== undefined && client.registrationAccessToken !== undefined;
}

/**
 * Asks the authorization server to forget a client that was registered dynamically (RFC 7592 section 2.3).
 *
 * @throws `registration_failed` with `status`: 405 where the server has no such thing; `insecure_url`, `network_failed`,
 * `timeout`, `aborted`, `invalid_response` (a redirect, which is not followed with a token in hand).
 */
export async function requestClientRemoval(
  { http, clock, server, signal }: Omit<RegistrationContext, "authorizationServer">,
  { issuer, registrationUri, registrationAccessToken, clientSecret }: ManagedClient,
): Promise<void> {
  const what = `The client configuration endpoint of ${issuer}`;
  const details = { server, issuer };
  const answer = await http.send({
    method: "DELETE",
    url: registrationUri,
    headers: { authorization: `Bearer ${registrationAccessToken.reveal()}`, accept: "application/json" },
    what,
    details,
    ...(signal !== undefined && { signal }),
  });
  const refusal = refusalOf(answer, {
    code: "registration_failed",
    what,
    details,
    secrets: clientSecret === undefined ? [registrationAccessToken] : [registrationAccessToken, clientSecret],
    nowMs: clock.now(),
    advice: "The client stays registered there.",
  });
  if (refusal !== undefined) throw refusal;
  if (answer.status >= 200 && answer.status < 300) return;
  const message = `${what} answered with status ${answer.status}, so nobody knows whether the client is still registered.`;
  throw new McpOAuthError("invalid_response", message, { ...details, status: answer.status });
}
