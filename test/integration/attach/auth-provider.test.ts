// `tokens.authProvider` and `tokens.bearerProvider`, which do not see the SDK's requests and are told little of refusals.
import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import type { FaultHandler } from "../../servers/fault-injection.ts";
import { readBody } from "../../servers/http.ts";
import type { RunningProtectedMcpServer } from "../../servers/protected-mcp-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import {
  type ClientChoice,
  connected,
  failure,
  newConnection,
  startHost,
  startServers,
  tokenRequests,
} from "./support/host.ts";

const clients: ClientChoice[] = [
  { sdk: "v1", way: "authProvider", wire: "Streamable HTTP" },
  { sdk: "v1", way: "authProvider", wire: "SSE" },
  { sdk: "v2", way: "authProvider", wire: "Streamable HTTP" },
  { sdk: "v2", way: "authProvider", wire: "SSE" },
  { sdk: "v2", way: "bearerProvider", wire: "Streamable HTTP" },
  { sdk: "v2", way: "bearerProvider", wire: "SSE" },
];
const httpClients = clients.filter(({ wire }) => wire !== "SSE");
const transportOf = ({ wire }: ClientChoice): "sse" | "streamable-http" => (wire === "SSE" ? "sse" : "streamable-http");

/**
 * Holds the next requests until all of them have come, so that all meet the same answer: a caller whose 401 comes after
 * another's renewal is given up by the first SDK version itself.
 */
function together(mcp: RunningProtectedMcpServer, count: number): void {
  const waiting: (() => void)[] = [];
  const hold: FaultHandler = (_request, _response, next) => {
    waiting.push(next);
    if (waiting.length === count) for (const goOn of waiting) goOn();
  };
  mcp.respond({ method: "POST", path: /^\/(mcp|sse\/messages)$/ }, hold, { times: count });
}

const name = "SDK $sdk over $wire by $way";

describe("a token that ends in the middle of a session", () => {
  it.each(clients)(`is refreshed before the next request, with ${name}`, async (choice) => {
    const { as, mcp } = await startServers({ transport: transportOf(choice) });
    const clock = new ManualClock(Date.now());
    const { tokens, opened } = startHost({ clock });
    const connection = await connected(choice, tokens, mcp.url);
    clock.jump(3_700_000);
    mcp.log.clear();
    const calls = Array.from({ length: 20 }, (_unused, index) => connection.call("echo", { text: `call ${index}` }));
    expect(await Promise.all(calls)).toHaveLength(20);
    expect([tokenRequests(as, "refresh_token"), opened.length]).toEqual([1, 1]);
    expect(mcp.log.requests.filter(({ status }) => status === 401)).toEqual([]);
  });

  it.each(clients)(
    `because it was revoked is refreshed once for twenty callers, with ${name} [REF-5]`,
    async (choice) => {
      const { as, mcp } = await startServers({ transport: transportOf(choice) });
      const { tokens, opened } = startHost();
      const connection = await connected(choice, tokens, mcp.url);
      await connection.call("echo", { text: "before" });
      mcp.invalidateAll();
      together(mcp, 20);
      const calls = Array.from({ length: 20 }, (_unused, index) => connection.call("echo", { text: `call ${index}` }));
      expect(await Promise.all(calls)).toHaveLength(20);
      expect([tokenRequests(as, "refresh_token"), opened.length]).toEqual([1, 1]);
    },
  );

  it.each(clients)(`and cannot be refreshed leads to one sign-in for five callers, with ${name}`, async (choice) => {
    const { as, mcp } = await startServers({ transport: transportOf(choice) });
    const { tokens, opened } = startHost();
    const connection = await connected(choice, tokens, mcp.url);
    as.revokeAll();
    together(mcp, 5);
    const calls = Array.from({ length: 5 }, (_unused, index) => connection.call("echo", { text: `call ${index}` }));
    expect(await Promise.all(calls)).toHaveLength(5);
    expect(opened).toHaveLength(2);
  });

  it.each(clients)(`only for some requests costs one refresh at most, with ${name}`, async (choice) => {
    const { as, mcp } = await startServers({ transport: transportOf(choice) });
    const { tokens, opened } = startHost();
    const connection = await connected(choice, tokens, mcp.url);
    await connection.call("echo", { text: "before" });
    mcp.rejectNext(5);
    together(mcp, 5);
    const calls = Array.from({ length: 5 }, (_unused, index) => connection.call("echo", { text: `call ${index}` }));
    expect(await Promise.all(calls)).toHaveLength(5);
    expect(tokenRequests(as, "refresh_token")).toBeLessThanOrEqual(1);
    expect(opened).toHaveLength(1);
  });
});

describe("a token that is refused although it is new", () => {
  it.each(clients)(
    `ends in token_rejected after one refresh, also at the next attempts, with ${name} [CHL-10]`,
    async (choice) => {
      const { as, mcp } = await startServers({ transport: transportOf(choice) });
      const { tokens, opened } = startHost();
      const connection = await connected(choice, tokens, mcp.url);
      await connection.call("echo", { text: "before" });
      mcp.rejectNext(1000);
      for (let call = 0; call < 4; call += 1) {
        await failure(connection.call("echo", { text: "after" }), "token_rejected");
      }
      expect([tokenRequests(as, "refresh_token"), opened.length]).toEqual([1, 1]);
    },
  );

  it.each(clients)(
    `at the first sign-in ends in token_rejected with one browser tab, with ${name} [CHL-10]`,
    async (choice) => {
      const { as, mcp } = await startServers({ transport: transportOf(choice) });
      const { tokens, opened } = startHost();
      mcp.rejectNext(1000);
      await failure(newConnection(choice, tokens, mcp.url).connect(), "token_rejected");
      expect([tokenRequests(as), opened.length]).toEqual([1, 1]);
    },
  );

  it("by the message endpoint alone does not send the first SDK version round in circles", async () => {
    const { as, mcp } = await startServers({ transport: "sse" });
    const { tokens, opened } = startHost();
    const connection = await connected({ sdk: "v1", way: "authProvider", wire: "SSE" }, tokens, mcp.url);
    mcp.log.clear();
    const refusal = { "www-authenticate": 'Bearer error="invalid_token"' };
    mcp.respond("POST /sse/messages", (_request, response) => response.writeHead(401, refusal).end());
    await failure(connection.call("echo", { text: "?" }), "token_rejected");
    expect(mcp.log.requests.length).toBeLessThan(100);
    expect([tokenRequests(as, "refresh_token"), opened.length]).toEqual([0, 1]);
  });
});

describe("a server that wants a token for some requests only", () => {
  it.each(httpClients)(`gets one when it asks, and a new one when that is revoked, with ${name}`, async (choice) => {
    const { as, mcp } = await startServers();
    // Lets everybody in, but for tool calls: the endpoint behind is told that a good token came.
    const { tokens: elsewhere } = startHost();
    let good = (await elsewhere.get(mcp.url)).accessToken.reveal();
    mcp.respond("POST /mcp", async (request, _response, next) => {
      const body = await readBody(request);
      if (!body.includes("tools/call")) request.headers.authorization = `Bearer ${good}`;
      Object.assign(request, { [Symbol.asyncIterator]: () => Readable.from([Buffer.from(body)]).iterator() });
      next();
    });
    const { tokens, opened } = startHost();
    const connection = await connected(choice, tokens, mcp.url);
    expect(opened).toHaveLength(0);
    expect(await connection.call("echo", { text: "first" })).toBe("first");
    expect(opened).toHaveLength(1);
    mcp.invalidateAll();
    good = (await elsewhere.signIn(mcp.url)).accessToken.reveal();
    expect(await connection.call("echo", { text: "second" })).toBe("second");
    expect([tokenRequests(as, "refresh_token"), opened.length]).toEqual([1, 1]);
  });
});

describe("more scopes", () => {
  const scopes = ["mcp:tools", "mcp:admin", "mcp:reports"];
  const start = (): ReturnType<typeof startServers> =>
    startServers({ scopes, challengeScope: "mcp:tools" }, { scopes: [...scopes, "offline_access"] });
  const asked = ({ searchParams }: URL): string[] =>
    (searchParams.get("scope") ?? "").split(" ").filter((scope) => scope.startsWith("mcp:"));

  it("are asked for by name with SDK v2, which hands on what a 403 names [STEP-1, STEP-2, STEP-3]", async () => {
    const { as, mcp } = await start();
    const { tokens, opened } = startHost();
    const connection = await connected({ sdk: "v2", way: "authProvider" }, tokens, mcp.url);
    expect(await connection.call("admin")).toContain("administrator");
    expect(opened.map(asked)).toEqual([["mcp:tools"], ["mcp:tools", "mcp:admin"]]);
    expect(tokenRequests(as, "refresh_token")).toBe(0);
  });

  it("are all asked for with SDK v1, which keeps to itself what a 403 names [STEP-1]", async () => {
    const { as, mcp } = await start();
    const { tokens, opened } = startHost();
    const connection = await connected({ sdk: "v1", way: "authProvider" }, tokens, mcp.url);
    expect(await connection.call("admin")).toContain("administrator");
    expect(opened.map(asked)).toEqual([["mcp:tools"], scopes]);
    expect(tokenRequests(as, "refresh_token")).toBe(0);
  });

  it.each<ClientChoice>([
    { sdk: "v1", way: "authProvider" },
    { sdk: "v2", way: "authProvider" },
  ])("that were asked for and not granted end in insufficient_scope, with SDK $sdk [STEP-4]", async (choice) => {
    const { as, mcp } = await start();
    // Grants less than it was asked for (RFC 6749 section 3.3).
    as.respond("GET /auth", (request, _response, next) => {
      request.url = request.url?.replace(/mcp%3A(admin|reports)/g, "") ?? "";
      next();
    });
    const { tokens, opened } = startHost();
    const connection = await connected(choice, tokens, mcp.url);
    await connection.call("admin").catch(() => undefined);
    await connection.call("echo", { text: "still there" });
    await failure(connection.call("admin"), "insufficient_scope");
    expect(opened).toHaveLength(2);
  });

  it("are not asked for because of an answer that comes late, to a request with the token before [STEP-1]", async () => {
    const { as, mcp } = await start();
    const { tokens, opened } = startHost();
    const provider = tokens.authProvider(mcp.url);
    const first = await provider.tokens();
    // As an SDK does whose request was not refused.
    await provider.tokens();
    mcp.invalidateAll();
    provider.clientInformation();
    await provider.prepareTokenRequest();
    const second = await provider.tokens();
    expect(second?.access_token).not.toBe(first?.access_token);
    for (let late = 0; late < 5; late += 1) await provider.prepareTokenRequest();
    expect((await provider.tokens())?.access_token).toBe(second?.access_token);
    expect([tokenRequests(as, "refresh_token"), opened.length]).toEqual([1, 1]);
  });
});

describe("without a person", () => {
  it.each(clients)(`no browser ever opens, connect() fails with interaction_required, with ${name}`, async (choice) => {
    const { mcp } = await startServers({ transport: transportOf(choice) });
    const { tokens, opened } = startHost({ interactive: false });
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const error = await failure(newConnection(choice, tokens, mcp.url).connect(), "interaction_required");
      expect(error.server).toBe(mcp.url.href);
    }
    expect(opened).toEqual([]);
  });
});

describe("a server that takes tokens bound to a key", () => {
  const features = { dpop: true };

  it.each(httpClients)(`gets a bearer token where it takes both, with ${name}`, async (choice) => {
    const { mcp } = await startServers({ dpop: "accepted" }, { features });
    const { tokens, opened } = startHost();
    const connection = await connected(choice, tokens, mcp.url);
    expect(await connection.call("echo", { text: "bearer" })).toBe("bearer");
    expect((await tokens.get(mcp.url)).tokenType).toBe("Bearer");
    expect(opened).toHaveLength(1);
  });

  it.each(httpClients)(
    `gets a bearer token in place of a bound one that was there before, with ${name}`,
    async (choice) => {
      const { mcp } = await startServers({ dpop: "accepted" }, { features });
      const { tokens, opened } = startHost();
      await connected({ sdk: "v1", way: "fetch" }, tokens, mcp.url);
      expect((await tokens.get(mcp.url)).tokenType).toBe("DPoP");
      const connection = await connected(choice, tokens, mcp.url);
      expect(await connection.call("echo", { text: "bearer" })).toBe("bearer");
      expect(opened).toHaveLength(2);
    },
  );

  it.each(httpClients)(
    `is out of reach where it takes nothing else, and the error says what helps, with ${name}`,
    async (choice) => {
      const { mcp } = await startServers({ dpop: "required" }, { features });
      const { tokens, opened } = startHost();
      const error = await failure(newConnection(choice, tokens, mcp.url).connect(), "dpop_unsupported");
      expect(error.message).toContain("the token manager's fetch");
      expect(opened).toEqual([]);
    },
  );
});
