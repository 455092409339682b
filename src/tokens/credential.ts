import type { McpOAuthErrorCode } from "../core/errors.ts";
import { unionOfScopes } from "../core/scope.ts";
import type { Secret } from "../core/secret.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";

/**
 * What one sign-in gave: tokens for one resource from one issuer, with the client they belong to and all that a refresh
 * needs, so that nothing has to be looked up again after a restart. Times are milliseconds since the epoch.
 */
export interface Credential {
  readonly issuer: string;
  readonly resource: string;
  readonly client: OAuthClient;
  readonly authorizationServer: AuthorizationServerMetadata;
  readonly accessToken: Secret;
  readonly tokenType: "Bearer" | "DPoP";
  readonly refreshToken?: Secret;
  /** The private key, as a JWK, that the tokens are bound to (RFC 9449); it lives as long as the grant. */
  readonly dpopKey?: Secret;
  /** The header that carries a static key which is no bearer token. */
  readonly header?: string;
  /** When the access token was received. */
  readonly issuedAt: number;
  /** Absent when the server did not say: the token is used until it is refused. */
  readonly expiresAt?: number;
  /** What was granted. */
  readonly scope?: string;
  /** What was asked for. */
  readonly requestedScope?: string;
  /** The flow of the sign-in. */
  readonly flow: string;
  /** When the user (or the machine) signed in. */
  readonly signedInAt: number;
}

/** The last refresh that was sent, and why it failed if it did. */
export interface RefreshJournal {
  readonly sentAt: number;
  /** When requests were sent to the token endpoint in the last minute, for the breaker. */
  readonly recent: readonly number[];
  /** Why the refresh failed, until the next one is sent: other programs show it. */
  readonly failure?: { readonly code: McpOAuthErrorCode; readonly message: string };
}

/** Everything stored about one account on one MCP server. Issuers are kept apart: what one gave, no other sees. */
export interface SessionRecord {
  readonly server: string;
  readonly account: string;
  /** The issuer whose credential is in use. */
  readonly activeIssuer?: string;
  readonly credentials: Readonly<Record<string, Credential>>;
  /** The issuer of the last sign-in, also when what it gave has ended. */
  readonly lastIssuer?: string;
  /**
   * The union of what was asked for in all sign-ins at `lastIssuer`; a later one there must not ask for less (MCP 2026-07-28,
   * step-up).
   */
  readonly requestedScope?: string;
  readonly journal?: RefreshJournal;
  /** When a credential was last asked for, roughly; kept only where a policy needs it. */
  readonly lastUsedAt?: number;
}

/** Names one account on one MCP server. */
export interface SessionKey {
  readonly server: string;
  readonly account: string;
}

const PREFIX = "session/";

/** The store key of a session. */
export function storeKey({ server, account }: SessionKey): string {
  return `${PREFIX}${encodeURIComponent(account)}/${server}`;
}

/** The reverse of {@link storeKey}; `undefined` for keys of other kinds. */
export function parseStoreKey(key: string): SessionKey | undefined {
  if (!key.startsWith(PREFIX)) return undefined;
  const slash = key.indexOf("/", PREFIX.length);
  if (slash === -1) return undefined;
  try {
    return { account: decodeURIComponent(key.slice(PREFIX.length, slash)), server: key.slice(slash + 1) };
  } catch {
    return undefined;
  }
}

/** The credential in use. */
export function activeCredential(record: SessionRecord | undefined): Credential | undefined {
  if (record?.activeIssuer === undefined) return undefined;
  // Issuers are texts from outside: one named like a member of every object must not find that member.
  return Object.hasOwn(record.credentials, record.activeIssuer) ? record.credentials[record.activeIssuer] : undefined;
}

/** The issuer that the last sign-in was with; older records name only the one in use. */
function issuerOfLastSignIn({ lastIssuer, activeIssuer }: SessionRecord): string | undefined {
  return lastIssuer ?? activeIssuer;
}

/** What was asked for in sign-ins at one issuer: at another, its scopes mean nothing (RFC 6749 section 3.3). */
export function scopeRequestedAt(record: SessionRecord | undefined, issuer: string): string | undefined {
  if (record === undefined) return undefined;
  const { credentials, requestedScope } = record;
  const own = Object.hasOwn(credentials, issuer) ? credentials[issuer]?.requestedScope : undefined;
  return unionOfScopes(issuerOfLastSignIn(record) === issuer ? requestedScope : undefined, own);
}

/** The record with a credential in use, in the place of an older one of its issuer. */
export function withCredential(record: SessionRecord, credential: Credential): SessionRecord {
  const { issuer } = credential;
  const { requestedScope: before, ...kept } = record;
  const requestedScope = issuerOfLastSignIn(record) === issuer ? before : credential.requestedScope;
  return {
    ...kept,
    activeIssuer: issuer,
    lastIssuer: issuer,
    credentials: { ...record.credentials, [issuer]: credential },
    ...(requestedScope !== undefined && { requestedScope }),
  };
}

/** The record without one issuer's credential; what is known beside it stays. */
export function withoutCredential(record: SessionRecord, issuer: string): SessionRecord {
  const { [issuer]: _removed, ...credentials } = record.credentials;
  const { activeIssuer, journal: _journal, ...kept } = record;
  return { ...kept, credentials, ...(activeIssuer !== undefined && activeIssuer !== issuer && { activeIssuer }) };
}

/** Flows in which no person takes part; what they gave is had again in the same way. */
const MACHINE_FLOWS = new Set(["client_credentials", "jwt_bearer", "enterprise_managed"]);

/** Whether a credential came from a grant without a user. */
export function isMachineCredential({ flow }: Credential): boolean {
  return MACHINE_FLOWS.has(flow);
}

/** Whether a credential can be renewed without asking a person. */
export function isRenewable(credential: Credential): boolean {
  return credential.refreshToken !== undefined || isMachineCredential(credential);
}

/** Whether a credential was handed over by the host and comes from no authorization server. */
export function isStaticCredential({ flow }: Credential): boolean {
  return flow === "static";
}
