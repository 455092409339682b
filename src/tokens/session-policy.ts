import { activeCredential, type Credential, type SessionKey, type SessionRecord } from "./credential.ts";

/** How long a session may last, whatever its tokens say. */
export interface SessionPolicy {
  /** Seconds after a sign-in at which another one is required. Default: no limit. */
  maxAgeSeconds?: number;
  /** Seconds without use after which a sign-in is required. Default: no limit. */
  maxIdleSeconds?: number;
  /** `false`: no refresh token is kept, so the session ends with its access token. Default `true`. */
  refresh?: boolean;
}

/** One policy for all sessions, or a function that decides for each. */
export type SessionPolicyOption = SessionPolicy | ((session: SessionKey) => SessionPolicy);

/** The policy of a session. */
export function policyFor(option: SessionPolicyOption | undefined, key: SessionKey): SessionPolicy {
  return typeof option === "function" ? option(key) : (option ?? {});
}

/** Why a policy ends a session now, or `undefined` when it does not. */
export function endedByPolicy(
  policy: SessionPolicy,
  { signedInAt }: Pick<Credential, "signedInAt">,
  lastUsedAt: number,
  nowMs: number,
): string | undefined {
  const { maxAgeSeconds = Number.POSITIVE_INFINITY, maxIdleSeconds = Number.POSITIVE_INFINITY } = policy;
  if (nowMs - signedInAt >= maxAgeSeconds * 1000) {
    return `it is older than ${maxAgeSeconds} s, the longest that your policy allows`;
  }
  if (nowMs - lastUsedAt >= maxIdleSeconds * 1000) {
    return `it was not used for ${maxIdleSeconds} s, the longest that your policy allows`;
  }
  return undefined;
}

/** What of a new credential may be kept. */
export function keptByPolicy(policy: SessionPolicy, credential: Credential): Credential {
  if (policy.refresh !== false) return credential;
  const { refreshToken: _dropped, ...kept } = credential;
  return kept;
}

/** The credential in use, as far as the policy lets it be used. */
export function usableCredential(
  option: SessionPolicyOption | undefined,
  record: SessionRecord,
): Credential | undefined {
  const credential = activeCredential(record);
  return credential === undefined ? undefined : keptByPolicy(policyFor(option, record), credential);
}

/** Whether the time of the last use should be written again: not at each use, but often enough for the limit. */
export function shouldNoteUse(
  { maxIdleSeconds = Number.POSITIVE_INFINITY }: SessionPolicy,
  notedAt: number,
  nowMs: number,
): boolean {
  return nowMs - notedAt >= (maxIdleSeconds * 1000) / 10;
}
