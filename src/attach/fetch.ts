import { readChallenge } from "../challenge/read.ts";
import type { Fetch } from "../core/http.ts";
import type { ServerSession } from "../flow/run.ts";
import type { Credential } from "../tokens/credential.ts";
import { type ReplayableRequest, takeApart } from "./replay.ts";
import { ResourceScope } from "./resource-scope.ts";
import { watchForEndpoint } from "./sse-endpoint.ts";

/** How often one request is sent anew after a refusal: one renewal, and a few step-ups (MCP 2026-07-28, "a few times"). */
const MOST_RENEWALS = 2;
const MOST_STEP_UPS = 3;
const MOST_REDIRECTS = 20;
const REDIRECT_STATUSES = new Set([301, 302, 303, 307, 308]);

export interface AuthorizedFetchOptions {
  readonly fetch: Fetch;
  readonly session: ServerSession;
}

function withAuthorization(init: RequestInit, credential: Credential | undefined): RequestInit {
  const headers = new Headers(init.headers);
  if (credential !== undefined)
    headers.set("authorization", `${credential.tokenType} ${credential.accessToken.reveal()}`);
  return { ...init, headers, redirect: "manual" };
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

/**
 * A `fetch` for exactly one protected resource: it puts the token on requests to that resource and nowhere else, and
 * answers refusals - sign in, refresh, step up - by sending the same request once more.
 */
class AuthorizedFetch {
  readonly #fetch: Fetch;
  readonly #session: ServerSession;
  readonly #scope: ResourceScope;

  constructor({ fetch, session }: AuthorizedFetchOptions) {
    this.#fetch = fetch;
    this.#session = session;
    this.#scope = new ResourceScope(session.key.server);
  }

  async run(request: ReplayableRequest): Promise<Response> {
    const signal = request.init.signal ?? undefined;
    let renewals = 0;
    let stepUps = 0;
    let credential = await this.#session.credentialForRequest(signal);
    for (;;) {
      const response = await this.#send(request, credential);
      if (response.status !== 401 && response.status !== 403) {
        if (credential !== undefined) this.#session.accepted(credential);
        return response;
      }
      const isStepUp = response.status === 403;
      if (isStepUp ? ++stepUps > MOST_STEP_UPS : ++renewals > MOST_RENEWALS) return response;
      const next = await this.#session.afterRefusal(
        readChallenge(response.status, response.headers),
        credential,
        signal,
      );
      // The credential is renewed either way; a body that is used up leaves the repetition to the caller.
      if (next === undefined || !request.replayable) return response;
      await response.body?.cancel();
      credential = next;
    }
  }

  async #send(request: ReplayableRequest, credential: Credential | undefined): Promise<Response> {
    const { redirect = "follow" } = request.init;
    let { url, init } = request;
    for (let hop = 0; ; hop++) {
      const inside = this.#scope.includes(url);
      const response = await this.#fetch(
        url.href,
        inside ? withAuthorization(init, credential) : withoutCredentials(init),
      );
      const location = REDIRECT_STATUSES.has(response.status) ? response.headers.get("location") : null;
      // Only the resource itself may say where else its token may go.
      const follow = inside ? this.#scope.vouch.bind(this.#scope) : resolve;
      const target = location === null ? undefined : follow(location, url);
      if (target === undefined || redirect === "manual") return this.#watch(response, url, inside);
      await response.body?.cancel();
      if (redirect === "error" || hop >= MOST_REDIRECTS) {
        throw new TypeError(
          `fetch failed: ${url.host} answered with ${redirect === "error" ? "a redirect" : "too many redirects"}`,
        );
      }
      url = target;
      init = redirected(init, response.status);
    }
  }

  /** The older SSE transport learns from its stream where to post; the token has to go there as well. */
  #watch(response: Response, url: URL, inside: boolean): Response {
    const isStream = response.headers.get("content-type")?.toLowerCase().startsWith("text/event-stream") === true;
    if (!inside || !isStream || !response.ok) return response;
    return watchForEndpoint(response, (endpoint) => this.#scope.vouch(endpoint, url));
  }

  /** Whether a request is one for this resource. */
  concerns(url: URL): boolean {
    return this.#scope.includes(url);
  }
}

function resolve(reference: string, base: URL): URL | undefined {
  return URL.canParse(reference, base.href) ? new URL(reference, base) : undefined;
}

/** Beyond the resource nothing that proves who the user is may go along. */
function withoutCredentials(init: RequestInit): RequestInit {
  const headers = new Headers(init.headers);
  for (const name of ["authorization", "cookie", "proxy-authorization", "mcp-session-id"]) headers.delete(name);
  return { ...init, headers, redirect: "manual" };
}

/**
 * Makes the `fetch` of a session.
 *
 * Requests to URLs outside the resource are passed on untouched and get no token.
 */
export function authorizedFetch(options: AuthorizedFetchOptions): Fetch {
  const authorized = new AuthorizedFetch(options);
  return async (input, init) => {
    const request = await takeApart(input, init);
    if (!authorized.concerns(request.url)) return options.fetch(input, init);
    return authorized.run(request);
  };
}
