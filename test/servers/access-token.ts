/** What a resource server learns about a token from its authorization server. */
export interface VerifiedAccessToken {
  clientId: string;
  scopes: string[];
  /** Seconds since the epoch. */
  expiresAt: number;
  /** Milliseconds since the epoch; finer than the `iat` claim, so that "issued before now" can be decided. */
  issuedAtMs?: number | undefined;
  /** Absent for client credentials. */
  subject?: string | undefined;
  /** RFC 7638 thumbprint of the DPoP key the token is bound to (RFC 9449 section 6.1). */
  jkt?: string | undefined;
}

/** Resolves to `undefined` for a token that must not be accepted at `resource`. */
export type VerifyAccessToken = (token: string, resource: string) => Promise<VerifiedAccessToken | undefined>;
