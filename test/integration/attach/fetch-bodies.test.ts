// What `tokens.fetch` sends the second time, after a refusal: the same, to the byte.
import { describe, expect, it } from "vitest";
import type { LoggedRequest } from "../../servers/request-log.ts";
import { startHost, tokenRequests } from "./support/host.ts";
import { echoed, type Resource, signedIn, startResource } from "./support/resource.ts";

const binary = Uint8Array.from({ length: 256 }, (_unused, index) => index % 128);

function form(): FormData {
  const data = new FormData();
  data.set("name", "ä & b");
  data.set("file", new File([binary], "all.bin", { type: "application/octet-stream" }));
  return data;
}

interface Sent {
  readonly input: (url: URL) => URL | string | Request;
  readonly init?: RequestInit;
}

const post = (body: BodyInit): Sent => ({ input: (url) => url, init: { method: "POST", body } });

const replayable: Record<string, () => Sent> = {
  "a text": () => post("grüße"),
  "form fields": () => post(new URLSearchParams({ a: "1 & 2", b: "ü" })),
  "a multipart form with a file": () => post(form()),
  "a typed array": () => post(binary),
  "an ArrayBuffer": () => post(binary.slice().buffer),
  "a DataView": () => post(new DataView(binary.slice().buffer, 10, 20)),
  "a Blob": () => post(new Blob([binary], { type: "Application/X-Thing" })),
  "no body": () => ({ input: (url) => url, init: { method: "DELETE", headers: { "x-trace": "1" } } }),
  "an URL given as text": () => ({ input: String }),
  "a Request": () => ({
    input: (url) => new Request(url, { method: "PUT", body: "whole", headers: { "x-trace": "1" } }),
  }),
  "a Request with a multipart form": () => ({ input: (url) => new Request(url, { method: "POST", body: form() }) }),
  "a Request whose body is a stream": () => ({
    input: (url) =>
      new Request(url, { method: "POST", body: new Blob(["streamed"]).stream(), duplex: "half" } as RequestInit),
  }),
  "a Request with another body and other headers beside it": () => ({
    input: (url) => new Request(url, { method: "POST", body: "of the request", headers: { "x-trace": "1" } }),
    init: { body: "of the init", headers: { "x-trace": "2" } },
  }),
  "a Request with a body of null beside it": () => ({
    input: (url) => new Request(url, { method: "POST", body: "kept" }),
    init: { body: null },
  }),
  "a Request without a body in the place of the init": () => ({
    input: (url) => url,
    init: new Request("http://elsewhere.example", { method: "DELETE", headers: { "x-trace": "1" } }),
  }),
  "a Request with members that are undefined beside it": () => ({
    input: (url) => new Request(url, { method: "POST", body: "kept", headers: { "x-trace": "1" } }),
    init: { body: undefined, headers: undefined, method: undefined, signal: undefined } as unknown as RequestInit,
  }),
};

/** All of a request that its sender decides, but for the token. How the body's length is told is the connection's matter. */
function wholeOf({ method, path, headers, body }: LoggedRequest): unknown {
  const { authorization, "content-length": _length, "transfer-encoding": _chunked, ...others } = headers;
  return { method, path, body, headers: others };
}

/** The token that was good is none any more, and can be refreshed. */
function endToken({ accessTokens }: Resource): void {
  accessTokens.clear();
}

describe("after a refresh the same request is sent once more, byte for byte", () => {
  it.each(Object.keys(replayable))("with %s [CHL-10]", async (name) => {
    const resource = await startResource();
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    const { input, init } = replayable[name]?.() ?? post("");
    // What a plain fetch makes of the same arguments.
    await fetch(input(resource.mcpUrl), init);
    const [plain] = resource.asked().map(wholeOf) as { headers: Record<string, string> }[];
    resource.log.clear();
    endToken(resource);
    const response = await tokens.fetch(resource.mcpUrl)(input(resource.mcpUrl), init);
    const [first, second, ...more] = resource.asked();
    expect([response.status, first?.status, second?.status, more]).toEqual([200, 401, 200, []]);
    expect(first && second && wholeOf(second)).toEqual(first && wholeOf(first));
    expect(second?.headers.authorization).not.toBe(first?.headers.authorization);
    // The boundary of a multipart form is the sender's to invent, but once.
    const boundary = /boundary=(\S+)/.exec(plain?.headers["content-type"] ?? "")?.[1] ?? "\n";
    const boundaryNow = /boundary=(\S+)/.exec(second?.headers["content-type"] ?? "")?.[1] ?? "\n";
    expect(second && JSON.stringify(wholeOf(second)).replaceAll(boundaryNow, boundary)).toEqual(JSON.stringify(plain));
    expect(tokenRequests(resource, "refresh_token")).toBe(1);
  });

  it("also where the caller uses its buffer for something else meanwhile", async () => {
    const resource = await startResource();
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    endToken(resource);
    const buffer = new TextEncoder().encode("first");
    const call = tokens.fetch(resource.mcpUrl)(resource.mcpUrl, { method: "POST", body: buffer });
    await Promise.resolve();
    buffer.fill(120);
    await call;
    expect(resource.asked().map(({ body }) => body)).toEqual(["first", "first"]);
  });
});

describe("a body that can be read only once", () => {
  const streams: Record<string, () => BodyInit> = {
    "a stream": () => new Blob(["once"]).stream(),
    "an async iterable": () =>
      (async function* () {
        yield new TextEncoder().encode("once");
      })() as unknown as BodyInit,
  };
  const posting = (name: string): RequestInit =>
    ({ method: "POST", body: streams[name]?.() ?? null, duplex: "half" }) as RequestInit;

  it.each(Object.keys(streams))(
    "such as %s is not sent again: the 401 is handed back after the token was renewed",
    async (name) => {
      const resource = await startResource();
      const { tokens } = startHost();
      const old = await signedIn(tokens, resource);
      endToken(resource);
      const fetch = tokens.fetch(resource.mcpUrl);
      const send = (): Promise<Response> => fetch(resource.mcpUrl, posting(name));
      const refused = await send();
      expect([refused.status, await refused.text()]).toEqual([401, "who are you?"]);
      expect(tokenRequests(resource, "refresh_token")).toBe(1);
      expect((await send()).status).toBe(200);
      expect(resource.asked().map(({ body, status }) => [body, status])).toEqual([
        ["once", 401],
        ["once", 200],
      ]);
      expect(resource.asked()[1]?.headers.authorization).not.toBe(old);
    },
  );

  it.each(Object.keys(streams).flatMap((name) => [307, 308].map((status) => [name, status] as const)))(
    "such as %s does not follow a redirect by %i, as with a plain fetch",
    async (name, status) => {
      const resource = await startResource({
        "/mcp/below": (_request, { redirect }) => redirect("/mcp", status),
      });
      const { tokens } = startHost();
      await signedIn(tokens, resource);
      const url = new URL("/mcp/below", resource.url);
      await expect(fetch(url, posting(name))).rejects.toThrow(TypeError);
      const call = tokens.fetch(resource.mcpUrl)(url, posting(name));
      await expect(call).rejects.toThrow(
        new TypeError(`fetch failed: the redirect to ${url.host} needs a body again that can be read only once`),
      );
      expect(resource.asked().map(({ path, body }) => [path, body])).toEqual([
        ["/mcp/below", "once"],
        ["/mcp/below", "once"],
      ]);
    },
  );

  it.each(Object.keys(streams))("such as %s is dropped by a redirect that asks for a GET", async (name) => {
    const resource = await startResource({ "/mcp/below": (_request, { redirect }) => redirect("/mcp", 303) });
    const { tokens } = startHost();
    await signedIn(tokens, resource);
    const response = await tokens.fetch(resource.mcpUrl)(new URL("/mcp/below", resource.url), posting(name));
    expect(await echoed(response)).toMatchObject({ method: "GET", body: "" });
  });
});

describe("an abort", () => {
  it("rejects with the signal's own reason, as a fetch does, while somebody signs in", async () => {
    const resource = await startResource();
    const controller = new AbortController();
    const reason = new Error("not needed any more");
    const { tokens, opened } = startHost({ person: { open: () => controller.abort(reason) } });
    const { signal } = controller;
    await expect(tokens.fetch(resource.mcpUrl)(resource.mcpUrl, { signal })).rejects.toBe(reason);
    expect(opened).toHaveLength(1);
    await expect(tokens.fetch(resource.mcpUrl)(new Request(resource.mcpUrl, { signal }))).rejects.toBe(reason);
  });
});
