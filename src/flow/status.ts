import type { McpOAuthError } from "../core/errors.ts";
import { McpOAuthError as OAuthError } from "../core/errors.ts";
import type { SessionKey, SessionRecord } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";

/** One stored session, without its tokens. Times are milliseconds since the epoch. */
export interface SessionStatus {
  /** Empty, like the account, where not even this can be read. */
  readonly server: string;
  readonly account: string;
  /** `signed_in`: there are tokens. `signed_out`: they have ended. `unreadable`: see `error`. */
  readonly state: "signed_in" | "signed_out" | "unreadable";
  /** The kind of store it is in. */
  readonly store: string;
  readonly issuer?: string;
  readonly resource?: string;
  readonly clientId?: string;
  readonly scope?: string;
  readonly signedInAt?: number;
  readonly expiresAt?: number;
  /** When it will be refreshed by itself. */
  readonly refreshAt?: number;
  readonly refreshable?: boolean;
  /**
   * Why the last refresh failed, or why the session cannot be read. Of a refresh in another program, what was known when
   * this one read the session.
   */
  readonly error?: McpOAuthError;
}

/** The failure that another program has written down. */
function failureElsewhere({ server, activeIssuer, journal }: SessionRecord): McpOAuthError | undefined {
  if (journal?.failure === undefined) return undefined;
  const { code, message } = journal.failure;
  return new OAuthError(code, message, { server, ...(activeIssuer !== undefined && { issuer: activeIssuer }) });
}

/** Tells what is known about a session. */
export async function statusOf(context: FlowContext, key: SessionKey): Promise<SessionStatus> {
  const { coordinator, store } = context;
  try {
    const session = await coordinator.load(key);
    const credential = session?.credential;
    if (session === undefined || credential === undefined) return { ...key, state: "signed_out", store: store.kind };
    const { issuer, resource, client, scope, signedInAt, expiresAt, refreshToken } = credential;
    const failure = coordinator.failures(key);
    const error = failure?.error ?? failureElsewhere(session.record);
    const { dueAt } = session.moments;
    return {
      ...key,
      state: "signed_in",
      store: store.kind,
      issuer,
      resource,
      clientId: client.clientId,
      signedInAt,
      refreshable: refreshToken !== undefined,
      ...(scope !== undefined && { scope }),
      ...(expiresAt !== undefined && { expiresAt }),
      ...(refreshToken !== undefined && Number.isFinite(dueAt) && { refreshAt: failure?.retryAt ?? dueAt }),
      ...(error !== undefined && { error }),
    };
  } catch (error) {
    if (error instanceof OAuthError) return { ...key, state: "unreadable", store: store.kind, error };
    throw error;
  }
}

/** Tells of a session that does not even say whose it is. */
export function unknownSession({ store }: FlowContext, error: McpOAuthError): SessionStatus {
  return { server: "", account: "", state: "unreadable", store: store.kind, error };
}
