import type { Clock } from "./clock.ts";
import type { McpOAuthErrorCode } from "./errors.ts";

/** What every event carries. Times are milliseconds since the epoch. Nothing in an event is secret. */
export interface EventBase {
  readonly at: number;
  /** The MCP server, in canonical form. */
  readonly server?: string;
  readonly issuer?: string;
  readonly account?: string;
  /** How long the step took, in milliseconds. */
  readonly durationMs?: number;
}

/** The events of a token manager and what each carries beside {@link EventBase}. */
export interface McpOAuthEvents {
  /** The token store was chosen, and why. */
  store_selected: { readonly store: string; readonly reason: string };
  /** A server answered 401, or 403 `insufficient_scope`. */
  challenge_received: { readonly status: number; readonly error?: string; readonly scope?: string };
  /** The authorization server was chosen; show its host to the user before anything is opened (RFC 9728 section 7.8). */
  authorization_server_selected: { readonly authorizationServer: string; readonly choices: number };
  /** The server names another authorization server than the one of the last sign-in, whose tokens are not used any more. */
  issuer_changed: { readonly formerIssuer: string };
  /** A client id was obtained. */
  client_obtained: { readonly how: "pre-registered" | "metadata-document" | "dynamic"; readonly clientId: string };
  /** The authorization server has forgotten our client or refuses its metadata document, or its secret expired: one is registered, once. */
  client_forgotten: { readonly clientId: string };
  /** At a sign-out the authorization server was asked to delete our client's registration (RFC 7592). */
  client_removed: {
    readonly clientId: string;
    readonly outcome: "removed" | "in_use" | "unsupported" | "unreachable" | "refused";
  };
  /** The user is being asked to sign in. */
  sign_in_started: { readonly flow: string; readonly scope?: string };
  /** The user is being asked for more scopes. */
  step_up: { readonly scope: string };
  /** A sign-in gave tokens. */
  token_issued: {
    readonly flow: string;
    readonly scope?: string;
    readonly expiresAt?: number;
    readonly refreshable: boolean;
  };
  /** A refresh gave tokens. */
  token_refreshed: { readonly scope?: string; readonly expiresAt?: number; readonly rotated: boolean };
  /** Another process or token manager had refreshed already; its token was taken over. */
  token_adopted: { readonly expiresAt?: number };
  /** One refresh failed; the session is kept. */
  refresh_failed: { readonly code: McpOAuthErrorCode; readonly failures: number; readonly retryAt: number };
  /** Refreshing has failed three times in a row; the session is kept. */
  refresh_failing: { readonly code: McpOAuthErrorCode; readonly failures: number; readonly retryAt: number };
  /** A session has ended: only a new sign-in helps. Said once for each session. */
  sign_in_required: { readonly reason: string };
  /** A token was handed to the revocation endpoint. */
  token_revoked: {
    readonly token: "refresh_token" | "access_token";
    readonly outcome: "revoked" | "unsupported" | "unreachable" | "refused";
  };
  /** The local copy of a session was removed. */
  signed_out: Record<never, never>;
  /** Something was accepted that a strict reading refuses; `rule` names the source. */
  deviation: { readonly rule: string; readonly detail: string };
  /** A listener threw; nothing else was affected. */
  listener_failed: { readonly event: string };
}

/** The name of an event. */
export type McpOAuthEventName = keyof McpOAuthEvents;

/** One event of the given name (or of any, when none is given), as listeners receive it. */
export type McpOAuthEvent<Name extends McpOAuthEventName = McpOAuthEventName> = {
  [Each in Name]: { readonly type: Each } & EventBase & McpOAuthEvents[Each];
}[Name];

/** The listeners of one token manager. */
export class EventHub {
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Set<(event: never) => void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Adds a listener, for one event name or for all of them (`"*"`); the returned function removes it. */
  on<Name extends McpOAuthEventName>(name: Name | "*", listener: (event: McpOAuthEvent<Name>) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener as (event: never) => void);
    return () => listeners.delete(listener as (event: never) => void);
  }

  /** Tells the listeners. A listener that throws disturbs neither the others nor the caller. */
  emit<Name extends McpOAuthEventName>(
    type: Name,
    details: McpOAuthEvents[Name] & Partial<Omit<EventBase, "at">>,
  ): void {
    if (this.#listeners.size === 0) return;
    const event = Object.freeze({ type, at: this.#clock.now(), ...details });
    for (const listener of [...(this.#listeners.get(type) ?? []), ...(this.#listeners.get("*") ?? [])]) {
      try {
        const result: unknown = (listener as (event: unknown) => unknown)(event);
        // An async listener's rejection would otherwise end the host's process.
        if (result instanceof Promise) result.catch(() => this.#reportFailure(type));
      } catch {
        this.#reportFailure(type);
      }
    }
  }

  #reportFailure(event: string): void {
    if (event !== "listener_failed") this.emit("listener_failed", { event });
  }
}
