import { type ResourceChallenge, readChallenge } from "../challenge/read.ts";
import { handOver, McpOAuthError } from "../core/errors.ts";
import type { Fetch } from "../core/http.ts";
import { isTurnedDown } from "../core/unanswered.ts";
import { isLoopbackHost, requireSecureUrl } from "../core/url.ts";
import { sendAuthorized } from "../endpoint/resource-request.ts";
import type { ServerSession } from "../flow/run.ts";
import type { Credential } from "../tokens/credential.ts";
import { type ReplayableRequest, takeApart, urlOf } from "./replay.ts";
import { ResourceScope } from "./resource-scope.ts";
import { watchForEndpoint } from "./sse-endpoint.ts";

/**
 * How often one request is sent anew after a refusal. A sign-in and two step-ups are three authorizations, which is as
 * often as a user may be asked for one call (MCP 2026-07-28, "a few times").
 */
const MOST_RENEWALS = 2;
const MOST_STEP_UPS = 2;
const MOST_REDIRECTS = 20;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);

export interface AuthorizedFetchOptions {
  readonly fetch: Fetch;
  readonly session: ServerSession;
}

/** An answer, and whether it is the resource's own: after a redirect it may be somebody else's. */
interface Answer {
  readonly response: Response;
  readonly isResource: boolean;
}

/** Beyond the resource nothing that proves who the user is may go along. */
function withoutCredentials(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers);
  for (const name of ["authorization", "cookie", "proxy-authorization", "mcp-session-id"]) headers.delete(name);
  return { ...init, headers };
}

/** What a redirect makes of the request (Fetch standard, "HTTP-redirect fetch"). */
function redirected(init: RequestInit, status: number): RequestInit {
  const method = (init.method ?? "GET").toUpperCase();
  const becomesGet = status === 303 ? method !== "GET" && method !== "HEAD" : status < 303 && method === "POST";
  if (!becomesGet) return init;
  const { body: _body, ...rest } = init;
  const headers = new Headers(init.headers);
  for (const name of ["content-type", "content-length", "content-encoding", "content-language", "content-location"])
    headers.delete(name);
  return { ...rest, method: "GET", headers };
}

/** What has been read to its end would go out as if it were empty (Fetch standard, "HTTP-redirect fetch"). */
function requireBody({ replayable }: ReplayableRequest, { body }: RequestInit, { host }: URL): void {
  if (replayable || body === undefined || body === null) return;
  throw new TypeError(`fetch failed: the redirect to ${host} needs a body again that can be read only once`);
}

/** Whether a request asks for a stream outside a session, as the older SSE transport does: it has no sessions in headers. */
function asksForOlderStream({ method = "GET", headers }: RequestInit): boolean {
  const given = new Headers(headers);
  const accepts = given.get("accept")?.toLowerCase().includes("text/event-stream") === true;
  return method.toUpperCase() === "GET" && accepts && !given.has("mcp-session-id");
}

/** Where a response redirects to; `undefined` when it is no redirect, or one to nowhere. */
function redirectOf({ status, headers }: Response, base: URL): URL | undefined {
  const location = REDIRECT_STATUSES.has(status) ? headers.get("location") : null;
  return location !== null && URL.canParse(location, base.href) ? new URL(location, base) : undefined;
}

/**
 * A `fetch` for exactly one protected resource: it puts the token on requests to that resource and nowhere else, and
 * answers refusals - sign in, refresh, step up - by sending the same request once more.
 */
class AuthorizedFetch {
  readonly #fetch: Fetch;
  readonly #session: ServerSession;
  readonly #scope: ResourceScope;
  /** How the sign-in for a stream ended that somebody was asked for in vain, until the server takes a request again. */
  #turnedDown: McpOAuthError | undefined;

  constructor({ fetch, session }: AuthorizedFetchOptions) {
    this.#fetch = fetch;
    this.#session = session;
    this.#scope = new ResourceScope(session.key.server);
  }

  /** Whether a request is one for this resource. */
  concerns(url: URL): boolean {
    return this.#scope.includes(url);
  }

  async run(request: ReplayableRequest): Promise<Response> {
    let renewals = 0;
    let stepUps = 0;
    // Most requests go with a token that is in memory and fresh: nothing is waited for.
    let credential =
      this.#session.freshCredential(0) ?? (await this.#session.credentialForRequest(request.init.signal ?? undefined));
    for (;;) {
      const sending = this.#send(request, credential);
      this.#session.expectChallenge(sending, credential);
      const { response, isResource } = await sending;
      // What somebody else answers says nothing about our token.
      if (!isResource) return response;
      this.#noteAnswer(response, credential);
      if (response.status !== 401 && response.status !== 403) return response;
      const challenge = readChallenge(response.status, response.headers);
      const isStepUp = challenge.status === 403 && challenge.error === "insufficient_scope";
      if (isStepUp && stepUps++ >= MOST_STEP_UPS) throw this.#endless(challenge.scope);
      if (!isStepUp && renewals++ >= MOST_RENEWALS) return response;
      const next = await this.#answer(challenge, request, credential);
      // The credential is renewed either way; a body that is used up leaves the repetition to the caller.
      if (next === undefined || !request.replayable) return response;
      await response.body?.cancel();
      credential = next;
    }
  }

  #noteAnswer({ status, ok }: Response, credential: Credential | undefined): void {
    // A 403 too comes from a server that has taken the token.
    if (status !== 401) this.#session.accepted(credential);
    if (ok) this.#turnedDown = undefined;
  }

  /**
   * Renews the credential. The event source of the older transport asks again every few seconds, whatever a `fetch` rejects
   * with, and no SDK closes it when `connect()` fails: who has said no to a stream, or has gone away, would be asked for ever.
   */
  async #answer(
    challenge: ResourceChallenge,
    { init }: ReplayableRequest,
    used: Credential | undefined,
  ): Promise<Credential | undefined> {
    const isStream = challenge.status === 401 && asksForOlderStream(init);
    if (isStream && this.#turnedDown !== undefined) throw this.#turnedDown;
    try {
      return await this.#session.afterRefusal(challenge, used, init.signal ?? undefined);
    } catch (error) {
      if (isStream && isTurnedDown(error)) this.#turnedDown = error;
      throw error;
    }
  }

  async #send(request: ReplayableRequest, credential: Credential | undefined): Promise<Answer> {
    const { redirect = "follow" } = request.init;
    let { url } = request;
    let init: RequestInit = { ...request.init, redirect: "manual" };
    let isResource = true;
    for (let hop = 0; ; hop++) {
      // Once a redirect has led away, whoever answers there must not direct the token back to where they like.
      isResource = isResource && this.#scope.includes(url);
      const response = await this.#sendOnce(
        url,
        isResource ? init : withoutCredentials(init),
        isResource ? credential : undefined,
      );
      const target = redirectOf(response, url);
      // Only the resource itself may say where else on its origin its token may go.
      if (target !== undefined && isResource) this.#scope.vouch(target.href, url);
      if (target === undefined || redirect === "manual") {
        if (hop > 0) Object.defineProperty(response, "redirected", { value: true });
        return { response: isResource ? this.#watch(response, url, init) : response, isResource };
      }
      await response.body?.cancel();
      url = this.#follow(url, target, redirect === "error" ? 0 : MOST_REDIRECTS - hop);
      init = redirected(init, response.status);
      requireBody(request, init, url);
    }
  }

  #sendOnce(url: URL, init: RequestInit, credential: Credential | undefined): Promise<Response> {
    return credential === undefined ? this.#fetch(url.href, init) : sendAuthorized(this.#fetch, url, init, credential);
  }

  #follow(from: URL, target: URL, redirectsLeft: number): URL {
    if (redirectsLeft <= 0) throw new TypeError(`fetch failed: ${from.host} answered with a redirect too many`);
    const { server } = this.#session.key;
    // Even without its token the request is not for everybody on the way to read.
    const url = requireSecureUrl(target.href, `The redirect of ${from.host}`, { server });
    if (!isLoopbackHost(url.hostname) || isLoopbackHost(new URL(server).hostname)) return url;
    throw new McpOAuthError(
      "address_refused",
      `${server} redirects to ${url.host} on this machine, which is not followed: the programs here take requests from this machine as the user's own.`,
      { server },
    );
  }

  /** The older SSE transport learns from its stream where to post; the token has to go there as well. */
  #watch(response: Response, url: URL, { method = "GET", headers }: RequestInit): Response {
    // Answers to messages are streams as well, which say no endpoint; to look into each of them would slow down all calls.
    if (!response.ok || method.toUpperCase() !== "GET") return response;
    // Nor do those of a session (MCP 2025-03-26, Streamable HTTP, "Session Management"): the older transport has no such header.
    if (new Headers(headers).has("mcp-session-id")) return response;
    const isStream = response.headers.get("content-type")?.toLowerCase().startsWith("text/event-stream") === true;
    if (!isStream) return response;
    return watchForEndpoint(response, (endpoint) => this.#scope.vouch(endpoint, url));
  }

  #endless(requiredScope: string | undefined): McpOAuthError {
    const { server } = this.#session.key;
    return new McpOAuthError(
      "insufficient_scope",
      `${server} asks for more scopes after every sign-in${requiredScope === undefined ? "" : ` (last: ${requiredScope})`}, ` +
        `so the request was given up after ${MOST_STEP_UPS} step-ups. Report it to the server's operator.`,
      { server, status: 403, ...(requiredScope !== undefined && { requiredScope }) },
    );
  }
}

/** What a `fetch` rejects with: the signal's own reason after an abort, as everywhere. */
function asFetchRejects(error: unknown, signal: AbortSignal | null | undefined): unknown {
  const isAbort = error instanceof McpOAuthError && error.code === "aborted" && signal?.aborted === true;
  return isAbort ? signal.reason : handOver(error);
}

/**
 * Makes the `fetch` of a session.
 *
 * Requests to URLs outside the resource are passed on untouched and get no token.
 */
export function authorizedFetch(options: AuthorizedFetchOptions): Fetch {
  const authorized = new AuthorizedFetch(options);
  return async (input, init) => {
    const url = urlOf(input);
    if (!authorized.concerns(url)) return options.fetch(input, init);
    const request = await takeApart(input, init, url);
    try {
      return await authorized.run(request);
    } catch (error) {
      throw asFetchRejects(error, request.init.signal);
    }
  };
}
