/** What a browser brought back to the redirect URI. */
export interface RedirectArrival {
  /** The response parameters, decoded, in their order (duplicates kept so that they can be refused). */
  readonly parameters: URLSearchParams;
  /**
   * Shows the user how it ended. Call it exactly once; the text is ours, never a server's.
   */
  respond(page: RedirectPage): Promise<void>;
}

/** What the user reads in the browser at the end of a sign-in. */
export interface RedirectPage {
  readonly outcome: "signed-in" | "denied" | "failed";
  /** The host application's name. */
  readonly clientName: string;
  /** The MCP server's host. */
  readonly serverName: string;
}

/** A redirect URI on which one sign-in waits for its response. */
export interface PendingRedirect {
  /** The redirect URI to register and to send: exactly this text. */
  readonly redirectUri: string;
  /**
   * Waits for the response to the request with this `state`. Requests with another state, path or method are answered
   * with an error page and leave it waiting. Call it before the browser opens: it waits from the moment of the call.
   *
   * @throws the signal's reason when it aborts first, `aborted` when the redirect is closed first, `invalid_argument` for
   * a state that was waited for before.
   */
  arrival(state: string, signal: AbortSignal): Promise<RedirectArrival>;
  /** Frees the listener. Never rejects; calling it again does nothing. */
  close(): Promise<void>;
}

/** Where authorization responses are to arrive. */
export interface RedirectOptions {
  /** Where to listen. Default `127.0.0.1`. `localhost` and `::1` are the others that make sense. */
  host?: string;
  /** The port to listen on. Default: that of a loopback `uri`, else a free one. */
  port?: number;
  /** The path that is listened on. Default: that of `uri`, else `/callback`. */
  path?: string;
  /**
   * The public redirect URI when it differs from where we listen (a tunnel, a container, a reverse proxy). Default:
   * built from host, port and path.
   */
  uri?: string;
}

/** Something that can receive authorization responses. The default listens on loopback (RFC 8252 section 7.3). */
export interface RedirectReceiver {
  /**
   * Starts listening, and resolves once it does.
   *
   * @throws `redirect_unavailable` when the address cannot be listened on, `invalid_configuration` for unusable options.
   */
  open(options: RedirectOptions): Promise<PendingRedirect>;
}
