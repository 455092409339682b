import { McpOAuthError } from "../core/errors.ts";
import type { HttpAnswer } from "../core/http.ts";
import { parseJsonObject } from "../core/json.ts";
import { authenticateClient } from "./client-authentication.ts";
import { invalidResponse, refusalOf } from "./oauth-error.ts";
import { type EndpointContext, parseExpiresIn } from "./token-request.ts";
import { wireFetch } from "./wire.ts";

/** Servers answer 200 for 201, and leave out how long a request lasts. */
function tidyPushedAnswer(answer: HttpAnswer): HttpAnswer {
  const body = parseJsonObject(answer.text);
  if (body === undefined) return answer;
  const headers = new Headers(answer.headers);
  headers.set("content-type", "application/json");
  const text = JSON.stringify({ ...body, expires_in: parseExpiresIn(body.expires_in) ?? 60 });
  return { status: answer.status === 200 ? 201 : answer.status, headers, text };
}

/**
 * Pushes an authorization request to the server, so that only a reference to it passes through the browser (RFC 9126).
 *
 * @returns the `request_uri`.
 * @throws `authorization_failed` with `oauthError` and `status`, `invalid_response`, `network_failed`, `timeout`, `aborted`.
 */
export async function pushAuthorizationRequest(
  context: EndpointContext,
  parameters: Readonly<Record<string, string>>,
): Promise<string> {
  const oauth = await import("oauth4webapi");
  const { authorizationServer, client, http, clock, server, signal } = context;
  const what = `The pushed authorization request endpoint of ${client.issuer}`;
  const details = { server, issuer: client.issuer };
  const read = (answer: HttpAnswer): HttpAnswer => {
    const refusal = refusalOf(answer, {
      code: "authorization_failed",
      what,
      details,
      secrets: client.clientSecret === undefined ? [] : [client.clientSecret],
      nowMs: clock.now(),
      advice: "See oauthError and status.",
    });
    if (refusal !== undefined) throw refusal;
    return tidyPushedAnswer(answer);
  };
  try {
    const wireClient = { client_id: client.clientId };
    const response = await oauth.pushedAuthorizationRequest(
      authorizationServer,
      wireClient,
      await authenticateClient(client, authorizationServer),
      parameters,
      {
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: wireFetch({ http, what, details, read, ...(signal !== undefined && { signal }) }),
      },
    );
    const answer = await oauth.processPushedAuthorizationResponse(authorizationServer, wireClient, response);
    return answer.request_uri;
  } catch (error) {
    if (error instanceof McpOAuthError) throw error;
    throw invalidResponse(error, what, details);
  }
}
