import type { Message } from "./json-rpc.ts";

/** One message on its way to the server, with all HTTP requests that belong to it: its POST, and GETs that resume it. */
export class Exchange {
  readonly message: Message;
  /** Ends its HTTP requests. */
  readonly controller: AbortController = new AbortController();
  /** Settles with the answer, or with the reason why there will be none. */
  readonly outcome: Promise<void>;
  /** Whether the server numbers the events of its stream, so that a GET can go on where it broke. */
  isResumable = false;
  /** How often in a row that GET has failed. */
  failedResumptions = 0;
  /** How often in a row it has been redirected. */
  redirectsInARow = 0;
  #settle: { resolve: () => void; reject: (error: unknown) => void } | undefined;

  constructor(message: Message) {
    this.message = message;
    this.outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // It may fail before anybody waits for it.
    this.outcome.catch(() => undefined);
  }

  get isOver(): boolean {
    return this.#settle === undefined;
  }

  /** It has been answered, or given up by its sender. */
  end(): void {
    this.#settle?.resolve();
    this.#settle = undefined;
  }

  /** There will be no answer. */
  fail(error: unknown): void {
    this.#settle?.reject(error);
    this.#settle = undefined;
  }
}
