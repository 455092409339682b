import { McpOAuthError, type McpOAuthErrorDetails } from "./errors.ts";

/** Timeouts of people. Those of servers have the same code, and pass by themselves. */
const unanswered = new WeakSet<McpOAuthError>();

/** The error for a sign-in that nobody finished in time. */
export function nobodyFinished(message: string, details: McpOAuthErrorDetails): McpOAuthError {
  const error = new McpOAuthError("timeout", message, details);
  unanswered.add(error);
  return error;
}

/** Whether somebody was asked to sign in and said no, or did nothing until the time was up. */
export function isTurnedDown(error: unknown): error is McpOAuthError {
  return error instanceof McpOAuthError && (error.code === "authorization_denied" || unanswered.has(error));
}
