import type { ServerResponse } from "node:http";

/** Knows the responses that are still being written, so that a test can cut them. */
export class StreamTracker {
  readonly #open = new Set<ServerResponse>();

  watch(response: ServerResponse): void {
    this.#open.add(response);
    response.once("close", () => this.#open.delete(response));
  }

  drop(): void {
    for (const response of this.#open) response.socket?.destroy();
  }
}
