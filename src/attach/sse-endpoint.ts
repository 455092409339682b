/** An endpoint event comes first on its stream and is short; what comes after this much text is something else. */
const LONGEST_PREFACE = 8192;

const EVENT_END = /\r\n\r\n|\n\n|\r\r/;

/** The data of an `endpoint` event, when the text is one whole such event. */
function endpointOf(event: string): string | undefined {
  const lines = event.split(/\r\n|\n|\r/);
  const field = (name: string): string | undefined =>
    lines
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .replace(/^ /, "");
  return field("event") === "endpoint" ? field("data") : undefined;
}

/** Reads the start of an event stream until it has said its endpoint. */
class EndpointReader {
  readonly #onEndpoint: (endpoint: string) => void;
  readonly #decoder = new TextDecoder();
  #text = "";
  #charactersLeft = LONGEST_PREFACE;

  constructor(onEndpoint: (endpoint: string) => void) {
    this.#onEndpoint = onEndpoint;
  }

  read(chunk: Uint8Array): void {
    if (this.#charactersLeft <= 0) return;
    const text = this.#decoder.decode(chunk, { stream: true });
    this.#charactersLeft -= text.length;
    this.#text += text;
    // Comments and retry fields may come before the endpoint.
    for (let end = EVENT_END.exec(this.#text); end !== null; end = EVENT_END.exec(this.#text)) {
      const endpoint = endpointOf(this.#text.slice(0, end.index));
      this.#text = this.#text.slice(end.index + end[0].length);
      if (endpoint === undefined) continue;
      this.#onEndpoint(endpoint);
      this.#charactersLeft = 0;
      return;
    }
  }
}

/**
 * Passes an event stream on unchanged and tells when it says its `endpoint`: by this event a server of the older HTTP+SSE
 * transport tells where to post messages (MCP 2024-11-05, transports).
 */
export function watchForEndpoint(response: Response, onEndpoint: (endpoint: string) => void): Response {
  if (response.body === null) return response;
  const reader = new EndpointReader(onEndpoint);
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        reader.read(chunk);
        controller.enqueue(chunk);
      },
    }),
  );
  const watched = new Response(body, response);
  Object.defineProperty(watched, "url", { value: response.url });
  Object.defineProperty(watched, "redirected", { value: response.redirected });
  return watched;
}
