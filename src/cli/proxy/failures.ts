import { findMcpOAuthError } from "../../core/errors.ts";
import { inertText } from "../../core/text.ts";
import { errorAsData } from "../error-as-data.ts";
import { explain, loginCommandLine, type Occasion } from "../explain.ts";
import { CANNOT_FORWARD, errorOf, type JsonRpcError } from "./json-rpc.ts";

/** A request that gets no answer from the server, and what its sender is told instead. */
export class ExchangeFailed extends Error {
  readonly error: JsonRpcError;
  /** The HTTP status, where the server answered with one. */
  readonly status: number | undefined;

  constructor(error: JsonRpcError, status?: number, options?: ErrorOptions) {
    super(error.message, options);
    this.name = "ExchangeFailed";
    this.error = error;
    this.status = status;
  }
}

/** The server has forgotten the session; the request that met this has not been looked at. */
export class SessionLost extends Error {
  constructor() {
    super("The server has ended the session.");
    this.name = "SessionLost";
  }
}

/** An answer that is an HTTP error: the server's own JSON-RPC error where it gave one. */
export async function refusalBy(response: Response, server: string): Promise<ExchangeFailed> {
  const { status } = response;
  const text = await response.text().catch(() => "");
  const message = `${new URL(server).host} answered with HTTP status ${status}.`;
  return new ExchangeFailed(errorOf(text) ?? { code: CANNOT_FORWARD, message, data: { status } }, status);
}

/** The code that servers of the official SDK give a session they do not know. */
const UNKNOWN_SESSION = -32_000;

/** Whether an answer says that the session is unknown: 404, or as many servers have it, a 400 that says so. */
export function meansSessionLost({ status, error }: ExchangeFailed): boolean {
  return status === 404 || (status === 400 && error.code === UNKNOWN_SESSION && /\bsession\b/i.test(error.message));
}

/** What the sender of a request is told when it could not be passed on. */
export function toJsonRpcError(error: unknown, occasion: Occasion & { server: string }): JsonRpcError {
  if (error instanceof ExchangeFailed) return error.error;
  const { host } = new URL(occasion.server);
  const known = findMcpOAuthError(error);
  if (known === undefined) {
    return { code: CANNOT_FORWARD, message: `The request to ${host} failed: ${inertText(reasonOf(error))}` };
  }
  const { message, hint } = explain(known, occasion);
  // Where a host runs us there may be no browser; where the person is, there is a terminal.
  const advice = hint ?? (known.code === "browser_unavailable" ? `Sign in: ${loginCommandLine(occasion)}` : "");
  return { code: CANNOT_FORWARD, message: `${message} ${advice}`.trimEnd(), data: errorAsData(known) };
}

/** The reason of a failed `fetch` is in its cause. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error instanceof TypeError && error.cause instanceof Error ? error.cause.message : error.message;
}
