import type { ResourceChallenge } from "../challenge/read.ts";
import { coversScope, unionOfScopes } from "../core/scope.ts";
import type { Discovery } from "../discovery/discover.ts";
import { type Credential, isStaticCredential } from "../tokens/credential.ts";

/** What is known when a server has refused a request. */
export interface Knowledge {
  readonly challenge: ResourceChallenge;
  /** What the refused request carried, if anything. */
  readonly used: Credential | undefined;
  /** The credential now: another caller may have got a new one meanwhile. */
  readonly current: Credential | undefined;
  /** Whether `used` was got by a refresh or a sign-in and has never been accepted by the server. */
  readonly usedIsUnproven: boolean;
  /** The union of what was asked for in all sign-ins at the issuer of `used`. */
  readonly requestedBefore: string | undefined;
}

/**
 * What to do about a refusal.
 *
 * - `use-current`: somebody else got a new credential meanwhile.
 * - `renew`: discover again, then refresh or sign in.
 * - `step-up`: sign in again with more scopes; `scope` is what the challenge adds, if it says.
 * - `reject`: a fresh token was refused, going on would be a loop.
 * - `insufficient`: the scopes have been asked for before and were not granted.
 * - `surface`: not a matter of authorization; the caller gets the answer as it is.
 */
export type RefusalStep = "use-current" | "renew" | "step-up" | "reject" | "insufficient" | "surface";

function sameToken(left: Credential | undefined, right: Credential | undefined): boolean {
  return left?.accessToken.reveal() === right?.accessToken.reveal();
}

/** The decision, from what is known alone (RFC 6750 section 3.1; MCP 2026-07-28, "scope challenge handling"). */
export function planAfterRefusal(knowledge: Knowledge): RefusalStep {
  const { challenge, used, current, usedIsUnproven, requestedBefore } = knowledge;
  const isStepUp = challenge.status === 403 && challenge.error === "insufficient_scope";
  // A missing nonce is a matter of the proof, not of the token (RFC 9449 section 9).
  const wantsNonce = challenge.error === "use_dpop_nonce";
  if ((challenge.status !== 401 && !isStepUp) || wantsNonce) return "surface";
  if (current !== undefined && !sameToken(used, current)) return "use-current";
  // Nobody can renew what the host has handed over.
  if (used !== undefined && isStaticCredential(used)) return isStepUp ? "surface" : "reject";
  if (!isStepUp) return used !== undefined && usedIsUnproven ? "reject" : "renew";
  if (used === undefined) return "renew";
  // Without a list of scopes nothing more can be asked for than what the resource supports; once that was done, it is over.
  const asked = unionOfScopes(requestedBefore, used.requestedScope);
  if (challenge.scope !== undefined && coversScope(asked, challenge.scope)) return "insufficient";
  return "step-up";
}

/** Whether a refused credential can be refreshed, or only a new sign-in helps. */
export function planRenewal(used: Credential | undefined, discovery: Discovery): "refresh" | "sign-in" {
  if (used?.refreshToken === undefined) return "sign-in";
  // A refresh cannot bind a token to a key.
  if (discovery.protectedResource?.dpopBoundAccessTokensRequired === true && used.tokenType !== "DPoP")
    return "sign-in";
  // Tokens of an authorization server that the resource no longer names are not its tokens any more.
  return used.issuer === discovery.issuer && used.resource === discovery.resource ? "refresh" : "sign-in";
}
