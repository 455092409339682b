// Checks DPoP proofs apart from the servers and from the library: with jose, out of the request logs (RFC 9449 section 4.3).
import { createHash } from "node:crypto";
import { calculateJwkThumbprint, decodeProtectedHeader, EmbeddedJWK, type JWTPayload, jwtVerify } from "jose";
import { expect } from "vitest";
import type { LoggedRequest } from "../../../servers/request-log.ts";

export interface VerifiedProof {
  readonly thumbprint: string;
  readonly nonce: unknown;
  readonly jti: string;
  readonly algorithm: string;
}

/** Verifies the proof of one request that was sent to `origin`. With an access token, the proof must be for it. */
export async function verifyProof(
  origin: string,
  { method, path, headers }: LoggedRequest,
  accessToken?: string,
): Promise<VerifiedProof> {
  const proof = String(headers.dpop);
  const { jwk, alg = "" } = decodeProtectedHeader(proof);
  expect(Object.keys(jwk ?? {})).not.toContain("d");
  const { payload } = await jwtVerify<JWTPayload & { nonce?: string }>(proof, EmbeddedJWK, {
    typ: "dpop+jwt",
    maxTokenAge: 60,
  });
  const ath = accessToken && createHash("sha256").update(accessToken).digest("base64url");
  const { jti, iat, nonce, ...claims } = payload;
  // And no claims beside these.
  expect(claims).toEqual({ htm: method, htu: `${origin}${path}`, ...(ath !== undefined && { ath }) });
  expect(typeof iat).toBe("number");
  return { thumbprint: await calculateJwkThumbprint(jwk ?? {}), nonce, jti: String(jti), algorithm: alg };
}

/** Verifies the proofs of all requests that carry a token, each for its token. */
export async function verifyProofs(origin: string, requests: readonly LoggedRequest[]): Promise<VerifiedProof[]> {
  return Promise.all(
    requests.map((request) => {
      const [, token] = /^DPoP (\S+)$/.exec(request.headers.authorization ?? "") ?? [];
      return verifyProof(origin, request, token);
    }),
  );
}
