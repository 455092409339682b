import type { Clock } from "../core/clock.ts";
import { activeCredential, type Credential, type SessionKey, storeKey, withoutCredential } from "./credential.ts";
import type { EndedSessions } from "./ended-sessions.ts";
import { signInRequired } from "./refresher.ts";
import { endedByPolicy, type SessionPolicy, shouldNoteUse } from "./session-policy.ts";
import type { LoadedSession, StoredSessions } from "./stored-sessions.ts";

export interface PolicyWatchOptions {
  readonly clock: Clock;
  readonly sessions: StoredSessions;
  readonly ended: EndedSessions;
}

/** A session with a credential, and the policy that it is under. */
export interface Watched {
  readonly session: LoadedSession;
  readonly credential: Credential;
  readonly policy: SessionPolicy;
}

/** When a session was last used, as far as that was noted. */
function notedUse({ session, credential }: Watched): number {
  return session.record.lastUsedAt ?? credential.issuedAt;
}

/** Ends the sessions that the host's policy no longer allows, and notes the use of the others where a policy needs that. */
export class PolicyWatch {
  readonly #options: PolicyWatchOptions;
  readonly #ending = new Map<string, Promise<boolean>>();
  readonly #noting = new Map<string, Promise<unknown>>();

  constructor(options: PolicyWatchOptions) {
    this.#options = options;
  }

  /** Whether a session may be used and kept alive, as far as memory tells. */
  allows(watched: Watched): boolean {
    return this.#reason(watched) === undefined;
  }

  /**
   * To be called at each use.
   *
   * @returns the session that may be used, which may be another than the one in memory before.
   * @throws `sign_in_required` when the policy has ended the session; what the store throws when that cannot be written.
   */
  async require(key: SessionKey, watched: Watched): Promise<LoadedSession> {
    const reason = this.#reason(watched);
    if (reason === undefined) {
      this.#noteUse(key, watched);
      return watched.session;
    }
    const { sessions, ended } = this.#options;
    const session = (await this.#endOnce(key, watched.policy)) ? undefined : sessions.loaded(storeKey(key));
    if (session !== undefined) return session;
    const error = signInRequired(key, reason);
    ended.tell(key, watched.credential, error);
    throw error;
  }

  /** Waits until what is being written is written. */
  async close(): Promise<void> {
    await Promise.allSettled([...this.#noting.values(), ...this.#ending.values()]);
  }

  #reason(watched: Watched): string | undefined {
    return endedByPolicy(watched.policy, watched.credential, notedUse(watched), this.#options.clock.now());
  }

  /** Nobody's request waits for it, or fails with it: it is tried again with the next. */
  #noteUse(key: SessionKey, watched: Watched): void {
    const { clock, sessions } = this.#options;
    const name = storeKey(key);
    if (this.#noting.has(name) || !shouldNoteUse(watched.policy, notedUse(watched), clock.now())) return;
    const noting = sessions
      .rewrite(name, (stored) => ({ ...stored, lastUsedAt: clock.now() }))
      .catch(() => undefined)
      .finally(() => this.#noting.delete(name));
    this.#noting.set(name, noting);
  }

  #endOnce(key: SessionKey, policy: SessionPolicy): Promise<boolean> {
    const name = storeKey(key);
    const ending = this.#ending.get(name) ?? this.#end(name, policy).finally(() => this.#ending.delete(name));
    this.#ending.set(name, ending);
    return ending;
  }

  /** @returns whether the session is over; other processes may have used it all the time, or signed in again. */
  async #end(name: string, policy: SessionPolicy): Promise<boolean> {
    const { clock, sessions } = this.#options;
    const record = await sessions.rewrite(name, (stored) => {
      const current = activeCredential(stored);
      if (current === undefined) return stored;
      const reason = endedByPolicy(policy, current, stored.lastUsedAt ?? current.issuedAt, clock.now());
      return reason === undefined ? stored : withoutCredential(stored, current.issuer);
    });
    return activeCredential(record) === undefined;
  }
}
