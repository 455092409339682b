// Where authorization meets the rest of MCP: transports without it, extensions, caches, elicitation, version negotiation.
import { Client, InMemoryResponseCacheStore, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { assertOpenableUrl, type MachineGrant, memoryStore, openInBrowser } from "mcp-oauth-client";
import { describe, expect, it, vi } from "vitest";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { closing, failure, startHost, startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";

describe("a server that is a program and talks over its standard input", () => {
  it.each(["stdio:server", "file:///usr/local/bin/mcp-server", "npx some-mcp-server", "/usr/bin/mcp-server", ""])(
    "has nothing to do with this flow: %j is refused before anything happens [APP-2]",
    async (target) => {
      const fetch = vi.fn<typeof globalThis.fetch>();
      const { tokens, opened, events } = startHost({ fetch });
      for (const attach of ["fetch", "authProvider", "bearerProvider", "extensions"] as const) {
        expect(() => tokens[attach](target)).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/^(invalid_argument|insecure_url)$/) }),
        );
      }
      await expect(tokens.get(target)).rejects.toThrow(/URL/);
      await expect(tokens.signIn(target)).rejects.toThrow(/URL/);
      expect(fetch).not.toHaveBeenCalled();
      expect(opened).toEqual([]);
      expect(events).toEqual([]);
    },
  );
});

const machine = { clientId: "ci", clientSecret: "s" };

/** The client's capabilities in each request of a connection on the 2026-07-28 wire. */
async function declaredBy(grants: readonly MachineGrant[]): Promise<unknown[]> {
  const { mcp } = await startPair({}, { sdk: "v2" });
  const person = startHost();
  const { tokens } = startHost({ grants: grants.map((grant) => ({ ...grant, server: mcp.url.href })) });
  const extensions = tokens.extensions(mcp.url);
  const client = closing(
    new Client({ name: "test", version: "1" }, { capabilities: { extensions }, versionNegotiation: { mode: "auto" } }),
  );
  // Who authorizes is another matter than what is declared.
  await client.connect(new StreamableHTTPClientTransport(mcp.url, { fetch: person.tokens.fetch(mcp.url) }));
  await client.listTools();
  return mcp.log.find("POST", "/mcp").map(({ body }) => {
    const { params } = JSON.parse(body) as { params?: { _meta?: Record<string, { extensions?: object }> } };
    return params?._meta?.["io.modelcontextprotocol/clientCapabilities"]?.extensions ?? {};
  });
}

describe("extensions of MCP", () => {
  const enterprise: MachineGrant = {
    type: "enterprise_managed",
    server: "",
    identityProvider: { ...machine, tokenEndpoint: "https://idp.example.com/token" },
    subjectToken: () => ({ token: "t" }),
    client: machine,
  };
  const cases: [string, MachineGrant[], string[]][] = [
    ["nothing without a grant", [], []],
    [
      "client credentials",
      [{ type: "client_credentials", server: "", ...machine }],
      ["io.modelcontextprotocol/oauth-client-credentials"],
    ],
    ["enterprise-managed [EMA-1]", [enterprise], ["io.modelcontextprotocol/enterprise-managed-authorization"]],
    ["nothing for a draft", [{ type: "jwt_bearer", server: "", assertion: () => "jwt" }], []],
  ];
  it.each(cases)(
    "are declared in every request exactly where the host opted in: %s [APP-3]",
    async (_case, grants, ids) => {
      const declared = await declaredBy(grants);
      expect(declared.length).toBeGreaterThan(2);
      for (const extensions of declared) expect(extensions).toEqual(Object.fromEntries(ids.map((id) => [id, {}])));
    },
  );

  it("that the other side does not have end in an error that says so, not in a browser [APP-3]", async () => {
    const server = await startScripted();
    const grant: MachineGrant = { type: "client_credentials", server: server.mcpUrl.href, ...machine };
    const { tokens, opened } = startHost({ grants: [grant] });
    const error = await failure(tokens.get(server.mcpUrl), "token_request_failed");
    expect(error.oauthError).toBe("unsupported_grant_type");
    expect(opened).toEqual([]);
  });

  it("are for the servers that they were configured for [APP-3]", () => {
    const grant: MachineGrant = { type: "client_credentials", server: "https://a.example.com/mcp", ...machine };
    const { tokens } = startHost({ grants: [grant] });
    expect(Object.keys(tokens.extensions("https://a.example.com/mcp"))).toHaveLength(1);
    expect(tokens.extensions("https://b.example.com/mcp")).toEqual({});
  });
});

describe("the name of an authorization context", () => {
  it("stays through refreshes and restarts, and changes with the account and with each sign-in [APP-4]", async () => {
    const { mcp } = await startPair();
    const store = memoryStore();
    const clock = new ManualClock();
    const { tokens } = startHost({ store, clock });
    expect(await tokens.cachePartition(mcp.url)).toBeUndefined();
    const first = await tokens.get(mcp.url);
    const name = await tokens.cachePartition(mcp.url);
    expect(name).toMatch(/^[\w-]{43}$/);

    clock.jump(86_400_000);
    const refreshed = await tokens.get(mcp.url);
    expect(refreshed.accessToken.reveal()).not.toBe(first.accessToken.reveal());
    expect(await tokens.cachePartition(mcp.url)).toBe(name);
    expect(await startHost({ store }).tokens.cachePartition(mcp.url)).toBe(name);

    await tokens.get(mcp.url, { account: "second" });
    const second = await tokens.cachePartition(mcp.url, { account: "second" });
    await tokens.signIn(mcp.url);
    const again = await tokens.cachePartition(mcp.url);
    expect(new Set([name, second, again]).size).toBe(3);

    await tokens.signOut(mcp.url);
    expect(await tokens.cachePartition(mcp.url)).toBeUndefined();
  });

  it("stays the same for a machine, which is itself however often it signs in [APP-4]", async () => {
    const client = {
      client_id: "ci",
      client_secret: "s",
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    };
    const { mcp } = await startPair({ features: { clientCredentials: true }, clients: [client] });
    const grant: MachineGrant = { type: "client_credentials", server: mcp.url.href, ...machine };
    const { tokens } = startHost({ grants: [grant] });
    await tokens.get(mcp.url);
    const name = await tokens.cachePartition(mcp.url);
    await tokens.signIn(mcp.url);
    expect(name).toBeDefined();
    expect(await tokens.cachePartition(mcp.url)).toBe(name);
  });

  it("keeps what the SDK caches for one user from another [APP-4]", async () => {
    const { as, mcp } = await startPair({}, { sdk: "v2" });
    // An endpoint whose list of tools is the caller's own, behind the same check.
    const handler = createMcpHandler(({ authInfo }) => {
      const server = new McpServer(
        { name: "private", version: "1" },
        { cacheHints: { "tools/list": { ttlMs: 60_000, cacheScope: "private" } } },
      );
      server.registerTool(`tool-of-${authInfo?.extra?.subject}`, {}, async () => ({ content: [] }));
      return server;
    });
    const served: string[] = [];
    const store = new InMemoryResponseCacheStore();
    const host = startHost({ person: new UserAgent({ login: "alice" }) });
    const other = startHost({ person: new UserAgent({ login: "bob" }) });
    const toolsOf = async ({ tokens }: typeof host): Promise<string[]> => {
      const subject = await as.verifyAccessToken((await tokens.get(mcp.url)).accessToken.reveal(), mcp.resource);
      const cachePartition = await tokens.cachePartition(mcp.url);
      const fetch: typeof globalThis.fetch = async (input, init) => {
        const request = new Request(input, init);
        served.push((JSON.parse(await request.clone().text()) as { method: string }).method);
        return handler.fetch(request, { authInfo: { token: "t", clientId: "c", scopes: [], extra: { ...subject } } });
      };
      const client = closing(
        new Client(
          { name: "test", version: "1" },
          {
            responseCacheStore: store,
            versionNegotiation: { mode: "auto" },
            ...(cachePartition && { cachePartition }),
          },
        ),
      );
      await client.connect(new StreamableHTTPClientTransport(mcp.url, { fetch }));
      return (await client.listTools()).tools.map(({ name }) => name);
    };
    expect(await toolsOf(host)).toEqual(["tool-of-alice"]);
    expect(await toolsOf(host)).toEqual(["tool-of-alice"]);
    expect(await toolsOf(other)).toEqual(["tool-of-bob"]);
    // The second time alice was served from the cache, so that the test does prove something.
    expect(served.filter((method) => method === "tools/list")).toHaveLength(2);
    await handler.close();
  });
});

describe("a URL that a server wants opened (elicitation)", () => {
  it.each([
    "javascript:alert(1)",
    "file:///etc/passwd",
    "http://evil.example.com/",
    "https://user@evil.example.com/",
    "ms-msdt:/id",
  ])("passes the same guard as a sign-in: %s is refused [APP-6]", async (url) => {
    expect(() => assertOpenableUrl(url)).toThrow(expect.objectContaining({ code: "insecure_url" }));
    await expect(openInBrowser(new URL(url))).rejects.toMatchObject({ code: "insecure_url" });
  });

  it("is shown whole, is not looked at before, and leaves the session as it is [APP-6]", async () => {
    const elsewhere = closing(await startScriptedServer({ "*": (_request, { text }) => text("pay here") }));
    const { as, mcp } = await startPair();
    const store = memoryStore();
    const { tokens, opened } = startHost({ store });
    await tokens.get(mcp.url);
    const records = async () => Promise.all((await store.keys()).map(async (key) => [key, await store.get(key)]));
    const before = await records();
    const asked = as.log.requests.length;
    const wanted = `${elsewhere.url}/pay?order=1&return=https%3A%2F%2Fa.example`;
    // What a host shows, and what it hands to openBrowser when the person agrees.
    expect(assertOpenableUrl(wanted).href).toBe(wanted);
    expect(elsewhere.log.requests).toEqual([]);
    expect(opened).toHaveLength(1);
    expect(as.log.requests).toHaveLength(asked);
    expect(await records()).toEqual(before);
  });
});

describe("version negotiation", () => {
  it("comes after authorization: a 401 for the first request of the new wire leads to a sign-in, not to the old handshake [APP-7]", async () => {
    const { mcp } = await startPair({}, { sdk: "v2" });
    const { tokens, opened } = startHost();
    const client = closing(new Client({ name: "test", version: "1" }, { versionNegotiation: { mode: "auto" } }));
    await client.connect(new StreamableHTTPClientTransport(mcp.url, { fetch: tokens.fetch(mcp.url) }));
    expect(client.getProtocolEra()).toBe("modern");
    expect(opened).toHaveLength(1);
    const sent = mcp.log
      .find("POST", "/mcp")
      .map(({ body, status }) => [(JSON.parse(body) as { method: string }).method, status]);
    expect(sent.slice(0, 2)).toEqual([
      ["server/discover", 401],
      ["server/discover", 200],
    ]);
    expect(sent.map(([method]) => method)).not.toContain("initialize");
  });
});
