import type { Fetch } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import { type DpopKey, dpopKeyOf } from "./dpop-key.ts";

/** What makes a request an authorized one. */
export interface AccessGrant {
  readonly accessToken: Secret;
  readonly tokenType: "Bearer" | "DPoP";
  /** For a static key that is no bearer token: the header that carries it. */
  readonly header?: string;
  /** For DPoP-bound tokens: the key, as it is stored. */
  readonly dpopKey?: Secret;
}

/** One attempt: the response, and whether it asks for a nonce in the proof. */
interface Attempt {
  readonly response: Response;
  readonly wantsNonce: boolean;
}

/** Bodies that can be read only once cannot be sent again. */
function isStream(body: unknown): boolean {
  return typeof body === "object" && body !== null && ("getReader" in body || Symbol.asyncIterator in body);
}

async function attempt(fetch: Fetch, url: URL, init: RequestInit, grant: AccessGrant, key: DpopKey): Promise<Attempt> {
  const oauth = await import("oauth4webapi");
  let response: Response | undefined;
  let challenge: unknown;
  try {
    await oauth.protectedResourceRequest(
      grant.accessToken.reveal(),
      init.method ?? "GET",
      url,
      new Headers(init.headers),
      null,
      {
        DPoP: key.atResource,
        // Checked before, with loopback as the only exception.
        [oauth.allowInsecureRequests]: true,
        // The body goes past oauth4webapi, which would not take every kind.
        [oauth.customFetch]: async (target, { headers }) => {
          response = await fetch(target, { ...init, headers });
          return response;
        },
      },
    );
  } catch (error) {
    // Challenges are our caller's matter; what has no response is a failure of the network.
    if (response === undefined) throw error;
    challenge = error;
  }
  if (response === undefined) throw new TypeError("fetch gave no response");
  return { response, wantsNonce: response.status === 401 && oauth.isDPoPNonceError(challenge) };
}

/** A resource that wants a nonce has not refused: the request goes once more, with it (RFC 9449 section 9). */
async function sendWithProof(
  fetch: Fetch,
  url: URL,
  init: RequestInit,
  grant: AccessGrant,
  key: DpopKey,
): Promise<Response> {
  const first = await attempt(fetch, url, init, grant, key);
  if (!first.wantsNonce || isStream(init.body)) return first.response;
  await first.response.body?.cancel();
  return (await attempt(fetch, url, init, grant, key)).response;
}

/**
 * Sends a request with its access token: `Authorization: Bearer` (RFC 6750 section 2.1), or for a bound token
 * `Authorization: DPoP` with a fresh proof (RFC 9449 section 7.1). Nonces are taken in from every response,
 * and a request that lacked one is sent again.
 */
export async function sendAuthorized(fetch: Fetch, url: URL, init: RequestInit, grant: AccessGrant): Promise<Response> {
  if (grant.tokenType === "DPoP" && grant.dpopKey !== undefined) {
    return sendWithProof(fetch, url, init, grant, await dpopKeyOf(grant.dpopKey));
  }
  const headers = new Headers(init.headers);
  if (grant.header === undefined) headers.set("authorization", `Bearer ${grant.accessToken.reveal()}`);
  else headers.set(grant.header, grant.accessToken.reveal());
  return fetch(url.href, { ...init, headers });
}
