import type { Clock } from "../core/clock.ts";
import type { Http, HttpAnswer } from "../core/http.ts";
import { type JsonObject, parseJsonObject } from "../core/json.ts";
import type { AuthorizationServerMetadata } from "./authorization-server.ts";
import { invalidResponse, refusalOf } from "./oauth-error.ts";
import { wireFetch } from "./wire.ts";

/** Client metadata with the member names of the wire (RFC 7591 section 2). */
export type ClientMetadata = Readonly<Record<string, string | readonly string[] | boolean | number | object>>;

export interface RegistrationContext {
  readonly http: Http;
  readonly clock: Clock;
  readonly server: string;
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly signal?: AbortSignal;
}

/** Servers answer 200 for 201, texts for numbers, and leave out when a secret ends (which means never). */
function tidyRegistrationAnswer(answer: HttpAnswer): HttpAnswer {
  const body = parseJsonObject(answer.text);
  if (body === undefined) return answer;
  const kept = Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null && value !== ""));
  const expiresAt = Number(kept.client_secret_expires_at ?? 0);
  const tidied = { ...kept, client_secret_expires_at: Number.isFinite(expiresAt) && expiresAt > 0 ? expiresAt : 0 };
  const headers = new Headers(answer.headers);
  headers.set("content-type", "application/json");
  return { status: answer.status === 200 ? 201 : answer.status, headers, text: JSON.stringify(tidied) };
}

/**
 * Registers a client dynamically (RFC 7591 section 3.1).
 *
 * @returns the registered metadata as the server sent it; the server may have changed what was asked for.
 * @throws `registration_failed` with `oauthError` and `status`; `invalid_response`, `network_failed`, `timeout`, `aborted`.
 */
export async function requestRegistration(context: RegistrationContext, metadata: ClientMetadata): Promise<JsonObject> {
  const oauth = await import("oauth4webapi");
  const { authorizationServer, http, clock, server, signal } = context;
  const { issuer } = authorizationServer;
  const what = `The registration endpoint of ${issuer}`;
  const details = { server, issuer };
  const read = (answer: HttpAnswer): HttpAnswer => {
    const refusal = refusalOf(answer, {
      code: "registration_failed",
      what,
      details,
      secrets: [],
      nowMs: clock.now(),
      advice: "Register a client with its operator and pass it in the option clients.",
    });
    if (refusal !== undefined) throw refusal;
    return tidyRegistrationAnswer(answer);
  };
  try {
    const response = await oauth.dynamicClientRegistrationRequest(authorizationServer, metadata as object, {
      [oauth.allowInsecureRequests]: true,
      [oauth.customFetch]: wireFetch({ http, what, details, read, ...(signal !== undefined && { signal }) }),
    });
    return (await oauth.processDynamicClientRegistrationResponse(response)) as JsonObject;
  } catch (error) {
    throw invalidResponse(error, what, details);
  }
}
