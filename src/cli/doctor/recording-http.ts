import { guardedFetch } from "../../adapters/guarded-fetch.ts";
import type { Clock } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { Http, type HttpAnswer, type HttpRequest, platformFetch } from "../../core/http.ts";
import { whatHappened } from "./error-words.ts";
import type { Recorder } from "./recorder.ts";

export interface RecordingHttpOptions {
  readonly recorder: Recorder;
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * The library's own HTTP client with a record of it. A document is fetched once: whoever asks for it again, as the library
 * does and then each check, gets the same answer.
 */
export class RecordingHttp extends Http {
  readonly recorder: Recorder;
  readonly #signal: AbortSignal;
  readonly #documents = new Map<string, Promise<HttpAnswer>>();

  constructor({ recorder, clock, timeoutMs, signal }: RecordingHttpOptions) {
    const guarded = guardedFetch({}, platformFetch);
    super({
      clock,
      timeoutMs,
      fetch: recorder.watch(platformFetch),
      fetchFor: (server) => recorder.watch(guarded(server)),
    });
    this.recorder = recorder;
    this.#signal = signal;
  }

  override send(request: HttpRequest): Promise<HttpAnswer> {
    if (request.method !== "GET" || request.withoutBody === true) return this.#sendOnce(request);
    const url = String(request.url);
    const answer = this.#documents.get(url) ?? this.#sendOnce(request);
    this.#documents.set(url, answer);
    return answer;
  }

  async #sendOnce(request: HttpRequest): Promise<HttpAnswer> {
    const before = this.recorder.recordings.length;
    try {
      return await super.send({ signal: this.#signal, ...request });
    } catch (error) {
      const recording = this.recorder.recordings.length > before ? this.recorder.last : undefined;
      if (recording !== undefined && error instanceof McpOAuthError) recording.error = whatHappened(error);
      throw error;
    }
  }
}
