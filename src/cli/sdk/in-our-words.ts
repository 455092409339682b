import { findMcpOAuthError } from "../../core/errors.ts";
import { inertText } from "../../core/text.ts";
import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import { shellWord } from "../shell-word.ts";

/** The HTTP status that an SDK's error carries, in the place of either version. */
export function statusOf(error: unknown): number | undefined {
  const { code, data } = error as { code?: unknown; data?: { status?: unknown } };
  const status = data?.status ?? code;
  return typeof status === "number" && status >= 400 && status < 600 ? status : undefined;
}

/** Why a `fetch` failed, out of whatever an SDK has wrapped around it. */
function networkProblemOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { cause, code } = error as NodeJS.ErrnoException;
  // What SDK v2 calls it.
  if (code === "CONNECTION_CLOSED") return "the connection was closed";
  if (!(error instanceof TypeError) || !(cause instanceof Error)) return networkProblemOf(cause);
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}

/** The server's own error in JSON-RPC: the codes of those are negative, and -1 is an SDK's. */
function refusalOf(error: unknown): { code: number; message: string } | undefined {
  const { code, message = "" } = error as { code?: unknown; message?: string };
  // The first SDK puts the code in front.
  return typeof code === "number" && code < -1
    ? { code, message: message.replace(/^MCP error -\d+: /, "") }
    : undefined;
}

/** What was wrong with an answer, in one line; what a schema lists in many is of no use to a person. */
function faultOf(error: unknown): string {
  const { cause, message = "" } = error as Partial<Error>;
  if (cause instanceof Error) return faultOf(cause);
  const [line = ""] = message.split(/:?\s*\[\n/);
  return line === "" ? "" : `: ${inertText(line, 200)}`;
}

/** The command that says more. */
export function doctorHint(server: string): string {
  return `Find out why: mcp-oauth doctor ${shellWord(server)}`;
}

/** An error of an SDK in our words; what has them already is left alone. */
export function inOurWords(error: unknown, server: string): unknown {
  if (error instanceof CommandFailed || findMcpOAuthError(error) !== undefined) return error;
  const { host } = new URL(server);
  const hint = doctorHint(server);
  const status = statusOf(error);
  if (status !== undefined) {
    const message = `${host} answered with HTTP status ${status}.`;
    return new CommandFailed(message, exitCodes.serverFault, { code: "http_error", status, hint }, error);
  }
  const problem = networkProblemOf(error);
  if (problem !== undefined) {
    const message = `${host} could not be reached: ${inertText(problem)}.`;
    return new CommandFailed(message, exitCodes.network, { code: "network_failed" }, error);
  }
  const refusal = refusalOf(error);
  if (refusal !== undefined) {
    const message = `${host} answered with an error: ${inertText(refusal.message, 400)}`;
    return new CommandFailed(message, exitCodes.failure, { code: "server_error", rpcCode: refusal.code }, error);
  }
  const message = `${host} answered with what is not MCP${faultOf(error)}.`;
  return new CommandFailed(message, exitCodes.serverFault, { code: "invalid_response", hint }, error);
}
