/** An endpoint event comes first on its stream and is short; what is longer is something else. */
const LONGEST_EVENT = 8192;

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

/**
 * Passes an event stream on unchanged and tells when its first event is the `endpoint` event of the older HTTP+SSE
 * transport, by which the server says where to post messages (MCP 2024-11-05, transports).
 */
export function watchForEndpoint(response: Response, onEndpoint: (endpoint: string) => void): Response {
  if (response.body === null) return response;
  const decoder = new TextDecoder();
  let text: string | undefined = "";
  const look = (chunk: Uint8Array): void => {
    if (text === undefined) return;
    text += decoder.decode(chunk, { stream: true });
    const end = /\r\n\r\n|\n\n|\r\r/.exec(text);
    if (end === null && text.length <= LONGEST_EVENT) return;
    const endpoint = end === null ? undefined : endpointOf(text.slice(0, end.index));
    if (endpoint !== undefined) onEndpoint(endpoint);
    text = undefined;
  };
  const body = response.body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        look(chunk);
        controller.enqueue(chunk);
      },
    }),
  );
  const watched = new Response(body, response);
  Object.defineProperty(watched, "url", { value: response.url });
  return watched;
}
