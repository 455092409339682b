import type { Fetch } from "../core/http.ts";
import type { Secret } from "../core/secret.ts";
import type { BoundToken } from "./bound-request.ts";

/** What makes a request an authorized one. */
export interface AccessGrant {
  readonly accessToken: Secret;
  readonly tokenType: "Bearer" | "DPoP";
  /** For a static key that is no bearer token: the header that carries it. */
  readonly header?: string;
  /** For DPoP-bound tokens: the key, as it is stored. */
  readonly dpopKey?: Secret;
}

/**
 * Sends a request with its access token: `Authorization: Bearer` (RFC 6750 section 2.1), or for a bound token
 * `Authorization: DPoP` with a fresh proof (RFC 9449 section 7.1). Nonces are taken in from every response,
 * and a request that lacked one is sent again.
 */
export function sendAuthorized(fetch: Fetch, url: URL, init: RequestInit, grant: AccessGrant): Promise<Response> {
  const { accessToken, tokenType, dpopKey, header } = grant;
  if (tokenType === "DPoP" && dpopKey !== undefined) return sendBound(fetch, url, init, { accessToken, dpopKey });
  const headers = new Headers(init.headers);
  if (header === undefined) headers.set("authorization", `Bearer ${accessToken.reveal()}`);
  else headers.set(header, accessToken.reveal());
  return fetch(url.href, { ...init, headers });
}

/** Loads what makes proofs only where there is a bound token. */
async function sendBound(fetch: Fetch, url: URL, init: RequestInit, token: BoundToken): Promise<Response> {
  const { sendWithProof } = await import("./bound-request.ts");
  return sendWithProof(fetch, url, init, token);
}
