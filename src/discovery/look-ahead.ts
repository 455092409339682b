import type { Http } from "../core/http.ts";
import { insertWellKnown } from "../core/url.ts";
import { fetchMetadata, type MetadataAnswer } from "./fetch-metadata.ts";

/**
 * Protected resource metadata that is fetched before the challenge that asks for it, because a first request without a
 * token is most likely refused: one round trip less for whoever waits. It is looked for where a challenge points that does
 * not say otherwise, on the server that the host itself named, without credentials.
 */
export class LookAhead {
  readonly #url: string;
  readonly #answer: Promise<MetadataAnswer | undefined>;
  readonly #over = new AbortController();

  constructor(http: Http, server: string) {
    this.#url = insertWellKnown(new URL(server), "oauth-protected-resource");
    const what = "The protected resource metadata";
    this.#answer = fetchMetadata(http, this.#url, what, { server }, this.#over.signal).catch(() => undefined);
  }

  /** What was found at a place, if that is where was looked. A failure says nothing: whoever needs it asks again. */
  async answerFrom(url: string): Promise<MetadataAnswer | undefined> {
    if (url !== this.#url) return undefined;
    const answer = await this.#answer;
    return answer?.kind === "failed" ? undefined : answer;
  }

  /** Nobody needs it. */
  drop(): void {
    this.#over.abort();
  }
}
