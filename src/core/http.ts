import type { Clock } from "./clock.ts";
import { findMcpOAuthError, McpOAuthError, type McpOAuthErrorDetails } from "./errors.ts";
import { parseUrl, requireSecureUrl } from "./url.ts";

/** The shape of `fetch` that this library calls. */
export type Fetch = typeof globalThis.fetch;

/** The platform's own, looked up at each call, so that one which a host puts in its place later is used. */
export const platformFetch: Fetch = (input, init) => globalThis.fetch(input, init);

export interface HttpOptions {
  readonly fetch: Fetch;
  /** What takes the place of `fetch` for requests that an MCP server has caused. */
  readonly fetchFor?: (server: string) => Fetch;
  readonly clock: Clock;
  /** For headers and body together. Default 30,000. */
  readonly timeoutMs?: number;
  /** Default 1 MiB. */
  readonly maxBodyBytes?: number;
}

export interface HttpRequest {
  readonly method: string;
  readonly url: string | URL;
  readonly headers?: Headers | Record<string, string>;
  readonly body?: string | URLSearchParams;
  readonly signal?: AbortSignal;
  /**
   * How many redirects may be followed, each within the origin. Only for requests without credentials; default none,
   * and a redirect is then an error.
   */
  readonly redirects?: number;
  /**
   * Only the status and the headers matter: the body, which may be an endless stream, is cancelled unread, and a redirect
   * is an answer like any other.
   */
  readonly withoutBody?: boolean;
  /** Names the request in messages, for example "The token endpoint". */
  readonly what: string;
  readonly details?: McpOAuthErrorDetails;
}

/** A whole answer: the body has been read and was not too long. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

/** How long a request may take where nobody says. */
export const DEFAULT_REQUEST_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_BODY_BYTES = 1024 * 1024;

/**
 * The one way in which this library talks to authorization servers and fetches metadata: https (http on loopback), no
 * redirects with credentials, a deadline, and a bounded body.
 */
export class Http {
  readonly #options: HttpOptions;

  constructor(options: HttpOptions) {
    this.#options = options;
  }

  /**
   * Sends a request and reads the whole answer, whatever its status.
   *
   * @throws `insecure_url`, `network_failed`, `timeout`, `aborted`, or `invalid_response` (a redirect, a body too long).
   */
  async send(request: HttpRequest): Promise<HttpAnswer> {
    const details = request.details ?? {};
    const deadline = new AbortController();
    const timeoutMs = this.#options.timeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS;
    const cancelDeadline = this.#options.clock.schedule(() => deadline.abort(), timeoutMs);
    const signal = request.signal === undefined ? deadline.signal : AbortSignal.any([request.signal, deadline.signal]);
    try {
      return await this.#follow(request, signal, request.redirects ?? 0);
    } catch (error) {
      // Our own word may come wrapped: the guard speaks from inside a connection attempt.
      const own = findMcpOAuthError(error);
      if (own !== undefined) throw own;
      if (request.signal?.aborted === true) {
        throw new McpOAuthError("aborted", `${request.what} was not waited for: the operation was aborted.`, {
          ...details,
          cause: request.signal.reason,
        });
      }
      if (deadline.signal.aborted) {
        throw new McpOAuthError(
          "timeout",
          `${request.what} at ${hostOf(request.url)} did not answer within ${timeoutMs} ms.`,
          details,
        );
      }
      throw new McpOAuthError(
        "network_failed",
        `${request.what} at ${hostOf(request.url)} could not be reached (${reasonOf(error)}). Check the network and the address, then try again.`,
        { ...details, cause: error },
      );
    } finally {
      cancelDeadline();
    }
  }

  async #follow(request: HttpRequest, signal: AbortSignal, redirectsLeft: number): Promise<HttpAnswer> {
    const details = request.details ?? {};
    const url = requireSecureUrl(String(request.url), request.what, details);
    const { fetch, fetchFor } = this.#options;
    const send: Fetch = details.server === undefined || fetchFor === undefined ? fetch : fetchFor(details.server);
    const response = await send(url.href, {
      method: request.method,
      signal,
      redirect: "manual",
      ...(request.headers !== undefined && { headers: request.headers }),
      ...(request.body !== undefined && { body: request.body }),
    });
    if (request.withoutBody === true) {
      await response.body?.cancel();
      return { status: response.status, headers: response.headers, text: "" };
    }
    const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
    if (location === null) {
      return { status: response.status, headers: response.headers, text: await this.#readBody(response, request) };
    }
    await response.body?.cancel();
    const target = parseUrl(URL.canParse(location, url.href) ? new URL(location, url.href).href : "");
    if (redirectsLeft > 0 && target?.origin === url.origin) {
      return this.#follow({ ...request, url: target }, signal, redirectsLeft - 1);
    }
    throw new McpOAuthError(
      "invalid_response",
      `${request.what} at ${url.host} answered with a redirect${target === undefined ? "" : ` to ${target.host}`}, which is not followed here.`,
      { ...details, status: response.status },
    );
  }

  async #readBody(response: Response, request: HttpRequest): Promise<string> {
    const limit = this.#options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES;
    if (response.body === null) return "";
    const decoder = new TextDecoder();
    const reader = response.body.getReader();
    let text = "";
    let bytes = 0;
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return text + decoder.decode();
      bytes += value.byteLength;
      if (bytes > limit) {
        await reader.cancel();
        throw new McpOAuthError(
          "invalid_response",
          `${request.what} at ${hostOf(request.url)} sent more than ${limit} bytes.`,
          {
            ...request.details,
            status: response.status,
          },
        );
      }
      text += decoder.decode(value, { stream: true });
    }
  }
}

function hostOf(url: string | URL): string {
  return parseUrl(String(url))?.host ?? "an invalid address";
}

/** The short reason inside a failed fetch: "ECONNREFUSED" says more than "fetch failed". */
function reasonOf(error: unknown): string {
  for (let current = error, depth = 0; current instanceof Error && depth < 5; current = current.cause, depth++) {
    const code: unknown = (current as { code?: unknown }).code;
    if (typeof code === "string") return code;
  }
  return error instanceof Error ? error.message : "unknown reason";
}
