import type { ResourceChallenge } from "../challenge/read.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { Discovery } from "../discovery/discover.ts";
import { chooseDpopAlgorithm } from "../endpoint/dpop-key.ts";

/**
 * Whether tokens are bound to a key (RFC 9449). `auto`: where the resource requires it, or both sides advertise it.
 * `require`: always, and a token that is not bound is refused. `off`: never.
 */
export type DpopMode = "auto" | "require" | "off";

export interface DpopChoice {
  /** The algorithm of the key to make. */
  readonly algorithm: string;
  /** Whether a token that is not bound must be refused. */
  readonly required: boolean;
}

function unsupported(problem: string, { server, issuer }: Discovery): McpOAuthError {
  return new McpOAuthError("dpop_unsupported", `${problem} (RFC 9449). Change the option dpop, or ask the operators.`, {
    server,
    issuer,
  });
}

/**
 * Decides about DPoP for a sign-in.
 *
 * @returns `undefined` for plain bearer tokens.
 * @throws `dpop_unsupported` when it is required and cannot be done, or turned off and required.
 */
export function chooseDpop(
  mode: DpopMode,
  discovery: Discovery,
  challenge: ResourceChallenge | undefined,
): DpopChoice | undefined {
  const { protectedResource, authorizationServer, server, issuer } = discovery;
  const byResource = protectedResource?.dpopBoundAccessTokensRequired === true;
  if (mode === "off") {
    if (byResource)
      throw unsupported(`${server} takes only DPoP-bound tokens, and the option dpop is "off"`, discovery);
    return undefined;
  }
  const atServer = authorizationServer.dpop_signing_alg_values_supported;
  const atResource = protectedResource?.dpopSigningAlgorithms ?? challenge?.dpopAlgorithms;
  const advertised =
    atServer !== undefined && (atResource !== undefined || challenge?.schemes.includes("dpop") === true);
  const required = mode === "require" || byResource;
  if (!required && !advertised) return undefined;
  const algorithm = chooseDpopAlgorithm(atServer, atResource);
  if (algorithm !== undefined) return { algorithm, required };
  if (!required) return undefined;
  throw unsupported(`${server} and ${issuer} take no DPoP algorithm in common that this library knows`, discovery);
}

/** Refuses a token that was to be bound and is not (RFC 9449 section 5). @throws `dpop_unsupported`. */
export function requireBound(discovery: Discovery): never {
  throw unsupported(
    `${discovery.issuer} ignored the DPoP proof and issued a token that is not bound, so it was not used`,
    discovery,
  );
}
