import { describe, expect, it } from "vitest";
import type { HttpRequest } from "../../../src/core/http.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { closingAfterEach, manualHttp } from "../../support/stage.ts";

const closing = closingAfterEach();

function get(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { method: "GET", url, what: "The thing", details: { server: "s", issuer: "i" }, ...more };
}

describe("Http", () => {
  it("sends a request and reads the whole answer, whatever its status", async () => {
    const server = await closing(
      startScriptedServer({ "POST /x": ({ body }, { text }) => text(`${body} é`, 418, { "x-y": "z" }) }),
    );
    const { http, clock } = manualHttp();
    const answer = await http.send(get(`${server.url}/x`, { method: "POST", body: "hi", headers: { "x-a": "b" } }));
    expect([answer.status, answer.text, answer.headers.get("x-y")]).toEqual([418, "hi é", "z"]);
    expect(server.log.requests[0]?.headers["x-a"]).toBe("b");
    expect(clock.timers).toEqual([]);
  });

  it.each(["http://192.0.2.1/x", "http://mcp.example.com/", "ftp://127.0.0.1/"])(
    "does not connect to %s [TLS-1]",
    async (url) => {
      const fetched: unknown[] = [];
      const { http } = manualHttp({
        fetch: async (input) => {
          fetched.push(input);
          return new Response();
        },
      });
      expect(await failureOf(http.send(get(url)))).toMatchObject({ code: "insecure_url", server: "s", issuer: "i" });
      expect(fetched).toEqual([]);
    },
  );

  it.each([301, 302, 303, 307, 308])(
    "does not follow a %s of a request that may carry credentials [SSRF-4]",
    async (status) => {
      const server = await closing(
        startScriptedServer({
          "POST /x": (_, { redirect }) => redirect("/y", status),
          "/y": (_, { text }) => text("reached"),
        }),
      );
      const { http } = manualHttp();
      const error = await failureOf(http.send(get(`${server.url}/x`, { method: "POST", body: "secret=1" })));
      expect(error).toMatchObject({ code: "invalid_response", status });
      expect(server.log.count("*", "/y")).toBe(0);
    },
  );

  it("follows redirects within the origin where that is allowed, as often as allowed [SSRF-3] [SSRF-6]", async () => {
    const server = await closing(
      startScriptedServer({
        "*": ({ url }, { redirect, text }) => {
          const left = Number(url.searchParams.get("left"));
          return left === 0 ? text("here") : redirect(`?left=${left - 1}`);
        },
      }),
    );
    const { http } = manualHttp();
    expect((await http.send(get(`${server.url}/x?left=3`, { redirects: 3 }))).text).toBe("here");
    expect((await failureOf(http.send(get(`${server.url}/x?left=4`, { redirects: 3 })))).code).toBe("invalid_response");
    expect(server.log.requests).toHaveLength(8);
  });

  it.each<[string, (other: string) => string]>([
    ["another port", (other) => other],
    ["another host", () => "http://localhost:1/"],
    ["a private address", () => "http://169.254.169.254/latest/meta-data"],
    ["https", () => "https://mcp.example.com/"],
    ["another scheme", () => "file:///etc/passwd"],
    ["nothing at all", () => "http://"],
  ])("does not follow a redirect to %s [SSRF-3]", async (_where, location) => {
    const other = await closing(startScriptedServer({ "*": (_, { text }) => text("reached") }));
    const server = await closing(
      startScriptedServer({ "*": (_, { redirect }) => redirect(location(`${other.url}/`)) }),
    );
    const { http } = manualHttp();
    expect((await failureOf(http.send(get(server.url, { redirects: 3 })))).code).toBe("invalid_response");
    expect(other.log.requests).toEqual([]);
  });

  it.each<[string, Record<string, string>]>([
    ["without end", {}],
    ["that was announced to be short", { "x-note": "small" }],
  ])("stops reading a body %s [SSRF-6]", async (_case, headers) => {
    const server = await closing(startScriptedServer({ "*": (_, { endless }) => endless(headers) }));
    const { http } = manualHttp({ maxBodyBytes: 100_000 });
    const error = await failureOf(http.send(get(server.url)));
    expect(error).toMatchObject({ code: "invalid_response", status: 200 });
    expect(error.message).toContain("100000 bytes");
  });

  it("reads a body that is exactly as long as allowed [SSRF-6]", async () => {
    const server = await closing(
      startScriptedServer({ "*": ({ url }, { text }) => text("x".repeat(Number(url.search.slice(1)))) }),
    );
    const { http } = manualHttp({ maxBodyBytes: 1000 });
    expect((await http.send(get(`${server.url}/?1000`))).text).toHaveLength(1000);
    expect((await failureOf(http.send(get(`${server.url}/?1001`)))).code).toBe("invalid_response");
  });

  it("does not wait longer than its deadline for the headers [SSRF-6] [ERR-3]", async () => {
    const { http, clock } = manualHttp({ timeoutMs: 5000 });
    const server = await closing(
      startScriptedServer({
        "*": (request, { hang }) => {
          clock.advance(5000);
          return hang(request);
        },
      }),
    );
    const error = await failureOf(http.send(get(server.url)));
    expect(error).toMatchObject({ code: "timeout", server: "s", issuer: "i" });
    expect(error.message).toContain("5000 ms");
  });

  it("does not wait longer than its deadline for the body, redirects included [SSRF-6] [ERR-3]", async () => {
    const { http, clock } = manualHttp({ timeoutMs: 5000 });
    const dripping = new ReadableStream<Uint8Array>({ pull: () => void clock.advance(2000) }, { highWaterMark: 0 });
    const server = await closing(
      startScriptedServer({
        "/x": (_, { redirect }) => {
          clock.advance(4000);
          return redirect("/y");
        },
        "/y": () => new Response(dripping),
      }),
    );
    expect((await failureOf(http.send(get(`${server.url}/x`, { redirects: 1 })))).code).toBe("timeout");
  });

  it("ends with the caller's signal [ERR-3]", async () => {
    const stop = new AbortController();
    const server = await closing(
      startScriptedServer({
        "*": (request, { hang }) => {
          stop.abort(new Error("bored"));
          return hang(request);
        },
      }),
    );
    const { http, clock } = manualHttp();
    expect(await failureOf(http.send(get(server.url, { signal: stop.signal })))).toMatchObject({
      code: "aborted",
      cause: { message: "bored" },
    });
    expect(clock.timers).toEqual([]);
  });

  it("says why a server could not be reached", async () => {
    const server = await startScriptedServer({ "*": () => "reset" });
    const { http } = manualHttp();
    expect((await failureOf(http.send(get(server.url)))).code).toBe("network_failed");
    await server.close();
    const error = await failureOf(http.send(get(server.url)));
    expect(error.code).toBe("network_failed");
    expect(error.message).toContain("ECONNREFUSED");
  });

  it("keeps what it sent out of every error", async () => {
    const server = await startScriptedServer({ "*": () => "reset" });
    const { http } = manualHttp();
    const request = get(server.url, {
      method: "POST",
      body: new URLSearchParams({ code: "planted-code-0001" }),
      headers: { authorization: "Basic planted-basic-0002" },
    });
    const reset = await failureOf(http.send(request));
    await server.close();
    const refused = await failureOf(http.send(request));
    for (const error of [reset, refused]) expect(shown(error)).not.toMatch(/planted/);
  });

  it("reads no body where only the status matters, and takes a redirect for an answer", async () => {
    const server = await closing(
      startScriptedServer({
        "/stream": (_, { endless }) => endless(),
        "/away": (_, { redirect }) => redirect("https://elsewhere.example/"),
      }),
    );
    const { http } = manualHttp({ maxBodyBytes: 10 });
    expect(await http.send(get(`${server.url}/stream`, { withoutBody: true }))).toMatchObject({
      status: 200,
      text: "",
    });
    expect(await http.send(get(`${server.url}/away`, { withoutBody: true }))).toMatchObject({ status: 302 });
  });
});
