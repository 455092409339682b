import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fetchMetadata } from "../../../src/discovery/fetch-metadata.ts";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { anyText } from "../../support/any-text.ts";
import { failureOf } from "../../support/failure.ts";
import { closingAfterEach, manualHttp } from "../../support/stage.ts";

const closing = closingAfterEach();

async function fetched(route: ScriptedRoute, signal?: AbortSignal) {
  const server = await closing(startScriptedServer({ "*": route }));
  const answer = await fetchMetadata(manualHttp().http, `${server.url}/doc`, "The metadata", { server: "s" }, signal);
  return { answer, server };
}

describe("fetchMetadata", () => {
  it("asks with GET for JSON, and says which revision of MCP it follows [PRM-4] [ASM-9]", async () => {
    const { answer, server } = await fetched((_, { json }) =>
      json({ a: 1, unknown: { b: 2 } }, 200, { "cache-control": "max-age=7" }),
    );
    expect(answer).toEqual({ kind: "found", document: { a: 1, unknown: { b: 2 } }, lifetimeMs: 7000 });
    expect(server.log.requests[0]).toMatchObject({
      method: "GET",
      headers: { accept: "application/json", "mcp-protocol-version": "2026-07-28" },
    });
    expect(server.log.requests[0]?.headers).not.toHaveProperty("authorization");
  });

  it.each<[string, ScriptedRoute]>([
    ["404", (_, { text }) => text("no", 404)],
    ["401", (_, { json }) => json({ error: "unauthorized" }, 401)],
    ["403", (_, { text }) => text("no", 403)],
    ["405", (_, { text }) => text("no", 405)],
    ["410", (_, { text }) => text("no", 410)],
    ["200 with a page in HTML", (_, { html }) => html("<!doctype html><title>App</title>")],
  ])("takes %s for absence [LEG-6]", async (_case, route) => {
    expect((await fetched(route)).answer).toEqual({ kind: "absent" });
  });

  it.each<[string, ScriptedRoute, string]>([
    ["500", (_, { text }) => text("no", 500), "discovery_failed"],
    ["503", (_, { text }) => text("no", 503), "discovery_failed"],
    ["408", (_, { text }) => text("no", 408), "discovery_failed"],
    ["429", (_, { text }) => text("no", 429), "discovery_failed"],
    ["204", () => new Response(null, { status: 204 }), "discovery_failed"],
    ["206", (_, { json }) => json({}, 206), "discovery_failed"],
    ["304", () => new Response(null, { status: 304 }), "discovery_failed"],
    ["200 with an empty body", (_, { text }) => text(""), "invalid_response"],
    [
      "200 with broken JSON",
      (_, { text }) => text('{"a":', 200, { "content-type": "application/json" }),
      "invalid_response",
    ],
    ["200 with an array", (_, { json }) => json([{}]), "invalid_response"],
    ["200 with null", (_, { json }) => json(null), "invalid_response"],
    ["200 with a text", (_, { json }) => json("{}"), "invalid_response"],
    ["200 with a number", (_, { json }) => json(5), "invalid_response"],
    ["a body without end", (_, { endless }) => endless(), "invalid_response"],
    ["a redirect to another origin", (_, { redirect }) => redirect("http://localhost:9/"), "invalid_response"],
    ["a redirect that goes in circles", (_, { redirect }) => redirect("/doc"), "invalid_response"],
    ["a cut connection", () => "reset", "network_failed"],
  ])("does not take %s for absence, nor for a document [PRM-4] [LEG-6]", async (_case, route, code) => {
    expect((await fetched(route)).answer).toMatchObject({ kind: "failed", error: { code, server: "s" } });
  });

  it("follows a redirect to a trailing slash", async () => {
    const { answer } = await fetched(({ path }, { redirect, json }) =>
      path.endsWith("/") ? json({ a: 1 }) : redirect("/doc/", 301),
    );
    expect(answer).toMatchObject({ kind: "found", document: { a: 1 } });
  });

  it("takes a document for one under any content type, even that of a page", async () => {
    for (const contentType of [
      "application/json; charset=utf-8",
      "text/plain",
      "text/html",
      "application/octet-stream",
    ]) {
      const { answer } = await fetched((_, { text }) => text('{"a":1}', 200, { "content-type": contentType }));
      expect(answer, contentType).toMatchObject({ kind: "found", document: { a: 1 } });
    }
  });

  it("shows nothing of the body in its errors [ERR-2]", async () => {
    const { answer } = await fetched((_, { text }) =>
      text("canary-internal-page", 200, { "content-type": "application/json" }),
    );
    expect(JSON.stringify(answer) + (answer.kind === "failed" ? answer.error.message : "")).not.toContain("canary");
  });

  it("throws when the caller stops, since then nobody wants another try", async () => {
    expect((await failureOf(fetched((_, { json }) => json({}), AbortSignal.abort()))).code).toBe("aborted");
  });

  it("gives a document, absence or a typed failure for whatever a server answers", async () => {
    let next: { status: number; body: string; contentType: string } = { status: 200, body: "", contentType: "x/y" };
    const server = await closing(
      startScriptedServer({ "*": (_, { text }) => text(next.body, next.status, { "content-type": next.contentType }) }),
    );
    const { http } = manualHttp();
    const anything = fc.record({
      status: fc.constantFrom(200, 200, 200, 201, 299, 300, 400, 499, 500, 599),
      body: fc.oneof(anyText(), fc.json()),
      contentType: fc.constantFrom("application/json", "text/html", "x/y"),
    });
    await fc.assert(
      fc.asyncProperty(anything, async (answer) => {
        next = answer;
        const got = await fetchMetadata(http, server.url, "The metadata", {});
        if (got.kind === "failed") await failureOf(Promise.reject(got.error));
        if (got.kind === "found") expect(JSON.parse(answer.body)).toEqual(got.document);
      }),
      { numRuns: 60 },
    );
  });
});
