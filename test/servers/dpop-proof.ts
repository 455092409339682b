// Checks a DPoP proof at a resource server (RFC 9449 sections 4.3 and 7).
import { createHash, randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from "jose";

export const dpopAlgorithms: readonly string[] = ["ES256", "EdDSA", "Ed25519"];

const MAX_AGE_SECONDS = 60;
const REPLAY_LIMIT = 10_000;

export type DpopVerdict = "valid" | "invalid_dpop_proof" | "use_dpop_nonce";

export interface DpopProofChecker {
  check(request: IncomingMessage, token: string, jkt: string): Promise<DpopVerdict>;
  /** To be sent as DPoP-Nonce; absent when none is asked for. */
  readonly nonce: string | undefined;
  /** From now on only a proof with the new nonce will do. */
  rotateNonce(): void;
}

export function createDpopProofChecker(options: { nonce: boolean }): DpopProofChecker {
  let nonce = options.nonce ? randomUUID() : undefined;
  const used = new Set<string>();
  return {
    get nonce(): string | undefined {
      return nonce;
    },
    rotateNonce: () => {
      nonce = randomUUID();
    },
    check: async (request, token, jkt) => {
      const proof = request.headers.dpop;
      if (typeof proof !== "string") return "invalid_dpop_proof";
      try {
        const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, {
          typ: "dpop+jwt",
          algorithms: [...dpopAlgorithms],
          maxTokenAge: MAX_AGE_SECONDS,
        });
        const fits =
          payload.htm === request.method &&
          payload.htu === addressOf(request) &&
          payload.ath === createHash("sha256").update(token).digest("base64url") &&
          protectedHeader.jwk !== undefined &&
          (await calculateJwkThumbprint(protectedHeader.jwk)) === jkt;
        if (!fits || payload.jti === undefined || used.has(payload.jti)) return "invalid_dpop_proof";
        if (nonce !== undefined && payload.nonce !== nonce) return "use_dpop_nonce";
        if (used.size >= REPLAY_LIMIT) used.clear();
        used.add(payload.jti);
        return "valid";
      } catch {
        return "invalid_dpop_proof";
      }
    },
  };
}

// Section 4.3: without query and fragment.
function addressOf(request: IncomingMessage): string {
  const url = new URL(request.url ?? "/", `http://${request.headers.host ?? "fixture.invalid"}`);
  return url.origin + url.pathname;
}
