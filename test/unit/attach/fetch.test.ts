import { describe, expect, it } from "vitest";
import { memoryStore, TokenManager } from "../../../src/index.ts";

const SERVER = "https://mcp.example.com/mcp";

/** A token manager's fetch over a network that answers each request by this event stream. */
async function fetchOver(answer: Response): Promise<typeof fetch> {
  const tokens = new TokenManager({ clientName: "Test", store: memoryStore(), fetch: async () => answer });
  await tokens.setToken(SERVER, "a-key");
  return tokens.fetch(SERVER);
}

describe("the fetch of a token manager", () => {
  const endpoint = "event: endpoint\ndata: /messages?id=1\n\n";
  const eventStream = (): Response => new Response(endpoint, { headers: { "content-type": "text/event-stream" } });

  it("hands on the answer to a message as it came, also when it is an event stream", async () => {
    const answer = eventStream();
    const fetch = await fetchOver(answer);
    expect(await fetch(SERVER, { method: "POST", body: "{}" })).toBe(answer);
  });

  it("reads along in a stream that was asked for, and leaves its content as it is", async () => {
    const answer = eventStream();
    const fetch = await fetchOver(answer);
    const watched = await fetch(SERVER, { headers: { accept: "text/event-stream" } });
    expect(watched).not.toBe(answer);
    expect(await watched.text()).toBe(endpoint);
  });

  it("hands on the stream of a Streamable HTTP session as it came: none of these says where to post", async () => {
    const answer = eventStream();
    const fetch = await fetchOver(answer);
    const headers = { accept: "text/event-stream", "Mcp-Session-Id": "1" };
    expect(await fetch(SERVER, { headers })).toBe(answer);
    const request = new Request(SERVER, { headers });
    expect(await fetch(request)).toBe(answer);
  });
});
