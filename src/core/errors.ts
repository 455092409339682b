import { inertText } from "./text.ts";

/**
 * What went wrong, as a closed set of codes. `error.code` is stable and made to be switched on; `error.message` is for
 * people and may change.
 *
 * | code | what happened | what usually helps |
 * |---|---|---|
 * | `invalid_argument` | a value handed to this library is not usable | fix the call |
 * | `invalid_configuration` | options contradict one another | fix the options |
 * | `insecure_url` | a URL is neither https nor loopback http | serve it over https |
 * | `address_refused` | a server leads into a network where it must not | see the message |
 * | `network_failed` | a server could not be reached | check the network, retry |
 * | `timeout` | an answer or a person took too long | retry |
 * | `aborted` | the caller's AbortSignal fired | nothing |
 * | `invalid_response` | an answer breaks its specification | report it to the server's operator |
 * | `discovery_failed` | no usable metadata was found | check the server with its operator |
 * | `resource_mismatch` | resource metadata names another resource | see the message: both are in it |
 * | `issuer_mismatch` | metadata or an authorization response names another issuer | see the message: both are in it |
 * | `pkce_unsupported` | the authorization server does not offer PKCE with S256 | ask its operator |
 * | `dpop_unsupported` | tokens cannot be bound to a key as they must be | change the option `dpop`, ask the operators |
 * | `client_unavailable` | no client id could be obtained | register one and pass it in `clients` |
 * | `client_mismatch` | the configured client belongs to another issuer | configure one for this issuer |
 * | `registration_failed` | dynamic registration was refused | see `oauthError` |
 * | `authorization_denied` | the user or the server said no | ask again later |
 * | `authorization_failed` | the authorization request failed | see `oauthError` |
 * | `invalid_authorization_response` | the response is not the answer to our request | sign in again |
 * | `redirect_unavailable` | the loopback listener could not be opened | free the port or choose another |
 * | `browser_unavailable` | no browser could be opened and nobody took the URL | open it by hand, use `flow: "paste"` |
 * | `interaction_required` | a person is needed and `interactive` is false | call `signIn` on a token manager with `interactive: true` |
 * | `sign_in_required` | the session has ended | call `signIn` |
 * | `token_request_failed` | the token endpoint refused | see `oauthError` |
 * | `refresh_failed` | the token has expired and could not be refreshed for now | retry later; the session is kept |
 * | `token_rejected` | the server refuses even a fresh token | ask the server's operator |
 * | `insufficient_scope` | the server wants more scopes than can be had | see `requiredScope` |
 * | `token_not_applicable` | a token was asked for a URL that it was not issued for | use the right `fetch` |
 * | `revocation_failed` | the authorization server did not confirm the revocation | the local copy is gone all the same |
 * | `store_unavailable` | no token store can be used here | see the hint in the message |
 * | `store_unreadable` | stored data is there but cannot be read | see the hint in the message |
 * | `store_failed` | the token store could not write | see `cause` |
 * | `lock_timeout` | another process held a lock for too long | retry |
 * | `closed` | the token manager has been closed | make a new one |
 */
export type McpOAuthErrorCode =
  | "invalid_argument"
  | "invalid_configuration"
  | "insecure_url"
  | "address_refused"
  | "network_failed"
  | "timeout"
  | "aborted"
  | "invalid_response"
  | "discovery_failed"
  | "resource_mismatch"
  | "issuer_mismatch"
  | "pkce_unsupported"
  | "dpop_unsupported"
  | "client_unavailable"
  | "client_mismatch"
  | "registration_failed"
  | "authorization_denied"
  | "authorization_failed"
  | "invalid_authorization_response"
  | "redirect_unavailable"
  | "browser_unavailable"
  | "interaction_required"
  | "sign_in_required"
  | "token_request_failed"
  | "refresh_failed"
  | "token_rejected"
  | "insufficient_scope"
  | "token_not_applicable"
  | "revocation_failed"
  | "store_unavailable"
  | "store_unreadable"
  | "store_failed"
  | "lock_timeout"
  | "closed";

const everyCode: Record<McpOAuthErrorCode, true> = {
  invalid_argument: true,
  invalid_configuration: true,
  insecure_url: true,
  address_refused: true,
  network_failed: true,
  timeout: true,
  aborted: true,
  invalid_response: true,
  discovery_failed: true,
  resource_mismatch: true,
  issuer_mismatch: true,
  pkce_unsupported: true,
  dpop_unsupported: true,
  client_unavailable: true,
  client_mismatch: true,
  registration_failed: true,
  authorization_denied: true,
  authorization_failed: true,
  invalid_authorization_response: true,
  redirect_unavailable: true,
  browser_unavailable: true,
  interaction_required: true,
  sign_in_required: true,
  token_request_failed: true,
  refresh_failed: true,
  token_rejected: true,
  insufficient_scope: true,
  token_not_applicable: true,
  revocation_failed: true,
  store_unavailable: true,
  store_unreadable: true,
  store_failed: true,
  lock_timeout: true,
  closed: true,
};

/** Every {@link McpOAuthErrorCode}, for exhaustive tables. */
export const mcpOAuthErrorCodes: readonly McpOAuthErrorCode[] = Object.keys(everyCode) as McpOAuthErrorCode[];

/** What an error knows beside its message. Nothing in it is secret. */
export interface McpOAuthErrorDetails {
  /** The lower error that led to this one. */
  cause?: unknown;
  /** The MCP server that was being reached. */
  server?: string;
  /** The authorization server concerned. */
  issuer?: string;
  /** The `error` code that a server answered with (RFC 6749 section 5.2), as it was sent. */
  oauthError?: string;
  /** The HTTP status that a server answered with. */
  status?: number;
  /** For `insufficient_scope`: the scopes that the server asked for, separated by spaces. */
  requiredScope?: string;
  /** Milliseconds to wait before a retry can succeed, where the server said so (Retry-After). */
  retryAfterMs?: number;
}

const BRAND: unique symbol = Symbol.for("mcp-oauth-client.error") as never;

/** Addresses and issuers that a server names enter messages whole; none may fill a log. */
const LONGEST_MESSAGE = 1500;

/**
 * The one error class of this library. Its message says what happened, on which server, and what to do next, in one line
 * that is safe to print; it never contains a secret. `cause` is kept.
 *
 * `instanceof` also recognises errors of another copy of this package in the same process.
 */
export class McpOAuthError extends Error {
  override readonly name = "McpOAuthError";
  readonly code: McpOAuthErrorCode;
  // Declared only, so that what is not known is not there at all when the error is printed.
  declare readonly server?: string;
  declare readonly issuer?: string;
  declare readonly oauthError?: string;
  declare readonly status?: number;
  declare readonly requiredScope?: string;
  declare readonly retryAfterMs?: number;

  constructor(code: McpOAuthErrorCode, message: string, details: McpOAuthErrorDetails = {}) {
    // Whatever a caller has let through: this is the last gate before a terminal or a log.
    super(inertText(message, LONGEST_MESSAGE), "cause" in details ? { cause: details.cause } : undefined);
    this.code = code;
    if (details.server !== undefined) this.server = details.server;
    if (details.issuer !== undefined) this.issuer = details.issuer;
    if (details.oauthError !== undefined) this.oauthError = details.oauthError;
    if (details.status !== undefined) this.status = details.status;
    if (details.requiredScope !== undefined) this.requiredScope = details.requiredScope;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
    Object.defineProperty(this, BRAND, { value: true });
  }

  /** Also true for errors of another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** The same error, told with the server and issuer that a lower floor did not know. */
  withContext(context: { server?: string; issuer?: string }): McpOAuthError {
    const server = this.server ?? context.server;
    const issuer = this.issuer ?? context.issuer;
    if (server === this.server && issuer === this.issuer) return this;
    return told(this, { ...(server !== undefined && { server }), ...(issuer !== undefined && { issuer }) });
  }
}

function told(error: McpOAuthError, context: { server?: string; issuer?: string }): McpOAuthError {
  const { code, message, oauthError, status, requiredScope, retryAfterMs } = error;
  const again = new McpOAuthError(code, message, {
    ...("cause" in error && { cause: error.cause }),
    ...context,
    ...(oauthError !== undefined && { oauthError }),
    ...(status !== undefined && { status }),
    ...(requiredScope !== undefined && { requiredScope }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });
  if (error.stack !== undefined) again.stack = error.stack;
  return again;
}

/** Names under which other libraries keep the error that they wrapped. */
const WRAPPER_PROPERTIES = ["cause", "error", "reason", "originalError", "data", "errors"] as const;

const MOST_HANDED_OVER = 20;
/** The last errors that were handed to an SDK, by their message. */
const handedOver = new Map<string, McpOAuthError>();

/**
 * Notes an error on its way into an SDK, and gives it back: the event source under the SSE transports keeps nothing of
 * what a `fetch` throws but its message, and by that {@link findMcpOAuthError} finds it again.
 */
export function handOver(error: unknown): unknown {
  if (!(error instanceof McpOAuthError)) return error;
  // Deleted first, so that the newest stands last and the oldest is dropped.
  handedOver.delete(error.message);
  handedOver.set(error.message, error);
  const [oldest] = handedOver.keys();
  if (handedOver.size > MOST_HANDED_OVER && oldest !== undefined) handedOver.delete(oldest);
  return error;
}

/** The newest error whose message another error carries in its own. */
function findByMessage(errors: Iterable<unknown>): McpOAuthError | undefined {
  const newestFirst = [...handedOver.values()].reverse();
  for (const error of errors) {
    const message: unknown = (error as { message?: unknown }).message;
    if (typeof message !== "string") continue;
    const found = newestFirst.find((candidate) => message.includes(candidate.message));
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Finds this library's error inside whatever an MCP SDK threw.
 *
 * SDK transports and their version negotiation wrap what a `fetch` or an auth provider throws; this looks through
 * `cause` chains, aggregated errors and the properties in which wrappers keep the original, and recognises the message of
 * one of the last errors where nothing else of it was kept.
 *
 * @returns the first {@link McpOAuthError}, or `undefined` when there is none.
 */
export function findMcpOAuthError(error: unknown): McpOAuthError | undefined {
  const seen = new Set<unknown>();
  const queue: unknown[] = [error];
  while (queue.length > 0 && seen.size < 100) {
    const candidate = queue.shift();
    if (typeof candidate !== "object" || candidate === null || seen.has(candidate)) continue;
    seen.add(candidate);
    if (candidate instanceof McpOAuthError) return candidate as McpOAuthError;
    if (Array.isArray(candidate)) queue.push(...candidate);
    for (const property of WRAPPER_PROPERTIES) {
      if (property in candidate) queue.push((candidate as Record<string, unknown>)[property]);
    }
  }
  return findByMessage(seen);
}
