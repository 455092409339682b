import { setTimeout as sleep } from "node:timers/promises";
import { findMcpOAuthError } from "../../core/errors.ts";
import type { Fetch } from "../../core/http.ts";
import type { Exchange } from "./exchange.ts";
import { ExchangeFailed, meansSessionLost, refusalBy, SessionLost } from "./failures.ts";
import { CANNOT_FORWARD, isRequest } from "./json-rpc.ts";
import { watchEnd } from "./watch-end.ts";
import type { WireHeaders } from "./wire-headers.ts";

/** `http` is Streamable HTTP; `sse` the older HTTP+SSE transport of MCP 2024-11-05. */
export type Wire = "http" | "sse";

export interface ExchangeFetchOptions {
  readonly wire: Wire;
  /** The URL of the server. */
  readonly server: string;
  readonly fetch: Fetch;
  readonly headers: WireHeaders;
  /** The message that the present HTTP request is for; none for the stream of the older transport, and for DELETE. */
  readonly exchange: () => Exchange | undefined;
  /** Told when the connection can carry nothing more. */
  readonly onBroken: (error: ExchangeFailed) => void;
}

const MOST_FAILED_RESUMPTIONS = 8;
const MOST_FAILED_LISTENINGS = 8;
const LISTEN_AGAIN_MS = 500;
const LISTEN_AGAIN_AT_MOST_MS = 30_000;
/** More than the SDKs follow at once. */
const MOST_REDIRECTS = 8;
/** The SDK reads behind us: what an ended stream still has to say, it says within this time. */
const SDK_LAG_MS = 250;

/** Whether a server may answer otherwise if it is asked again. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 429;
}

function mayPass(error: unknown): boolean {
  if (findMcpOAuthError(error) !== undefined) return false;
  return !(error instanceof ExchangeFailed) || error.status === undefined || isPassing(error.status);
}

/** The SDKs follow redirects themselves, within the origin, and ask here once more for where one leads. */
function isRedirect({ status, headers }: Response): boolean {
  return status >= 300 && status < 400 && headers.has("location");
}

/** Answers the SDK's wish for a stream so that it does not ask again. */
function noStream(): Response {
  return new Response(null, { status: 405 });
}

/**
 * The `fetch` under a transport. What the SDKs leave open is done here, alike for both versions: the headers of the newest
 * revision, cancelling by closing a stream, an error instead of silence when a stream ends without its answer, and
 * telling a lost session from other failures.
 */
export class ExchangeFetch {
  /** Resolves when the stream of the older transport is open. */
  readonly streamIsOpen: Promise<void>;
  readonly #options: ExchangeFetchOptions;
  readonly #closing = new AbortController();
  #announceStream: () => void = () => undefined;
  #afterSuccess: (() => void)[] = [];
  #isBroken = false;

  constructor(options: ExchangeFetchOptions) {
    this.#options = options;
    this.streamIsOpen = new Promise((resolve) => {
      this.#announceStream = resolve;
    });
  }

  get isBroken(): boolean {
    return this.#isBroken;
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  close(): void {
    this.#closing.abort();
    this.#letWaitersGo();
  }

  async run(input: Parameters<Fetch>[0], init: RequestInit = {}): Promise<Response> {
    const { exchange: current, fetch, wire } = this.#options;
    const exchange = current();
    if (init.method === "DELETE") return fetch(input, init);
    // After the end the SDK may still want to take up streams that broke before.
    if (init.method !== "POST" && this.#closing.signal.aborted) return noStream();
    if (exchange === undefined) return wire === "sse" ? this.#openOlderStream(input, init) : fetch(input, init);
    if (init.method === "POST") return this.#post(exchange, input, init);
    return isRequest(exchange.message) ? this.#resume(exchange, input, init) : this.#listen(input, init);
  }

  async #post(exchange: Exchange, input: Parameters<Fetch>[0], init: RequestInit): Promise<Response> {
    const { wire, server, headers: wireHeaders } = this.#options;
    const headers = new Headers(init.headers);
    for (const [name, value] of Object.entries(wireHeaders.of(exchange.message))) headers.set(name, value);
    const inSession = wire === "sse" || headers.has("mcp-session-id");
    const response = await this.#options.fetch(input, { ...init, headers, signal: this.#signal(exchange, init) });
    if (isRedirect(response)) return response;
    if (!response.ok) {
      const refusal = await refusalBy(response, server);
      throw inSession && meansSessionLost(refusal) ? new SessionLost() : refusal;
    }
    this.#letWaitersGo();
    return wire === "http" && isRequest(exchange.message) ? this.#watch(exchange, response) : response;
  }

  /** The rest of an answer whose stream broke. */
  async #resume(exchange: Exchange, input: Parameters<Fetch>[0], init: RequestInit): Promise<Response> {
    if (exchange.isOver) return noStream();
    try {
      const response = await this.#options.fetch(input, { ...init, signal: this.#signal(exchange, init) });
      exchange.redirectsInARow = isRedirect(response) ? exchange.redirectsInARow + 1 : 0;
      // One that the SDK does not follow it meets again at its next try.
      if (isRedirect(response) && exchange.redirectsInARow <= MOST_REDIRECTS) return response;
      if (response.ok) {
        exchange.failedResumptions = 0;
        return this.#watch(exchange, response);
      }
      throw await refusalBy(response, this.#options.server);
    } catch (error) {
      exchange.failedResumptions += 1;
      if (mayPass(error) && exchange.failedResumptions < MOST_FAILED_RESUMPTIONS) throw error;
      exchange.fail(this.#broken(error));
      return noStream();
    }
  }

  /**
   * The stream on which a server says what nobody has asked for. A person is not asked to sign in for it alone. Where it
   * cannot be opened for now, that is tried again here: the SDKs do so only for one that was open before.
   */
  async #listen(input: Parameters<Fetch>[0], init: RequestInit): Promise<Response> {
    let failures = 0;
    while (!this.isClosed) {
      const isLast = failures === MOST_FAILED_LISTENINGS;
      try {
        const response = await this.#options.fetch(input, init);
        if (response.ok || isRedirect(response) || (isPassing(response.status) && isLast)) return response;
        await response.body?.cancel();
        if (!isPassing(response.status)) return noStream();
      } catch (error) {
        if (findMcpOAuthError(error) !== undefined) {
          await new Promise<void>((resolve) => this.#afterSuccess.push(resolve));
          continue;
        }
        if (isLast) throw error;
      }
      await this.#pause(Math.min(LISTEN_AGAIN_MS * 2 ** failures, LISTEN_AGAIN_AT_MOST_MS));
      failures += 1;
    }
    return noStream();
  }

  /** Ends early when the connection is closed. */
  async #pause(milliseconds: number): Promise<void> {
    await sleep(milliseconds, undefined, { ref: false, signal: this.#closing.signal }).catch(() => undefined);
  }

  /** It is the session: when it ends, the server has forgotten everything. */
  async #openOlderStream(input: Parameters<Fetch>[0], init: RequestInit): Promise<Response> {
    if (this.#isBroken) return noStream();
    const response = await this.#options.fetch(input, init);
    if (!response.ok) return response;
    this.#announceStream();
    return watchEnd(response, () => {
      this.#isBroken = true;
      this.#options.onBroken(this.#broken(undefined));
    });
  }

  /** An answer that ends without the response in it is never followed by one, unless it can be resumed. */
  #watch(exchange: Exchange, response: Response): Response {
    return watchEnd(response, () => {
      void sleep(SDK_LAG_MS, undefined, { ref: false }).then(() => {
        if (!exchange.isResumable) exchange.fail(this.#broken(undefined));
      });
    });
  }

  #signal(exchange: Exchange, { signal }: RequestInit): AbortSignal {
    const own = exchange.controller.signal;
    return signal === undefined || signal === null ? own : AbortSignal.any([signal, own]);
  }

  #letWaitersGo(): void {
    for (const go of this.#afterSuccess.splice(0)) go();
  }

  #broken(cause: unknown): ExchangeFailed {
    const { host } = new URL(this.#options.server);
    return new ExchangeFailed(
      {
        code: CANNOT_FORWARD,
        message: `The connection to ${host} broke before the answer was there. Whether the request has been carried out is not known.`,
      },
      undefined,
      { cause },
    );
  }
}
