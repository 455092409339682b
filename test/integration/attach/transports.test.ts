// What the SDKs' transports send over the life of a session.
import type { ServerResponse } from "node:http";
import type { TokenManager } from "mcp-oauth-client";
import { describe, expect, it, vi } from "vitest";
import type { FaultHandler } from "../../servers/fault-injection.ts";
import type { LoggedRequest } from "../../servers/request-log.ts";
import { type ClientChoice, connected, type Servers, startHost, startServers, tokensOf } from "./support/host.ts";

const httpClients: ClientChoice[] = [
  { sdk: "v1", way: "fetch" },
  { sdk: "v1", way: "authProvider" },
  { sdk: "v2", way: "fetch" },
  { sdk: "v2", way: "authProvider" },
  { sdk: "v2", way: "bearerProvider" },
];
const sseClients: ClientChoice[] = httpClients.map((client) => ({ ...client, wire: "SSE" }));

/** Changes the first thing that is written to an event stream; the real server writes the rest. */
function beforeFirstEvent(change: (text: string) => string): FaultHandler {
  return (_request, response: ServerResponse, next) => {
    const write = response.write.bind(response);
    response.write = ((chunk: string, ...rest: []) => {
      response.write = write;
      return write(change(String(chunk)), ...rest);
    }) as typeof response.write;
    next();
  };
}

/** Everything that was asked of the MCP endpoint with a token, or that came after the first request with one. */
function authorizedPart({ mcp }: Servers): readonly LoggedRequest[] {
  const requests = mcp.log.find("*", (path) => path.startsWith("/mcp") || path.startsWith("/sse"));
  return requests.slice(requests.findIndex(({ headers }) => headers.authorization !== undefined));
}

async function expectNoTokenInAnyUrl({ as, mcp }: Servers, tokens: TokenManager): Promise<void> {
  const token = (await tokens.get(mcp.url)).accessToken.reveal();
  for (const { path, query } of [...as.log.requests, ...mcp.log.requests]) {
    expect(path + decodeURIComponent(query.toString())).not.toContain(token);
    expect([...query.keys()]).not.toContain("access_token");
  }
}

describe("Streamable HTTP", () => {
  it.each(httpClients)(
    "SDK $sdk by $way carries the token on POST, on the GET stream and its reconnects, and on DELETE [TOK-1], and never in a URL [TOK-2]",
    async (choice) => {
      const servers = await startServers();
      const { mcp } = servers;
      const { tokens } = startHost();
      const connection = await connected(choice, tokens, mcp.url);
      for (const streams of [1, 2, 3]) {
        await vi.waitFor(() =>
          expect(mcp.log.find("GET", "/mcp").filter(({ status }) => status === 200)).toHaveLength(streams),
        );
        mcp.dropStreams();
      }
      expect(await connection.call("echo", { text: "still there" })).toBe("still there");
      await connection.terminate();
      const requests = authorizedPart(servers);
      expect(new Set(requests.map(({ method }) => method))).toEqual(new Set(["POST", "GET", "DELETE"]));
      expect(tokensOf(requests)).toEqual([expect.stringMatching(/^Bearer \S+$/)]);
      await expectNoTokenInAnyUrl(servers, tokens);
    },
  );

  it.each(httpClients)(
    "SDK $sdk by $way follows the server's redirect to another path with the token",
    async (choice) => {
      const servers = await startServers();
      const { mcp } = servers;
      const { tokens } = startHost();
      await tokens.signIn(mcp.url);
      mcp.respond({ path: "/moved" }, (request, _response, next) => {
        request.url = "/mcp";
        next();
      });
      mcp.respond({ path: "/mcp" }, (_request, response) => response.writeHead(307, { location: "/moved" }).end());
      const connection = await connected(choice, tokens, mcp.url);
      expect(await connection.call("echo", { text: "moved" })).toBe("moved");
      expect(tokensOf(mcp.log.find("*", "/moved"))).toEqual([expect.stringMatching(/^Bearer \S+$/)]);
    },
  );
});

describe("SSE", () => {
  it.each(sseClients)(
    "SDK $sdk by $way carries the token to the stream, its reconnects and the message endpoint [TOK-1], and never in a URL [TOK-2]",
    async (choice) => {
      const servers = await startServers({ transport: "sse" });
      const { mcp } = servers;
      const { tokens } = startHost();
      await tokens.signIn(mcp.url);
      mcp.log.clear();
      mcp.respond(
        "GET /sse",
        beforeFirstEvent((text) => `: hello\n\nretry: 1\n\n${text}`),
      );
      const connection = await connected(choice, tokens, mcp.url);
      mcp.dropStreams();
      await vi.waitFor(() =>
        expect(mcp.log.find("GET", "/sse").filter(({ status }) => status === 200)).toHaveLength(2),
      );
      await vi.waitFor(async () =>
        expect(await connection.call("echo", { text: "back" }, { timeout: 500 })).toBe("back"),
      );
      expect(tokensOf(authorizedPart(servers))).toEqual([expect.stringMatching(/^Bearer \S+$/)]);
      await expectNoTokenInAnyUrl(servers, tokens);
    },
  );

  it.each([
    ["at once", ""],
    ["after a comment and a retry time", ": hello\n\nretry: 60000\n\n"],
  ])(
    "a message endpoint beside the stream's path gets the token when the stream names it %s [TOK-1]",
    async (_when, preface) => {
      const { mcp } = await startServers({ transport: "sse" });
      mcp.respond(
        "GET /sse",
        beforeFirstEvent((text) => preface + text.replace("/sse/messages", "/messages")),
      );
      mcp.respond({ path: "/messages" }, (request, _response, next) => {
        request.url = request.url?.replace("/messages", "/sse/messages") ?? "";
        next();
      });
      const { tokens } = startHost();
      const connection = await connected({ sdk: "v1", wire: "SSE", way: "fetch" }, tokens, mcp.url);
      expect(await connection.call("echo", { text: "beside" })).toBe("beside");
      const messages = mcp.log.find("POST", "/messages");
      expect(messages.length).toBeGreaterThan(1);
      expect(tokensOf(messages)).toEqual([expect.stringMatching(/^Bearer \S+$/)]);
    },
  );

  it("a path that no stream has named gets none [TOK-6]", async () => {
    const { mcp } = await startServers({ transport: "sse" });
    const { tokens } = startHost();
    await connected({ sdk: "v1", wire: "SSE", way: "fetch" }, tokens, mcp.url);
    await tokens.fetch(mcp.url)(new URL("/messages?sessionId=1", mcp.url), { method: "POST", body: "{}" });
    expect(tokensOf(mcp.log.find("POST", "/messages"))).toEqual([undefined]);
  });
});

describe("a server that asks for no authorization", () => {
  it.each([...httpClients, ...sseClients.slice(0, 2)])(
    "sees no OAuth traffic and no token from SDK $sdk by $way [APP-1]",
    async (choice) => {
      const { as, mcp } = await startServers({ transport: choice.wire === "SSE" ? "sse" : "streamable-http" });
      // The endpoint lets everybody in: the check is told that a good token came.
      const { tokens: elsewhere } = startHost();
      const good = (await elsewhere.get(mcp.url)).accessToken.reveal();
      mcp.log.clear();
      as.log.clear();
      const seen: (string | undefined)[] = [];
      mcp.respond({ path: /^\/(mcp|sse)/ }, (request, _response, next) => {
        seen.push(request.headers.authorization);
        request.headers.authorization = `Bearer ${good}`;
        next();
      });
      const { tokens, opened, events } = startHost();
      const connection = await connected(choice, tokens, mcp.url);
      expect(await connection.call("echo", { text: "open" })).toBe("open");
      expect(new Set(seen)).toEqual(new Set([undefined]));
      expect(as.log.requests).toEqual([]);
      expect(mcp.log.count("*", (path) => path.startsWith("/.well-known"))).toBe(0);
      expect(opened).toEqual([]);
      expect(events.map(({ type }) => type)).toEqual(["store_selected"]);
    },
  );
});
