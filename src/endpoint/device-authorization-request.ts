import { McpOAuthError } from "../core/errors.ts";
import type { HttpAnswer } from "../core/http.ts";
import { parseJsonObject } from "../core/json.ts";
import { assertOpenableUrl } from "../core/openable-url.ts";
import { Secret } from "../core/secret.ts";
import { inertText } from "../core/text.ts";
import { authenticateClient } from "./client-authentication.ts";
import { invalidResponse, refusalOf } from "./oauth-error.ts";
import { type EndpointContext, parseExpiresIn } from "./token-request.ts";
import { wireFetch } from "./wire.ts";

/** A validated device authorization response (RFC 8628 section 3.2). */
export interface DeviceAuthorization {
  readonly deviceCode: Secret;
  readonly userCode: string;
  readonly verificationUri: string;
  readonly verificationUriComplete?: string;
  readonly expiresInSeconds: number;
  readonly intervalSeconds: number;
}

const DEFAULT_INTERVAL_SECONDS = 5;
/** Whatever a server says: what is shorter keeps this machine busy. */
const SHORTEST_INTERVAL_SECONDS = 1;
/** For servers that leave out how long a code lasts, though they must not. */
const DEFAULT_LIFETIME_SECONDS = 600;

/** Numbers come as texts, and the URI under the name that a draft had. */
function tidyDeviceAnswer(answer: HttpAnswer): HttpAnswer {
  const body = parseJsonObject(answer.text);
  if (body === undefined) return answer;
  const { interval, expires_in: expiresIn, verification_url: draftUri, ...rest } = body;
  const intervalSeconds = parseExpiresIn(interval);
  const tidied = {
    ...(draftUri !== undefined && { verification_uri: draftUri }),
    ...rest,
    expires_in: parseExpiresIn(expiresIn) ?? DEFAULT_LIFETIME_SECONDS,
    ...(intervalSeconds !== undefined && { interval: intervalSeconds }),
  };
  const headers = new Headers(answer.headers);
  headers.set("content-type", "application/json");
  return { status: answer.status, headers, text: JSON.stringify(tidied) };
}

/**
 * Asks for a device code (RFC 8628 section 3.1).
 *
 * @throws `token_request_failed` with `oauthError` and `status`, `invalid_response`, `insecure_url` for a verification URI
 * that must not be opened, `network_failed`, `timeout`, `aborted`.
 */
export async function requestDeviceAuthorization(
  context: EndpointContext,
  parameters: Readonly<Record<string, string>>,
): Promise<DeviceAuthorization> {
  const oauth = await import("oauth4webapi");
  const { authorizationServer, client, http, clock, server, signal } = context;
  const what = `The device authorization endpoint of ${client.issuer}`;
  const details = { server, issuer: client.issuer };
  const read = (answer: HttpAnswer): HttpAnswer => {
    const refusal = refusalOf(answer, {
      code: "token_request_failed",
      what,
      details,
      secrets: client.clientSecret === undefined ? [] : [client.clientSecret],
      nowMs: clock.now(),
      advice: "Sign in with a browser instead.",
    });
    if (refusal !== undefined) throw refusal;
    return tidyDeviceAnswer(answer);
  };
  try {
    const wireClient = { client_id: client.clientId };
    const response = await oauth.deviceAuthorizationRequest(
      authorizationServer,
      wireClient,
      await authenticateClient(client, authorizationServer),
      parameters,
      {
        [oauth.allowInsecureRequests]: true,
        [oauth.customFetch]: wireFetch({ http, what, details, read, ...(signal !== undefined && { signal }) }),
      },
    );
    const answer = await oauth.processDeviceAuthorizationResponse(authorizationServer, wireClient, response);
    const complete = answer.verification_uri_complete;
    return {
      deviceCode: new Secret(answer.device_code),
      userCode: inertText(answer.user_code, 64),
      verificationUri: assertOpenableUrl(answer.verification_uri).href,
      ...(complete !== undefined && { verificationUriComplete: assertOpenableUrl(complete).href }),
      expiresInSeconds: answer.expires_in,
      intervalSeconds: Math.max(answer.interval ?? DEFAULT_INTERVAL_SECONDS, SHORTEST_INTERVAL_SECONDS),
    };
  } catch (error) {
    if (error instanceof McpOAuthError) throw error.withContext(details);
    throw invalidResponse(error, what, details);
  }
}
