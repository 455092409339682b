import { type Challenge, parseChallenges } from "./parse.ts";

/** What a protected resource's 401 or 403 asks for, gathered from its WWW-Authenticate fields. */
export interface ResourceChallenge {
  readonly status: number;
  /** Where the protected resource metadata is (RFC 9728 section 5.1). Chosen by the server: check before use. */
  readonly resourceMetadata?: string;
  /** The scopes that this request needs, separated by spaces (RFC 6750 section 3). */
  readonly scope?: string;
  /** The error code (RFC 6750 section 3.1). */
  readonly error?: string;
  /** The schemes that were offered, in lower case, in their order. */
  readonly schemes: readonly string[];
  /** The algorithms that a `DPoP` challenge lists (RFC 9449 section 7.1). */
  readonly dpopAlgorithms?: readonly string[];
}

/** Token schemes first: a `Negotiate` or `Basic` challenge says nothing about OAuth, though it may carry metadata. */
const SCHEME_ORDER = ["dpop", "bearer"];

function rank(challenge: Challenge): number {
  const index = SCHEME_ORDER.indexOf(challenge.scheme);
  return index === -1 ? SCHEME_ORDER.length : index;
}

/** The first value of a parameter that is not empty, over the challenges in their order of rank. */
function firstValue(challenges: readonly Challenge[], name: string): string | undefined {
  for (const challenge of challenges) {
    const value = challenge.parameters.get(name);
    if (value !== undefined && value !== "") return value;
  }
  return undefined;
}

/**
 * Reads the challenge of a 401 or 403 answer. A missing, empty or unreadable WWW-Authenticate gives a challenge without
 * parameters: the metadata is then looked for at its well-known places.
 *
 * `resource_metadata` is taken from any scheme (RFC 9728 section 5.1), `scope` and `error` only from `Bearer` and `DPoP`.
 */
export function readChallenge(status: number, headers: Headers): ResourceChallenge {
  const all = parseChallenges(headers.get("www-authenticate") ?? "");
  const usable = all.filter((challenge) => challenge.usable).sort((left, right) => rank(left) - rank(right));
  const tokenChallenges = usable.filter((challenge) => rank(challenge) < SCHEME_ORDER.length);
  const resourceMetadata = firstValue(usable, "resource_metadata");
  const scope = firstValue(tokenChallenges, "scope");
  const error = firstValue(tokenChallenges, "error");
  const algorithms = usable.find((challenge) => challenge.scheme === "dpop")?.parameters.get("algs");
  return {
    status,
    schemes: all.map((challenge) => challenge.scheme),
    ...(resourceMetadata !== undefined && { resourceMetadata }),
    ...(scope !== undefined && { scope }),
    ...(error !== undefined && { error }),
    ...(algorithms !== undefined && { dpopAlgorithms: algorithms.split(" ").filter((name) => name !== "") }),
  };
}
