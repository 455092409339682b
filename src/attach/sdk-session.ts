import type { ResourceChallenge } from "../challenge/read.ts";
import { McpOAuthError } from "../core/errors.ts";
import { coversScope } from "../core/scope.ts";
import type { ServerSession } from "../flow/run.ts";
import type { Credential } from "../tokens/credential.ts";

/** What an SDK says about a request that was refused. */
export interface MetRefusal {
  /** The challenge, where the SDK shows it. */
  readonly challenge?: ResourceChallenge;
  /** The scopes that the SDK wants asked for, separated by spaces. */
  readonly scope?: string;
  /** Whether `scope` would name what a 403 asked for. The first SDK version keeps that to itself. */
  readonly tellsScope: boolean;
}

/** A ping that was sent to learn what the server says to a token, or to none. */
interface Ping {
  readonly token: string | undefined;
  readonly challenge: Promise<ResourceChallenge | undefined>;
  /** Whether it has told already that a refusal was none of the token's. */
  excused: boolean;
}

/** For so long after a renewal a refusal is taken for a late answer to a request with the old token. */
const LATE_ANSWERS_MS = 10_000;
/** How often in that time a refusal is put down to such a late answer. */
const MOST_EXCUSES = 10;

/** Whether all of what was asked for was granted. Of `offline_access` a server need not tell. */
function isGrantedInFull({ scope, requestedScope }: Credential): boolean {
  if (scope === undefined) return true;
  return coversScope(`${scope} offline_access`, requestedScope);
}

/** The SDKs write `Authorization: Bearer` themselves; a key that belongs into another header would go out wrongly. */
function headerNotSendable(server: string, header: string): McpOAuthError {
  const message = `The key for ${server} goes into the header ${header}, which an auth provider of the MCP SDKs cannot send. Use the option fetch of the transport with tokens.fetch instead.`;
  return new McpOAuthError("invalid_configuration", message, { server });
}

/**
 * A session as an SDK uses it that makes the requests itself: the SDK asks for tokens, and later says that some request was
 * refused, neither which one nor with which token. So the server is asked: a ping with the present token tells whether
 * that is any good. Callers that met the same refusal share the ping as well as the renewal.
 */
export class SdkSession {
  readonly #session: ServerSession;
  readonly #now: () => number;
  #handedOut: Credential | undefined;
  /** Whether the server has been asked for its challenge while there was no session. */
  #asked = false;
  #pinging: Ping | undefined;
  /** The token that was refused although it was new. */
  #rejected: string | undefined;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #excuses: { readonly since: number; count: number } = { since: Number.NEGATIVE_INFINITY, count: 0 };

  constructor(session: ServerSession, now: () => number) {
    this.#session = session;
    this.#now = now;
    session.sendsBearerOnly();
  }

  /** The credential for a request that is about to be made. Signs in, at the first time, where the server wants that. */
  async credential(): Promise<Credential | undefined> {
    let credential = await this.#session.credentialForRequest();
    if (credential === undefined && !this.#asked) {
      // Asking here, before the SDK's first request, saves the round trip of having that one refused.
      this.#asked = true;
      credential = await this.#session.signInIfAsked();
    }
    if (credential?.tokenType === "DPoP") credential = await this.#session.unbound(credential);
    if (credential?.header !== undefined) throw headerNotSendable(this.#session.key.server, credential.header);
    const token = credential?.accessToken.reveal();
    // An SDK goes on to its next request when the one before was not refused.
    const goesOn = token !== undefined && token === this.#handedOut?.accessToken.reveal() && token !== this.#rejected;
    if (goesOn && credential !== undefined) this.#session.accepted(credential);
    if (credential !== undefined) this.#asked = false;
    this.#handedOut = credential;
    return credential;
  }

  /**
   * Does what a refusal asks for. When it returns, the request may be sent again with what {@link SdkSession.credential}
   * gives then.
   *
   * @throws `token_rejected`, `insufficient_scope`, and what renewing and signing in throw.
   */
  async answerRefusal(met: MetRefusal): Promise<void> {
    const used = this.#handedOut;
    if (used === undefined) {
      const challenge = met.challenge ?? (await this.#ping(undefined).challenge);
      return this.#renew(challenge ?? { status: 401, schemes: [] }, undefined);
    }
    const ping = this.#ping(used);
    const challenge = await ping.challenge;
    if (challenge !== undefined) return this.#renew(challenge, used);
    if (await this.#stepUp(met, used)) return;
    // Where a ping needs no token at all, or is redirected, its answer tells nothing about this one.
    if ((await this.#ping(undefined).challenge) === undefined) return this.#renew({ status: 401, schemes: [] }, used);
    if (!ping.excused) this.#excuse(used);
    ping.excused = true;
  }

  /** Renews, and makes sure that the new token is any good: the SDKs have no word for one that is not. */
  async #renew(challenge: ResourceChallenge, used: Credential | undefined): Promise<void> {
    const renewed = await this.#session.afterRefusal(challenge, used);
    this.#renewedAt = this.#now();
    if (renewed === undefined) return;
    const refusedAgain = await this.#ping(renewed).challenge;
    if (refusedAgain === undefined) return;
    this.#rejected = renewed.accessToken.reveal();
    await this.#session.afterRefusal(refusedAgain, renewed);
  }

  /** @returns whether more scopes have been granted. */
  async #stepUp({ scope, tellsScope }: MetRefusal, used: Credential): Promise<boolean> {
    const refusal = { status: 403, error: "insufficient_scope", schemes: [] } as const;
    if (tellsScope) {
      // A 401 makes an SDK ask for what was granted before; what goes beyond that, only a 403 can have asked for.
      if (scope === undefined || coversScope(used.scope ?? used.requestedScope, scope)) return false;
      return (await this.#session.afterRefusal({ ...refusal, scope }, used)) !== undefined;
    }
    if (this.#now() - this.#renewedAt < LATE_ANSWERS_MS) return false;
    if ((await this.#session.afterRefusal(refusal, used)) !== undefined) return true;
    if (isGrantedInFull(used)) return false;
    const { server } = this.#session.key;
    throw new McpOAuthError(
      "insufficient_scope",
      `${server} refuses the request, and of the scopes that it names not all were granted. ` +
        "Ask its operator for the permission, or call signIn to ask again.",
      { server, status: 403 },
    );
  }

  /** The refusal was met with an earlier token, or has passed: the SDK sends its request again, but not forever. */
  #excuse(used: Credential): void {
    const now = this.#now();
    if (now - this.#excuses.since > LATE_ANSWERS_MS) this.#excuses = { since: now, count: 0 };
    if (++this.#excuses.count <= MOST_EXCUSES) return;
    const { server } = this.#session.key;
    throw new McpOAuthError(
      "token_rejected",
      `${server} takes the token of ${used.issuer} for some requests and refuses it for others. ` +
        "Trying again would be a loop; report it to the server's operator.",
      { server, issuer: used.issuer, status: 401 },
    );
  }

  #ping(credential: Credential | undefined): Ping {
    const token = credential?.accessToken.reveal();
    if (this.#pinging !== undefined && this.#pinging.token === token) return this.#pinging;
    const ping: Ping = { token, challenge: this.#session.probe(credential), excused: false };
    this.#pinging = ping;
    const done = (): void => {
      if (this.#pinging === ping) this.#pinging = undefined;
    };
    ping.challenge.then(done, done);
    return ping;
  }
}
