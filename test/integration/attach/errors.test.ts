// Our errors reach the host whole, through whatever the SDKs wrap around them.
import * as v2 from "@modelcontextprotocol/client";
import { findMcpOAuthError, McpOAuthError } from "mcp-oauth-client";
import { describe, expect, it, vi } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import { type ClientChoice, connected, failure, newConnection, startHost, startServers } from "./support/host.ts";

const clients: ClientChoice[] = [
  { sdk: "v1", wire: "Streamable HTTP", way: "fetch" },
  { sdk: "v1", wire: "Streamable HTTP", way: "authProvider" },
  { sdk: "v1", wire: "SSE", way: "fetch" },
  { sdk: "v1", wire: "SSE", way: "authProvider" },
  { sdk: "v2", wire: "Streamable HTTP", way: "fetch" },
  { sdk: "v2", wire: "Streamable HTTP", way: "authProvider" },
  { sdk: "v2", wire: "Streamable HTTP", way: "bearerProvider" },
  { sdk: "v2", wire: "SSE", way: "fetch" },
  { sdk: "v2", wire: "SSE", way: "authProvider" },
  { sdk: "v2", wire: "SSE", way: "bearerProvider" },
  { sdk: "v2 on the 2026-07-28 wire", wire: "Streamable HTTP", way: "fetch" },
  { sdk: "v2 on the 2026-07-28 wire", wire: "Streamable HTTP", way: "authProvider" },
  { sdk: "v2 on the 2026-07-28 wire", wire: "Streamable HTTP", way: "bearerProvider" },
];
const failed = v2.SdkErrorCode.EraNegotiationFailed;

const name = "with SDK $sdk over $wire by $way";

const start = ({ sdk, wire }: ClientChoice): ReturnType<typeof startServers> =>
  wire === "SSE" ? startServers({ transport: "sse" }) : startServers({ sdk: sdk === "v1" ? "v1" : "v2" });

describe("findMcpOAuthError finds the very error", () => {
  it.each(clients)(`that a denied sign-in gave, in what connect() rejects with, ${name}`, async (choice) => {
    const { as, mcp } = await start(choice);
    const { tokens, opened } = startHost({ person: new UserAgent({ deny: true }) });
    const error = await failure(newConnection(choice, tokens, mcp.url).connect(), "authorization_denied");
    expect(error).toBeInstanceOf(McpOAuthError);
    expect([error.server, error.issuer, error.oauthError]).toEqual([mcp.url.href, as.issuer, "access_denied"]);
    // One that is told of an error does not ask again behind the host's back.
    expect(opened).toHaveLength(1);
  });

  it.each(clients)(`that a session's end gave, in what a tool call rejects with, ${name}`, async (choice) => {
    const { as, mcp } = await start(choice);
    let deny = false;
    const { tokens } = startHost({ person: { open: (url) => new UserAgent({ deny }).open(url) } });
    const connection = await connected(choice, tokens, mcp.url);
    await connection.call("echo", { text: "before" });
    deny = true;
    as.revokeAll();
    const error = await failure(connection.call("echo", { text: "after" }), "authorization_denied");
    expect([error.server, error.issuer]).toEqual([mcp.url.href, as.issuer]);
  });

  // The newest wire has no stream of its own to reconnect.
  it.each(clients.filter(({ sdk }) => !sdk.endsWith("wire")))(
    `that a stream's reconnect gave, in what onerror gets, ${name}`,
    async (choice) => {
      const { as, mcp } = await start(choice);
      let deny = false;
      const { tokens } = startHost({ person: { open: (url) => new UserAgent({ deny }).open(url) } });
      if (choice.wire === "SSE") {
        mcp.respond("GET /sse", (_request, response, next) => {
          const write = response.write.bind(response);
          response.write = ((chunk: string) => write(`retry: 1\n\n${chunk}`)) as typeof response.write;
          next();
        });
      }
      const connection = await connected(choice, tokens, mcp.url);
      const path = mcp.url.pathname;
      await vi.waitFor(() => expect(mcp.log.find("GET", path).map(({ status }) => status)).toContain(200));
      deny = true;
      as.revokeAll();
      mcp.dropStreams();
      await vi.waitFor(() => {
        const found = connection.errors.map(findMcpOAuthError).find((error) => error !== undefined);
        expect(found?.code).toBe("authorization_denied");
        expect(found?.server).toBe(mcp.url.href);
      });
    },
  );

  it.each<[string, (ours: McpOAuthError) => unknown]>([
    ["itself", (ours) => ours],
    ["as a cause of a cause", (cause) => new Error("outer", { cause: new Error("inner", { cause }) })],
    ["as the SDK's version negotiation wraps it", (cause) => new v2.SdkError(failed, "probe failed", { cause })],
    ["among several", (ours) => new AggregateError([new Error("first"), ours], "both failed")],
    ["as the reason of a settled promise", (reason) => ({ status: "rejected", reason })],
    ["deep in properties of wrappers", (ours) => ({ error: { data: [{ originalError: ours }] } })],
  ])("kept %s, with nothing of its message outside", (_how, wrap) => {
    const ours = new McpOAuthError("timeout", "A message that no SDK was ever given.");
    expect(findMcpOAuthError(wrap(ours))).toBe(ours);
  });

  it("but nothing in errors that are not ours", () => {
    const cause = new Error("fetch failed", { cause: new TypeError("x") });
    for (const error of [
      undefined,
      null,
      "text",
      7,
      cause,
      new AggregateError([cause]),
      { message: 7 },
      new Error(""),
    ]) {
      expect(findMcpOAuthError(error)).toBeUndefined();
    }
  });
});
