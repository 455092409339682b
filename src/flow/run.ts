import { grantFor } from "../authorization/machine-grants.ts";
import type { ResourceChallenge } from "../challenge/read.ts";
import { McpOAuthError } from "../core/errors.ts";
import { coversScope, scopesOf, unionOfScopes } from "../core/scope.ts";
import { waitFor } from "../core/wait-for.ts";
import type { Discovery } from "../discovery/discover.ts";
import { LookAhead } from "../discovery/look-ahead.ts";
import {
  type Credential,
  isStaticCredential,
  type SessionKey,
  scopeRequestedAt,
  storeKey,
} from "../tokens/credential.ts";
import type { FlowContext, SignInFlow } from "./context.ts";
import { meetIssuer } from "./meet-issuer.ts";
import { planAfterRefusal, planRenewal } from "./plan.ts";
import { type ProbeAnswer, probeForChallenge } from "./probe.ts";
import { promptNeeded } from "./prompt-needed.ts";
import { notAskedForToken, scopesNotGranted, tokenRejected } from "./refusals.ts";
import type { SignInOrder } from "./sign-in.ts";
import { type PerformSignIn, SignInDesk } from "./sign-in-desk.ts";

export interface SignInRequest {
  readonly flow?: SignInFlow;
  readonly scope?: string;
  readonly signal?: AbortSignal;
}

/** How long a user's "no" to more scopes is remembered, so that the same question is not asked again at once. */
const DENIAL_LASTS_MS = 10 * 60_000;

/** For how long a token counts as new: one that is refused later than that may have been good before. */
const NEW_FOR_MS = 60_000;

/**
 * One account on one MCP server: performs the steps that the plan decides. Requests come in from above with "give me a
 * credential" and "this one was refused"; what is shared (discovery, sign-in, refresh) is done once for all of them.
 */
export class ServerSession {
  readonly key: SessionKey;
  readonly #context: FlowContext;
  readonly #desk: SignInDesk;
  readonly #storeKey: string;
  #discovering: { readonly metadataUrl: string | undefined; readonly outcome: Promise<Discovery> } | undefined;
  /** The access token that was just got because the one before was refused, and that the server has not accepted yet. */
  #unproven: { readonly token: string; readonly until: number } | undefined;
  /** For the first challenge; from then on it is known what kind of server this is. */
  #lookAhead: LookAhead | "done" | undefined;
  #denied: { readonly scope: string; readonly until: number } | undefined;
  #bearerOnly = false;

  constructor(context: FlowContext, key: SessionKey, desk: SignInDesk = new SignInDesk()) {
    this.#context = context;
    this.key = key;
    this.#desk = desk;
    this.#storeKey = storeKey(key);
  }

  /**
   * What a request should carry: the credential, refreshed if need be; `undefined` when there is none, and the request
   * should go without to meet the server's challenge. A sign-in under way is waited for.
   *
   * @throws `refresh_failed`, `store_unreadable`, `store_failed`, `aborted`, and what the sign-in throws.
   */
  async credentialForRequest(signal?: AbortSignal): Promise<Credential | undefined> {
    const joined = await this.#desk.join(this.#storeKey, signal);
    if (joined !== undefined) return joined;
    try {
      return this.#fitting(
        await this.#context.coordinator.credential(this.key, signal === undefined ? {} : { signal }),
      );
    } catch (error) {
      if (error instanceof McpOAuthError && error.code === "sign_in_required") return undefined;
      throw error;
    }
  }

  /** Begins with what the first request will need; what fails is met by that request. */
  prepare(): this {
    this.#context.coordinator.prepare(this.key).catch(() => undefined);
    return this;
  }

  /** Notes that this session's tokens are sent by something that knows bearer tokens only: later ones are of that kind. */
  sendsBearerOnly(): void {
    this.#bearerOnly = true;
  }

  /** A bearer token in place of one that is bound to a key (RFC 9449). @throws as {@link ServerSession.signIn}. */
  async unbound(credential: Credential): Promise<Credential> {
    const challenge = await this.probe(undefined);
    const order = { flow: "auto", insteadOf: credential, forced: false } as const;
    return this.#startSignIn(
      { ...order, ...(challenge !== undefined && { challenge }) },
      { signal: undefined, mayEnd: false },
    );
  }

  /** Prepares for the challenge that a first request without a credential will most likely meet, while it is under way. */
  expectChallenge(request: Promise<unknown>, credential: Credential | undefined): void {
    if (credential !== undefined || !this.#context.expectAuthorization) return;
    this.#lookAhead ??= new LookAhead(this.#context.http, this.key.server);
    // What answers the challenge is loaded meanwhile; should that fail, whoever needs it meets the error.
    import("./acquire.ts").catch(() => undefined);
    request.catch(() => {
      // Nobody was reached, or nobody waited: that says nothing about the server.
      const lookAhead = this.#takeLookAhead();
      lookAhead?.drop();
      if (lookAhead !== undefined) this.#lookAhead = undefined;
    });
  }

  /** Notes that the server has answered a request by something other than a refusal. */
  accepted(credential: Credential | undefined): void {
    if (credential === undefined) this.#takeLookAhead()?.drop();
    else if (this.#isUnproven(credential)) this.#unproven = undefined;
  }

  /**
   * Answers a refusal.
   *
   * @returns the credential to send the request with once more, or `undefined` when the refusal is the caller's matter.
   * @throws `token_rejected`, `insufficient_scope`, `interaction_required`, `closed`, and what discovery, refresh and sign-in
   * throw.
   */
  async afterRefusal(
    challenge: ResourceChallenge,
    used: Credential | undefined,
    signal?: AbortSignal,
  ): Promise<Credential | undefined> {
    const session = this.#context.coordinator.loaded(this.key);
    const step = planAfterRefusal({
      challenge,
      used,
      current: this.#fitting(session?.credential),
      usedIsUnproven: used !== undefined && this.#isUnproven(used),
      requestedBefore: used && scopeRequestedAt(session?.record, used.issuer),
    });
    // Only these look for the authorization server.
    if (step !== "renew" && step !== "step-up") this.#takeLookAhead()?.drop();
    if (step === "surface") return undefined;
    this.#tellChallenge(challenge);
    switch (step) {
      case "use-current":
        return session?.credential;
      case "reject":
        throw tokenRejected(this.key.server, used);
      case "insufficient":
        throw scopesNotGranted(this.key.server, challenge.scope);
      case "step-up":
        this.#desk.requireOpen(this.key);
        return this.#stepUp(challenge, used, signal);
      default:
        this.#desk.requireOpen(this.key);
        return this.#renew(challenge, used, signal);
    }
  }

  /** The credential, if it is in memory and fresh and no sign-in is to be waited for: nothing is done for it. */
  freshCredential(minTtlMs: number): Credential | undefined {
    if (this.#desk.holdsUp(this.#storeKey)) return undefined;
    return this.#fitting(this.#context.coordinator.freshCredential(this.#storeKey, minTtlMs));
  }

  /**
   * A usable credential for a caller that makes its requests itself; asks the server for its challenge and signs in
   * where that is needed.
   *
   * @throws `sign_in_required` when the server was not seen to ask for authorization; and as {@link ServerSession.afterRefusal}.
   */
  async credential(options: { minTtlMs?: number; signal?: AbortSignal } = {}): Promise<Credential> {
    const found = await this.#joinOrLoad(options);
    if (found !== undefined) return found;
    const { challenge, redirectedTo } = await this.#probe(undefined, options.signal);
    const credential = challenge && (await this.afterRefusal(challenge, undefined, options.signal));
    if (credential !== undefined) return credential;
    throw notAskedForToken(this.key.server, redirectedTo);
  }

  /** Asks the server for its challenge and signs in; `undefined` when it was not seen to ask for authorization. */
  async signInIfAsked(signal?: AbortSignal): Promise<Credential | undefined> {
    const challenge = await this.probe(undefined, signal);
    return challenge === undefined ? undefined : this.afterRefusal(challenge, undefined, signal);
  }

  /** Asks the server for its challenge; `undefined` when it lets the request pass, which is noted, or redirects it. */
  async probe(credential: Credential | undefined, signal?: AbortSignal): Promise<ResourceChallenge | undefined> {
    return (await this.#probe(credential, signal)).challenge;
  }

  /** Signs in because the caller says so. The caller's abort ends the sign-in unless others wait for it too. */
  async signIn(request: SignInRequest = {}): Promise<Credential> {
    const { flow = "auto", scope, signal } = request;
    if (flow === "paste" && this.#context.prompt === undefined) throw promptNeeded();
    const insteadOf = (await waitFor(this.#context.coordinator.load(this.key), signal))?.credential;
    const challenge = await this.probe(undefined, signal);
    this.#denied = undefined;
    const order = {
      flow,
      insteadOf,
      forced: true,
      ...(scope !== undefined && { wantedScope: scope }),
      ...(challenge !== undefined && { challenge }),
    };
    const joined = this.#desk.running(this.#storeKey) !== undefined;
    const credential = await this.#startSignIn(order, { signal, mayEnd: true });
    // A sign-in that was under way may have asked for less than this caller wants.
    const enough = !joined || coversScope(credential.requestedScope, scope);
    return enough ? credential : this.#startSignIn({ ...order, insteadOf: credential }, { signal, mayEnd: true });
  }

  /** Everything that has to be known about the server, fetched now; concurrent callers share it. */
  async discover(challenge: ResourceChallenge | undefined, signal?: AbortSignal): Promise<Discovery> {
    const metadataUrl = challenge?.resourceMetadata;
    if (this.#discovering === undefined || this.#discovering.metadataUrl !== metadataUrl) {
      const started = { metadataUrl, outcome: this.#discover(challenge) };
      this.#discovering = started;
      const done = (): void => {
        if (this.#discovering === started) this.#discovering = undefined;
      };
      started.outcome.then(done, done);
    }
    return waitFor(this.#discovering.outcome, signal);
  }

  async #probe(credential: Credential | undefined, signal: AbortSignal | undefined): Promise<ProbeAnswer> {
    const probing = probeForChallenge(this.#context.http, this.key.server, credential, signal);
    this.expectChallenge(probing, credential);
    const answer = await probing;
    // Whoever only redirects has not looked at the token.
    if (answer.challenge === undefined) this.accepted(answer.redirectedTo === undefined ? credential : undefined);
    return answer;
  }

  /** A credential that may be sent: one of an earlier run may not be bound to a key as it has to be now. */
  #fitting(credential: Credential | undefined): Credential | undefined {
    if (credential === undefined || this.#context.dpop !== "require" || isStaticCredential(credential))
      return credential;
    return credential.tokenType === "DPoP" ? credential : undefined;
  }

  async #joinOrLoad(options: { minTtlMs?: number; signal?: AbortSignal }): Promise<Credential | undefined> {
    const joined = await this.#desk.join(this.#storeKey, options.signal);
    if (joined !== undefined) return joined;
    try {
      return this.#fitting(await this.#context.coordinator.credential(this.key, options));
    } catch (error) {
      const canSignIn = this.#context.interactive || grantFor(this.#context.grants, this.key.server) !== undefined;
      if (error instanceof McpOAuthError && error.code === "sign_in_required" && canSignIn) return undefined;
      throw error;
    }
  }

  async #discover(challenge: ResourceChallenge | undefined): Promise<Discovery> {
    const { http, metadataCache, discoveryPolicy, coordinator, events } = this.#context;
    const lookAhead = this.#takeLookAhead();
    const { discover } = await import("./acquire.ts");
    const record = (await coordinator.load(this.key))?.record;
    const discovery = await discover(http, metadataCache, {
      server: this.key.server,
      policy: {
        ...discoveryPolicy,
        onDeviation: (rule, detail) => events.emit("deviation", { ...this.key, rule, detail }),
      },
      issuersWithCredentials: Object.keys(record?.credentials ?? {}),
      ...(challenge !== undefined && { challenge }),
      ...(lookAhead !== undefined && { lookAhead }),
    });
    await meetIssuer(this.#context, this.key, discovery.issuer, record?.lastIssuer);
    events.emit("authorization_server_selected", {
      ...this.key,
      issuer: discovery.issuer,
      authorizationServer: new URL(discovery.issuer).host,
      choices: discovery.protectedResource?.authorizationServers.length ?? 1,
    });
    return discovery;
  }

  #takeLookAhead(): LookAhead | undefined {
    const lookAhead = this.#lookAhead;
    this.#lookAhead = "done";
    return lookAhead === "done" ? undefined : lookAhead;
  }

  async #renew(
    challenge: ResourceChallenge,
    used: Credential | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Credential> {
    const discovery = await this.discover(challenge, signal);
    if (used !== undefined && planRenewal(used, discovery) === "refresh") {
      try {
        const renewed = await this.#context.coordinator.renew(this.key, used.accessToken, signal);
        this.#mustProve(renewed);
        return renewed;
      } catch (error) {
        if (!(error instanceof McpOAuthError) || error.code !== "sign_in_required") throw error;
      }
    }
    return this.#startSignIn(
      { flow: "auto", insteadOf: used, forced: false, challenge },
      { signal, mayEnd: false },
      discovery,
    );
  }

  async #stepUp(
    challenge: ResourceChallenge,
    used: Credential | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Credential | undefined> {
    const { clock, events, coordinator } = this.#context;
    const discovery = await this.discover(challenge, signal);
    const session = coordinator.loaded(this.key);
    // Another caller's step-up may have ended while the metadata was fetched.
    const current = session?.credential;
    if (current !== undefined && current.accessToken.reveal() !== used?.accessToken.reveal()) return current;
    // A refusal that names no scopes: all that the resource supports is what is left to ask for.
    const added = challenge.scope ?? discovery.protectedResource?.scopesSupported?.join(" ");
    const { issuer } = discovery;
    const usedScope = used?.issuer === issuer ? used.requestedScope : undefined;
    const before = unionOfScopes(scopeRequestedAt(session?.record, issuer), usedScope);
    const scope = unionOfScopes(before, added);
    if (added === undefined || scope === undefined || scope === before) return undefined;
    // Where the host asks for less, another sign-in would ask for the same as the last one.
    if (coversScope(before, this.#allowed(scope))) throw scopesNotGranted(this.key.server, challenge.scope);
    if (this.#denied?.scope === scope && this.#denied.until > clock.now()) {
      const elsewhere = this.#fitting((await coordinator.reload(this.key))?.credential);
      // Who said no here may have said yes in another process since.
      if (elsewhere === undefined || elsewhere.accessToken.reveal() === used?.accessToken.reveal())
        throw scopesNotGranted(this.key.server, challenge.scope);
      return elsewhere;
    }
    events.emit("step_up", { ...this.key, issuer, scope });
    return this.#startSignIn(
      { flow: "auto", insteadOf: used, forced: false, challenge: { ...challenge, scope }, addedScope: added },
      { signal, mayEnd: false, holdsUp: false },
      discovery,
    );
  }

  /** What of a scope the host lets be asked for. */
  #allowed(scope: string): string | undefined {
    const { narrowScope } = this.#context;
    return narrowScope === undefined
      ? scope
      : unionOfScopes(narrowScope({ server: this.key.server, scopes: scopesOf(scope) }).join(" "));
  }

  async #startSignIn(
    order: Omit<SignInOrder, "key" | "discover">,
    caller: { signal: AbortSignal | undefined; mayEnd: boolean; holdsUp?: boolean },
    discovery?: Discovery,
  ): Promise<Credential> {
    const whole: SignInOrder = {
      ...order,
      ...(this.#bearerOnly && { bearerOnly: true }),
      key: this.key,
      discover: async (signal) => discovery ?? this.discover(order.challenge, signal),
    };
    const perform: PerformSignIn = async (signal, onShown) => {
      const { performSignIn } = await import("./acquire.ts");
      const credential = await performSignIn(this.#context, { ...whole, onShown }, signal).catch((error: unknown) => {
        this.#rememberDenial(order.challenge, error);
        throw error;
      });
      if (!order.forced) this.#mustProve(credential);
      return credential;
    };
    return this.#desk.start(this.key, order.challenge?.scope, perform, caller);
  }

  #mustProve({ accessToken }: Credential): void {
    this.#unproven = { token: accessToken.reveal(), until: this.#context.clock.now() + NEW_FOR_MS };
  }

  #isUnproven({ accessToken }: Credential): boolean {
    const unproven = this.#unproven;
    return unproven?.token === accessToken.reveal() && unproven.until > this.#context.clock.now();
  }

  /** Of a step-up, also when the request that asked for it has given up meanwhile. */
  #rememberDenial(challenge: ResourceChallenge | undefined, error: unknown): void {
    const { clock } = this.#context;
    const isDenial =
      error instanceof McpOAuthError && (error.code === "authorization_denied" || error.oauthError === "invalid_scope");
    if (!isDenial || challenge?.error !== "insufficient_scope" || challenge.scope === undefined) return;
    this.#denied = { scope: challenge.scope, until: clock.now() + DENIAL_LASTS_MS };
  }

  #tellChallenge({ status, error, scope }: ResourceChallenge): void {
    this.#context.events.emit("challenge_received", {
      ...this.key,
      status,
      ...(error !== undefined && { error }),
      ...(scope !== undefined && { scope }),
    });
  }
}
