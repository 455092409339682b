import type { McpOAuthError } from "../core/errors.ts";
import type { EventHub } from "../core/events.ts";
import { type Credential, type SessionKey, storeKey } from "./credential.ts";

/** Tells by an event that a session is over: once for each session, however many requests meet it. */
export class EndedSessions {
  readonly #events: EventHub;
  /** The access token with which each session ended. */
  readonly #told = new Map<string, string>();

  constructor(events: EventHub) {
    this.#events = events;
  }

  tell(key: SessionKey, credential: Credential, error: McpOAuthError): void {
    const name = storeKey(key);
    const accessToken = credential.accessToken.reveal();
    if (this.#told.get(name) === accessToken) return;
    this.#told.set(name, accessToken);
    this.#events.emit("sign_in_required", { ...key, issuer: credential.issuer, reason: error.message });
  }

  /** Forgets a session that has begun anew or was removed. */
  forget(key: SessionKey): void {
    this.#told.delete(storeKey(key));
  }
}
