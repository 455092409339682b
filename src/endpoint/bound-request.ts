import type { Fetch } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import { type DpopKey, dpopKeyOf } from "./dpop-key.ts";

/** A token and the key that it is bound to, as both are stored. */
export interface BoundToken {
  readonly accessToken: Secret;
  readonly dpopKey: Secret;
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

async function attempt(fetch: Fetch, url: URL, init: RequestInit, accessToken: Secret, key: DpopKey): Promise<Attempt> {
  const oauth = await import("oauth4webapi");
  let response: Response | undefined;
  let challenge: unknown;
  try {
    await oauth.protectedResourceRequest(
      accessToken.reveal(),
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

/**
 * Sends a request with a token that is bound to a key, and a fresh proof of that key (RFC 9449 section 7.1).
 *
 * A resource that wants a nonce has not refused: the request goes once more, with it (RFC 9449 section 9).
 */
export async function sendWithProof(
  fetch: Fetch,
  url: URL,
  init: RequestInit,
  { accessToken, dpopKey }: BoundToken,
): Promise<Response> {
  const key = await dpopKeyOf(dpopKey);
  const first = await attempt(fetch, url, init, accessToken, key);
  if (!first.wantsNonce || isStream(init.body)) return first.response;
  await first.response.body?.cancel();
  return (await attempt(fetch, url, init, accessToken, key)).response;
}
