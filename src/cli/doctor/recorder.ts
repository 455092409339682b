import type { Clock } from "../../core/clock.ts";
import type { Fetch } from "../../core/http.ts";
import type { StepId } from "./diagnosis.ts";

/** How much of a body is kept. */
const MOST_BYTES = 64 * 1024;
/** How much of a body that nobody reads is read all the same, and for how long: it may be an endless stream. */
const PEEK_BYTES = 16 * 1024;
const PEEK_MS = 1000;

/** What a request is made for. */
export interface Purpose {
  readonly step: StepId;
  readonly by: "library" | "doctor";
}

/** One request on the wire and its answer, as it was: with secrets. */
export interface Recording extends Purpose {
  readonly method: string;
  readonly url: string;
  readonly requestHeaders: Headers;
  readonly requestBody: string;
  /** By our clock, when the answer's head had come. */
  answeredAt?: number;
  durationMs?: number;
  status?: number;
  headers?: Headers;
  /** The body, or its beginning. */
  text: string;
  bytes: number;
  error?: string;
}

/** Writes down what goes through a `fetch`, and changes nothing of it. */
export class Recorder {
  readonly recordings: Recording[] = [];
  readonly #clock: Clock;
  readonly #onBegin: (recording: Recording) => void;
  #purposeOf: (url: string) => Purpose = () => ({ step: "server", by: "doctor" });

  constructor(clock: Clock, onBegin: (recording: Recording) => void) {
    this.#clock = clock;
    this.#onBegin = onBegin;
  }

  /** The last request, for whoever has just sent it. */
  get last(): Recording | undefined {
    return this.recordings.at(-1);
  }

  /** Says what the requests of an operation are made for. */
  async during<Result>(
    purposeOf: Purpose | ((url: string) => Purpose),
    operation: () => Promise<Result>,
  ): Promise<Result> {
    const outer = this.#purposeOf;
    this.#purposeOf = typeof purposeOf === "function" ? purposeOf : () => purposeOf;
    try {
      return await operation();
    } finally {
      this.#purposeOf = outer;
    }
  }

  /** The same `fetch`, watched. */
  watch(fetch: Fetch): Fetch {
    return async (input, init) => {
      const recording = this.#begin(String(input), init);
      const startedAt = this.#clock.now();
      const response = await fetch(input, init);
      recording.answeredAt = this.#clock.now();
      recording.durationMs = recording.answeredAt - startedAt;
      recording.status = response.status;
      recording.headers = response.headers;
      const { body } = response;
      if (body !== null) Object.defineProperty(response, "body", { value: this.#tap(body, recording) });
      return response;
    };
  }

  #begin(url: string, init: RequestInit | undefined): Recording {
    const recording: Recording = {
      ...this.#purposeOf(url),
      method: init?.method ?? "GET",
      url,
      requestHeaders: new Headers(init?.headers),
      requestBody: init?.body == null ? "" : String(init.body),
      text: "",
      bytes: 0,
    };
    this.recordings.push(recording);
    this.#onBegin(recording);
    return recording;
  }

  #tap(body: ReadableStream<Uint8Array>, recording: Recording): ReadableStream<Uint8Array> {
    const reader = body.getReader();
    const decoder = new TextDecoder();
    const take = (chunk: Uint8Array): void => {
      if (recording.bytes < MOST_BYTES)
        recording.text += decoder.decode(chunk.subarray(0, MOST_BYTES - recording.bytes), { stream: true });
      recording.bytes += chunk.byteLength;
    };
    const pull = async (): Promise<Uint8Array | undefined> => {
      const { done, value } = await reader.read();
      if (!done) take(value);
      return value;
    };
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const chunk = await pull();
          if (chunk === undefined) controller.close();
          else controller.enqueue(chunk);
        },
        cancel: async (reason) => {
          // Who wants only the head of an answer still wants to know who gave it.
          await this.#peek(pull, recording);
          await reader.cancel(reason).catch(() => undefined);
        },
      },
      { highWaterMark: 0 },
    );
  }

  async #peek(pull: () => Promise<Uint8Array | undefined>, recording: Recording): Promise<void> {
    let cancel = (): void => undefined;
    const enough = new Promise<undefined>((resolve) => {
      cancel = this.#clock.schedule(() => resolve(undefined), PEEK_MS);
    });
    try {
      while (recording.bytes < PEEK_BYTES && (await Promise.race([pull(), enough])) !== undefined);
    } catch {
      // The rest of a body that nobody wanted is not missed.
    } finally {
      cancel();
    }
  }
}
