import { describe, expect, it } from "vitest";
import { takeApart } from "../../../src/attach/replay.ts";

const URL_TEXT = "https://mcp.example.com/mcp";

/** What a server would get: a Request made of the parts. */
async function bodyOf(init: RequestInit): Promise<string> {
  return new Response(init.body).text();
}

describe("takeApart", () => {
  it.each<[string, () => unknown, boolean]>([
    ["nothing", () => undefined, true],
    ["null", () => null, true],
    ["a text", () => "hello", true],
    ["an ArrayBuffer", () => new TextEncoder().encode("hello").buffer, true],
    ["a view", () => new TextEncoder().encode("hello"), true],
    ["a Buffer", () => Buffer.from("hello"), true],
    ["a form", () => new URLSearchParams({ a: "b" }), true],
    ["a Blob", () => new Blob(["hello"]), true],
    ["a multipart form", () => new FormData(), true],
    ["a stream", () => new Blob(["hello"]).stream(), false],
    ["an async iterable", async function* () {}, false],
  ])("knows whether a body can be sent again: %s", async (_kind, body, replayable) => {
    const init = { method: "POST", body: body() as BodyInit, duplex: "half" };
    expect((await takeApart(URL_TEXT, init)).replayable).toBe(replayable);
  });

  it.each([URL_TEXT, new URL(URL_TEXT), new Request(URL_TEXT)])("takes an address in any form", async (input) => {
    expect((await takeApart(input, undefined)).url.href).toBe(URL_TEXT);
  });

  it("takes what an init has now, whatever its caller makes of it later", async () => {
    const headers = { "x-a": "first" };
    const init: RequestInit = { method: "POST", body: "first", headers, ...({ signal: undefined } as object) };
    const taking = takeApart(URL_TEXT, init);
    Object.assign(init, { method: "PUT", body: "second" });
    Object.assign(headers, { "x-a": "second" });
    const { init: taken } = await taking;
    expect([taken.method, taken.body, new Headers(taken.headers).get("x-a")]).toEqual(["POST", "first", "first"]);
    expect(taken).not.toHaveProperty("signal");
  });

  it("reads a Request's body, so that it can be sent again", async () => {
    const stop = new AbortController();
    const request = new Request(URL_TEXT, {
      method: "PUT",
      body: "hello",
      headers: { "x-a": "b" },
      signal: stop.signal,
      redirect: "manual",
    });
    const { init, replayable } = await takeApart(request, undefined);
    expect([init.method, new Headers(init.headers).get("x-a"), init.redirect, replayable]).toEqual([
      "PUT",
      "b",
      "manual",
      true,
    ]);
    expect([await bodyOf(init), await bodyOf(init)]).toEqual(["hello", "hello"]);
    stop.abort();
    expect(init.signal?.aborted).toBe(true);
  });

  it("lets init win over a Request, member by member, and reads undefined as absent", async () => {
    const request = new Request(URL_TEXT, { method: "PUT", body: "old", headers: { "x-a": "b" } });
    const { init } = await takeApart(request, { body: "new", headers: { "x-c": "d" }, method: undefined } as never);
    expect([init.method, await bodyOf(init), new Headers(init.headers).get("x-a")]).toEqual(["PUT", "new", null]);
  });

  it("reads a Request in the place of the init as fetch does, with all that it has by inheritance", async () => {
    const stop = new AbortController();
    const request = new Request("https://elsewhere.example/", {
      method: "PUT",
      body: "hello",
      headers: { "x-a": "b" },
      signal: stop.signal,
      redirect: "manual",
      integrity: "sha256-x",
    });
    const { url, init, replayable } = await takeApart(URL_TEXT, request);
    expect([url.href, init.method, new Headers(init.headers).get("x-a"), replayable]).toEqual([
      URL_TEXT,
      "PUT",
      "b",
      false,
    ]);
    expect(init).toMatchObject({ redirect: "manual", integrity: "sha256-x", duplex: "half" });
    stop.abort();
    expect(init.signal?.aborted).toBe(true);
    expect(await bodyOf(init)).toBe("hello");
  });

  it("keeps the members that only a host's own fetch knows, of an object of whatever class", async () => {
    class Init {
      readonly retries = 3;
      readonly method = undefined;
      get redirect(): string {
        return "error";
      }
    }
    for (const own of [{ retries: 3, redirect: "error" }, new Init()]) {
      expect((await takeApart(URL_TEXT, own as RequestInit)).init).toEqual({ retries: 3, redirect: "error" });
    }
    const inherits: RequestInit = Object.create({ method: "POST", headers: { "x-a": "b" } });
    const { init } = await takeApart(URL_TEXT, inherits);
    expect([init.method, new Headers(init.headers).get("x-a")]).toEqual(["POST", "b"]);
  });

  it("sends the same bytes each time, though the caller changes its buffer meanwhile", async () => {
    const buffer = new TextEncoder().encode("hello");
    const { init } = await takeApart(URL_TEXT, { method: "POST", body: buffer });
    buffer.fill(0);
    expect(await bodyOf(init)).toBe("hello");
  });

  it("keeps the content type that a body brings along", async () => {
    const { init } = await takeApart(URL_TEXT, { method: "POST", body: new URLSearchParams({ a: "b" }) });
    expect(new Headers(init.headers).get("content-type")).toContain("application/x-www-form-urlencoded");
    const { init: own } = await takeApart(URL_TEXT, {
      method: "POST",
      body: new URLSearchParams(),
      headers: { "content-type": "x/y" },
    });
    expect(new Headers(own.headers).get("content-type")).toBe("x/y");
  });

  it("does not change what the caller handed in", async () => {
    const init = Object.freeze({ method: "POST", body: "a", headers: Object.freeze({ a: "b" }) });
    await expect(takeApart(URL_TEXT, init)).resolves.toBeDefined();
  });
});
