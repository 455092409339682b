// The token check in front of a protected MCP server: RFC 6750 challenges with the RFC 9728 parameter, and
// RFC 9449 where asked for.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { VerifiedAccessToken, VerifyAccessToken } from "./access-token.ts";
import { createDpopProofChecker, dpopAlgorithms } from "./dpop-proof.ts";
import { sendJson } from "./http.ts";

export type RefusalReason =
  | "missing_token"
  | "invalid_token"
  | "insufficient_scope"
  | "invalid_dpop_proof"
  | "use_dpop_nonce";

export interface ChallengeContext {
  reason: RefusalReason;
  request: IncomingMessage;
  resource: string;
  /** Where this server's RFC 9728 metadata stands; absent when it publishes none. */
  metadataUrl: string | undefined;
  /** The scope that would be enough. */
  scope: string | undefined;
}

/** The WWW-Authenticate value, several of them, or none. */
export type Challenge = (context: ChallengeContext) => string | string[] | undefined;

export interface BearerGuardOptions {
  resource: string;
  verifyAccessToken: VerifyAccessToken;
  metadataUrl: string | undefined;
  /** Needed for every request. */
  requiredScopes: readonly string[];
  /** Named in the 401 challenge. Default: the required ones. */
  challengeScope: string | undefined;
  challenge: Challenge;
  /** Whether sender-constrained tokens are accepted, or nothing else. Default: bearer tokens only. */
  dpop?: "accepted" | "required" | undefined;
  /** Asks for a server nonce in every proof. */
  dpopNonce?: boolean | undefined;
}

export interface AcceptedToken extends VerifiedAccessToken {
  token: string;
}

export interface BearerGuard {
  /** Resolves to `undefined` when it has already answered the request. */
  check(request: IncomingMessage, response: ServerResponse): Promise<AcceptedToken | undefined>;
  /** Answers 403 and asks for a step-up. */
  refuseScope(request: IncomingMessage, response: ServerResponse, scope: string): void;
  /** Rejects every token issued or seen so far. */
  invalidateAll(): void;
  /** Rejects the tokens of the next `count` requests. */
  rejectNext(count: number): void;
  /** Makes clients fetch a new nonce. */
  rotateDpopNonce(): void;
}

export const resourceMetadataChallenge: Challenge = ({ reason, metadataUrl, scope }) =>
  challenge([
    // RFC 6750 section 3.1: no error code for a request that had no credentials at all.
    ["error", reason === "missing_token" ? undefined : reason],
    ["scope", scope],
    ["resource_metadata", metadataUrl],
  ]);

/** What a server says that knows RFC 6750 but not RFC 9728. */
export const bareChallenge: Challenge = ({ reason }) =>
  challenge([["error", reason === "missing_token" ? undefined : reason]]);

export function createBearerGuard(options: BearerGuardOptions): BearerGuard {
  const seen = new Set<string>();
  const dead = new Set<string>();
  let invalidatedAtMs = 0;
  let rejections = 0;

  const dpop = createDpopProofChecker({ nonce: options.dpopNonce === true });

  const refuse = (
    reason: RefusalReason,
    request: IncomingMessage,
    response: ServerResponse,
    scope: string | undefined,
  ): void => {
    const header = options.challenge({
      reason,
      request,
      resource: options.resource,
      metadataUrl: options.metadataUrl,
      scope,
    });
    const challenges = withDpop([header ?? []].flat(), options.dpop, reason);
    sendJson(
      response,
      reason === "insufficient_scope" ? 403 : 401,
      { error: reason === "missing_token" ? "invalid_token" : reason },
      {
        ...(challenges.length > 0 ? { "www-authenticate": challenges } : {}),
        ...(options.dpop && dpop.nonce !== undefined ? { "dpop-nonce": dpop.nonce } : {}),
      },
    );
  };

  // A bound token sent as a bearer token is refused (RFC 9449 section 7.2), and so is the opposite.
  const proofOf = async (
    request: IncomingMessage,
    { scheme, token }: PresentedToken,
    verified: VerifiedAccessToken,
  ): Promise<RefusalReason | "valid"> => {
    if (scheme === "bearer")
      return verified.jkt === undefined && options.dpop !== "required" ? "valid" : "invalid_token";
    if (verified.jkt === undefined || options.dpop === undefined) return "invalid_token";
    return dpop.check(request, token, verified.jkt);
  };

  const verify = async (token: string): Promise<VerifiedAccessToken | undefined> => {
    if (rejections > 0) {
      rejections -= 1;
      return undefined;
    }
    if (dead.has(token)) return undefined;
    const verified = await options.verifyAccessToken(token, options.resource);
    if (!verified || (verified.issuedAtMs ?? Number.POSITIVE_INFINITY) <= invalidatedAtMs) return undefined;
    seen.add(token);
    return verified;
  };

  return {
    check: async (request, response) => {
      const presented = presentedToken(request);
      const asked = options.challengeScope ?? (options.requiredScopes.join(" ") || undefined);
      if (presented === undefined) return void refuse("missing_token", request, response, asked);
      const verified = await verify(presented.token);
      if (!verified) return void refuse("invalid_token", request, response, asked);
      const proof = await proofOf(request, presented, verified);
      if (proof !== "valid") return void refuse(proof, request, response, asked);
      const missing = options.requiredScopes.some((scope) => !verified.scopes.includes(scope));
      if (missing) return void refuse("insufficient_scope", request, response, options.requiredScopes.join(" "));
      return { ...verified, token: presented.token };
    },
    refuseScope: (request, response, scope) => refuse("insufficient_scope", request, response, scope),
    invalidateAll: () => {
      invalidatedAtMs = Date.now();
      for (const token of seen) dead.add(token);
      seen.clear();
    },
    rejectNext: (count) => {
      rejections += count;
    },
    rotateDpopNonce: () => dpop.rotateNonce(),
  };
}

interface PresentedToken {
  scheme: "bearer" | "dpop";
  token: string;
}

// Only the header counts: RFC 6750's query parameter is forbidden in MCP.
function presentedToken(request: IncomingMessage): PresentedToken | undefined {
  const [, scheme, token] = /^(bearer|dpop) +(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
  if (scheme === undefined || token === undefined) return undefined;
  return { scheme: scheme.toLowerCase() === "dpop" ? "dpop" : "bearer", token };
}

// RFC 9449 section 7.1: a challenge of its own beside the bearer one, or in its place.
function withDpop(challenges: string[], dpop: BearerGuardOptions["dpop"], reason: RefusalReason): string[] {
  if (dpop === undefined) return challenges;
  const own = challenges.map((value) =>
    `${value.replace(/^Bearer ?/, "DPoP ")}, algs="${dpopAlgorithms.join(" ")}"`.replace("DPoP , ", "DPoP "),
  );
  return dpop === "required" || reason === "use_dpop_nonce" || reason === "invalid_dpop_proof"
    ? own
    : [...challenges, ...own];
}

function challenge(parameters: [name: string, value: string | undefined][]): string {
  const present = parameters.filter(([, value]) => value !== undefined);
  return `Bearer${present.length > 0 ? " " : ""}${present.map(([name, value]) => `${name}="${value}"`).join(", ")}`;
}
