import { describe, expect, it } from "vitest";
import { type DiscoveryQuery, discover } from "../../../src/discovery/discover.ts";
import { type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf } from "../../support/failure.ts";
import { closingAfterEach, metadataAt } from "../../support/stage.ts";
import { asked, discoveryTools } from "./support.ts";

const closing = closingAfterEach();
const RESOURCE = "/.well-known/oauth-protected-resource/mcp";
const RESOURCE_ROOT = "/.well-known/oauth-protected-resource";
const OAUTH = "/.well-known/oauth-authorization-server";

/** One server that is the resource `/mcp` and the issuers `/one` and `/two`; `issuers` and the rest can change. */
async function start(issuers: string[] = ["/one", "/two"]) {
  const published = { issuers, resource: "/mcp", one: {} as object };
  const server = await closing(
    startScriptedServer({
      [RESOURCE]: (_, { json, url }) =>
        json({
          resource: `${url}${published.resource}`,
          authorization_servers: published.issuers.map((path) => (path.startsWith("/") ? url + path : path)),
        }),
      [`${OAUTH}/one`]: (_, { json, url }) => json({ ...metadataAt(`${url}/one`), ...published.one }),
      [`${OAUTH}/two`]: (_, { json, url }) => json(metadataAt(`${url}/two`)),
    }),
  );
  const tools = discoveryTools();
  const look = (query: Partial<DiscoveryQuery> = {}) =>
    discover(tools.http, tools.cache, {
      server: `${server.url}/mcp`,
      policy: {},
      issuersWithCredentials: [],
      ...query,
    });
  return { server, published, look, url: server.url, tools };
}

describe("discover", () => {
  it("goes from the challenge to everything that a sign-in needs [CHL-1] [PRM-1]", async () => {
    const { look, url } = await start();
    expect(await look()).toMatchObject({
      server: `${url}/mcp`,
      resource: `${url}/mcp`,
      issuer: `${url}/one`,
      authorizationServer: { token_endpoint: `${url}/one/token` },
      protectedResource: { authorizationServers: [`${url}/one`, `${url}/two`] },
      defaultEndpoints: false,
    });
  });

  it("uses the resource identifier byte for byte [RES-4]", async () => {
    const { look, url, published } = await start();
    published.resource = "";
    expect((await look()).resource).toBe(url);
    published.resource = "/";
    expect((await look()).resource).toBe(`${url}/`);
  });

  it("prefers an issuer that credentials are held of, else the first [ASS-1]", async () => {
    const { look, url } = await start();
    expect((await look()).issuer).toBe(`${url}/one`);
    expect((await look({ issuersWithCredentials: [`${url}/two`, "https://unlisted.example"] })).issuer).toBe(
      `${url}/two`,
    );
  });

  it("lets the host choose, among those that are listed only [ASS-1]", async () => {
    const { look, url } = await start();
    const questions: unknown[] = [];
    const policy = (answer: string) => ({
      policy: {
        chooseAuthorizationServer: async (choice: unknown): Promise<string> => {
          questions.push(choice);
          return answer;
        },
      },
    });
    expect((await look({ ...policy(`${url}/two`), issuersWithCredentials: [`${url}/one`] })).issuer).toBe(`${url}/two`);
    expect(questions).toEqual([
      { server: `${url}/mcp`, authorizationServers: [`${url}/one`, `${url}/two`], withCredentials: [`${url}/one`] },
    ]);
    expect((await failureOf(look(policy("https://evil.example")))).code).toBe("invalid_configuration");
  });

  it("goes on to the next listed issuer when one cannot be used, and says the first one's problem when none can [ASS-1]", async () => {
    const { look, url, published } = await start(["/absent", "/two"]);
    expect((await look()).issuer).toBe(`${url}/two`);
    published.issuers = ["/absent", "http://as.example.com"];
    expect(await failureOf(look())).toMatchObject({ code: "discovery_failed", issuer: `${url}/absent` });
  });

  it("lets no resource have it ask thousands of issuers", async () => {
    const { look, server } = await start(Array.from({ length: 5000 }, (_, index) => `/absent-${index}`));
    expect((await failureOf(look())).code).toBe("discovery_failed");
    expect(server.log.requests.length).toBeLessThan(40);
  });

  it("does not guess endpoints of an issuer without metadata [ASM-10]", async () => {
    const { look, server } = await start(["/absent"]);
    expect((await failureOf(look())).code).toBe("discovery_failed");
    expect(asked(server).filter((path) => !path.includes("/.well-known/"))).toEqual([]);
  });

  it.each<[string, string[], string]>([
    ["none", [], "discovery_failed"],
    ["one that is no URL", ["as.example.com"], "invalid_response"],
    ["one over plain http", ["http://as.example.com"], "insecure_url"],
    ["one with a query", ["https://as.example.com?x=1"], "invalid_response"],
  ])("says what is wrong with the issuers: %s [PRM-8] [ASM-7]", async (_case, issuers, code) => {
    const { look, url } = await start(issuers);
    expect(await failureOf(look())).toMatchObject({ code, server: `${url}/mcp` });
  });

  it.each<[readonly string[] | null, boolean]>([
    [["{o}/mcp"], true],
    [["https://other.example.com", "{o}/mcp"], true],
    [null, true],
    [["https://other.example.com"], false],
    [["{o}/mcp/"], false],
    [[], false],
  ])("asks an authorization server that lists its resources for this one: %j [PRM-11]", async (resources, accepted) => {
    const { look, url, published } = await start(["/one"]);
    published.one = { protected_resources: resources?.map((each) => each.replace("{o}", url)) ?? null };
    if (accepted) expect((await look()).issuer).toBe(`${url}/one`);
    else expect((await failureOf(look())).code).toBe("resource_mismatch");
  });

  it("looks at the resource's metadata anew each time, since a challenge may mean that it changed [CHL-8]", async () => {
    const { look, url, published, server } = await start(["/one"]);
    expect((await look()).issuer).toBe(`${url}/one`);
    published.issuers = ["/two"];
    expect((await look({ issuersWithCredentials: [`${url}/one`] })).issuer).toBe(`${url}/two`);
    expect(server.log.count("GET", RESOURCE)).toBe(2);
    published.resource = "/elsewhere";
    expect((await failureOf(look())).code).toBe("resource_mismatch");
  });

  it("takes a server without resource metadata for one of 2025-03-26, with its own URL for the resource [LEG-3] [RES-5]", async () => {
    const server = await closing(startScriptedServer());
    const { http, cache } = discoveryTools();
    const query = { server: `${server.url}/v1/mcp`, policy: {}, issuersWithCredentials: [] };
    expect(await discover(http, cache, query)).toMatchObject({
      resource: `${server.url}/v1/mcp`,
      issuer: server.url,
      authorizationServer: { token_endpoint: `${server.url}/token` },
      defaultEndpoints: true,
    });
  });

  it("does so only where the host allows it [PRM-9]", async () => {
    const server = await closing(startScriptedServer());
    const { http, cache } = discoveryTools();
    const query = { server: `${server.url}/mcp`, policy: { legacyFallback: false }, issuersWithCredentials: [] };
    expect((await failureOf(discover(http, cache, query))).code).toBe("discovery_failed");
    expect(asked(server)).toEqual([RESOURCE, RESOURCE_ROOT]);
  });

  it.each<[string, ScriptedRoute]>([
    ["500", (_, { text }) => text("no", 500)],
    ["429", (_, { text }) => text("no", 429)],
    ["a cut connection", () => "reset"],
    ["broken JSON", (_, { text }) => text("{", 200, { "content-type": "application/json" })],
    ["another resource", (_, { json }) => json({ resource: "https://evil.example", authorization_servers: [] })],
    ["an unusable document", (_, { json }) => json({ resource: 5 })],
    ["a redirect elsewhere", (_, { redirect }) => redirect("https://evil.example/")],
  ])("does not fall back to 2025-03-26 after %s [LEG-6]", async (_case, route) => {
    for (const place of [RESOURCE, RESOURCE_ROOT]) {
      const server = await closing(startScriptedServer({ [place]: route }));
      const { http, cache } = discoveryTools();
      await failureOf(discover(http, cache, { server: `${server.url}/mcp`, policy: {}, issuersWithCredentials: [] }));
      expect(asked(server)).not.toContain(OAUTH);
    }
  });

  it("does not fall back after a deadline either [LEG-6]", async () => {
    const { http, cache, clock } = discoveryTools();
    const server = await closing(
      startScriptedServer({
        [RESOURCE]: (request, { hang }) => {
          clock.advance(30_000);
          return hang(request);
        },
      }),
    );
    const query = { server: `${server.url}/mcp`, policy: {}, issuersWithCredentials: [] };
    expect((await failureOf(discover(http, cache, query))).code).toBe("timeout");
    expect(asked(server)).toEqual([RESOURCE]);
  });

  it("stops with the caller's signal instead of trying the next issuer [ERR-3]", async () => {
    const stop = new AbortController();
    const server = await closing(
      startScriptedServer({
        [RESOURCE]: (_, { json, url }) =>
          json({ resource: `${url}/mcp`, authorization_servers: [`${url}/one`, `${url}/two`] }),
        "*": (request, { hang }) => {
          stop.abort();
          return hang(request);
        },
      }),
    );
    const { http, cache } = discoveryTools();
    const query = { server: `${server.url}/mcp`, policy: {}, issuersWithCredentials: [], signal: stop.signal };
    expect((await failureOf(discover(http, cache, query))).code).toBe("aborted");
    expect(server.log.requests).toHaveLength(2);
  });
});
