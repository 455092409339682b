import type { McpOAuthErrorDetails } from "../core/errors.ts";
import type { Http, HttpAnswer } from "../core/http.ts";

/** The shape of the `fetch` that oauth4webapi calls. */
export type WireFetch = (
  url: string,
  init: { body?: URLSearchParams | string | undefined; headers: Record<string, string>; method: string },
) => Promise<Response>;

export interface WireOptions {
  readonly http: Http;
  readonly what: string;
  readonly details: McpOAuthErrorDetails;
  readonly signal?: AbortSignal;
  /** Sees the answer before oauth4webapi does, and may throw or tidy it. */
  readonly read: (answer: HttpAnswer) => HttpAnswer;
}

/** Lets oauth4webapi talk through our one HTTP client, with its deadline, caps and rules. */
export function wireFetch(options: WireOptions): WireFetch {
  return async (url, init) => {
    const answer = options.read(
      await options.http.send({
        method: init.method,
        url,
        headers: init.headers,
        what: options.what,
        details: options.details,
        ...(init.body !== undefined && { body: init.body }),
        ...(options.signal !== undefined && { signal: options.signal }),
      }),
    );
    const hasBody = answer.status !== 204 && answer.status !== 304;
    return new Response(hasBody ? answer.text : null, { status: answer.status, headers: answer.headers });
  };
}
