import type { McpOAuthError, McpOAuthErrorCode } from "../core/errors.ts";
import { title } from "./help-title.ts";

/** What the program's exit code says. They are part of its interface: scripts switch on them. */
export const exitCodes = {
  ok: 0,
  /** Something that no other code describes. */
  failure: 1,
  /** The command line cannot be understood. */
  usage: 2,
  /** A person has to sign in first. */
  signInRequired: 3,
  /** The person or the server said no. */
  denied: 4,
  /** A server breaks its specification, or offers no way in. */
  serverFault: 5,
  /** A server could not be reached, or took too long. */
  network: 6,
  /** Stored sessions cannot be read or written. */
  store: 7,
  /** Ctrl-C. */
  interrupted: 130,
} as const;

/** What each code says, for `--help`. */
export const exitCodesHelp: string = `${title("Exit codes:")}
  0    done
  1    failed for a reason that has no code of its own
  2    the command line was not understood
  3    a sign-in is needed
  4    the person or the server said no
  5    a server breaks its specification, or offers no way in
  6    a server could not be reached, or took too long
  7    stored sessions cannot be read or written
  130  interrupted`;

const byErrorCode: Record<McpOAuthErrorCode, number> = {
  invalid_argument: exitCodes.usage,
  invalid_configuration: exitCodes.usage,
  insecure_url: exitCodes.usage,
  address_refused: exitCodes.serverFault,
  network_failed: exitCodes.network,
  timeout: exitCodes.network,
  aborted: exitCodes.interrupted,
  invalid_response: exitCodes.serverFault,
  discovery_failed: exitCodes.serverFault,
  resource_mismatch: exitCodes.serverFault,
  issuer_mismatch: exitCodes.serverFault,
  pkce_unsupported: exitCodes.serverFault,
  dpop_unsupported: exitCodes.serverFault,
  client_unavailable: exitCodes.serverFault,
  client_mismatch: exitCodes.usage,
  registration_failed: exitCodes.serverFault,
  authorization_denied: exitCodes.denied,
  authorization_failed: exitCodes.denied,
  invalid_authorization_response: exitCodes.serverFault,
  redirect_unavailable: exitCodes.failure,
  browser_unavailable: exitCodes.signInRequired,
  interaction_required: exitCodes.signInRequired,
  sign_in_required: exitCodes.signInRequired,
  token_request_failed: exitCodes.serverFault,
  refresh_failed: exitCodes.network,
  token_rejected: exitCodes.denied,
  insufficient_scope: exitCodes.denied,
  token_not_applicable: exitCodes.usage,
  revocation_failed: exitCodes.serverFault,
  store_unavailable: exitCodes.store,
  store_unreadable: exitCodes.store,
  store_failed: exitCodes.store,
  lock_timeout: exitCodes.store,
  closed: exitCodes.failure,
};

/** The exit code for one of the library's errors. */
export function exitCodeOf({ code, oauthError }: Pick<McpOAuthError, "code" | "oauthError">): number {
  // Nobody has said no there: the server does not have what was asked for.
  if (code === "authorization_failed" && oauthError === undefined) return exitCodes.serverFault;
  return byErrorCode[code];
}
