import type { IncomingMessage, ServerResponse } from "node:http";
import type { AcceptedToken } from "./bearer-guard.ts";

export interface McpEndpointOptions {
  /** Path of the endpoint, such as `/mcp`. */
  path: string;
  /** Answers every request on its own, without a session. */
  stateless: boolean;
  /** Answers with one JSON body instead of an event stream. */
  jsonResponse: boolean;
}

export interface AuthenticatedRequest {
  request: IncomingMessage;
  response: ServerResponse;
  token: AcceptedToken;
  /** The parsed JSON body of a POST. */
  body: unknown;
}

/** An official SDK's server behind the bearer guard. */
export interface McpEndpoint {
  /** Whether this path belongs to the endpoint. */
  handles(path: string): boolean;
  handle(request: AuthenticatedRequest): Promise<void>;
  /** Tells every connected client that the tool list changed, over its open stream. */
  notifyToolsChanged(): Promise<void>;
  /** Ends the open streams without ending the sessions, as a proxy in between does. */
  dropStreams(): void;
  /** Forgets the sessions, as a restarted server would: a known session id is answered 404. */
  dropSessions(): Promise<void>;
  readonly sessionCount: number;
  close(): Promise<void>;
}

/** The shape both SDKs take for an authenticated caller. */
export interface AuthInfo {
  token: string;
  clientId: string;
  scopes: string[];
  expiresAt: number;
  extra: Record<string, unknown>;
}

export function authInfoOf(token: AcceptedToken): AuthInfo {
  return {
    token: token.token,
    clientId: token.clientId,
    scopes: token.scopes,
    expiresAt: token.expiresAt,
    extra: { subject: token.subject },
  };
}
