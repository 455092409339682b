import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { watchForEndpoint } from "../../../src/attach/sse-endpoint.ts";

/** Sends a stream through in these chunks, and gives the endpoints that were told and what came out. */
async function watched(chunks: readonly Uint8Array[]): Promise<{ told: string[]; out: string }> {
  const told: string[] = [];
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });
  const response = watchForEndpoint(new Response(body), (endpoint) => told.push(endpoint));
  return { told, out: await response.text() };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("watchForEndpoint", () => {
  it.each<[string, string, string[]]>([
    ["an endpoint", "event: endpoint\ndata: /messages?id=1\n\nevent: message\ndata: x\n\n", ["/messages?id=1"]],
    ["line ends of CR LF", "event: endpoint\r\ndata: /m\r\n\r\n", ["/m"]],
    ["line ends of CR", "event: endpoint\rdata: /m\r\r", ["/m"]],
    ["no space after the colon", "event:endpoint\ndata:/m\n\n", ["/m"]],
    ["fields in another order, with an id", "id: 1\ndata: /m\nevent: endpoint\n\n", ["/m"]],
    ["a byte order mark", "\ufeffevent: endpoint\ndata: /m\n\n", ["/m"]],
    ["a comment before it", ": hello\n\nevent: endpoint\ndata: /m\n\n", ["/m"]],
    ["two endpoints: the first counts", "event: endpoint\ndata: /a\n\nevent: endpoint\ndata: /b\n\n", ["/a"]],
    ["another event", "event: message\ndata: /m\n\n", []],
    ["an event that only looks like one", "event: endpoints\ndata: /m\n\n", []],
    ["an endpoint without data", "event: endpoint\n\n", []],
    ["an event that is cut off", "event: endpoint\ndata: /m\n", []],
    ["an endpoint after a lot of other text", `data: ${"x".repeat(10_000)}\n\nevent: endpoint\ndata: /m\n\n`, []],
    ["nothing", "", []],
  ])("%s", async (_case, text, expected) => {
    const whole = bytes(text);
    const single = [...whole].map((byte) => new Uint8Array([byte]));
    for (const chunks of [[whole], single]) {
      const { told, out } = await watched(chunks);
      expect(out).toBe(text.replace(/^\ufeff/, ""));
      // A byte at a time, text after the limit is not looked at; in one piece it may be.
      if (!text.includes("x".repeat(10_000)) || chunks === single) expect(told).toEqual(expected);
    }
  });

  it("finds the endpoint however the stream is cut into chunks, in the middle of a character too", () => {
    const whole = bytes(": é\n\nevent: endpoint\ndata: /mé\n\nrest");
    return fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: whole.length }), { maxLength: 6 }), async (cuts) => {
        const edges = [0, ...cuts.sort((left, right) => left - right), whole.length];
        const chunks = edges.slice(1).map((edge, index) => whole.slice(edges[index], edge));
        expect(await watched(chunks.filter((chunk) => chunk.length > 0))).toEqual({
          told: ["/mé"],
          out: new TextDecoder().decode(whole),
        });
      }),
      { numRuns: 60 },
    );
  });

  it("leaves an answer without a body, and status, headers and address, as they are", () => {
    const empty = new Response(null, { status: 204 });
    expect(watchForEndpoint(empty, () => undefined)).toBe(empty);
    const response = new Response("x", { status: 201, headers: { a: "b" } });
    Object.defineProperty(response, "url", { value: "https://mcp.example.com/sse" });
    const passed = watchForEndpoint(response, () => undefined);
    expect([passed.status, passed.headers.get("a"), passed.url]).toEqual([201, "b", "https://mcp.example.com/sse"]);
  });
});
