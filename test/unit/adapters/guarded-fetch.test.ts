import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import {
  mayName,
  type NetworkZone,
  type ResolveAddresses,
  zoneOf,
  zoneOfLiteral,
  zoneOfName,
} from "../../../src/adapters/address-guard.ts";
import { guardedFetch, type NetworkOptions } from "../../../src/adapters/guarded-fetch.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";
import { Http, platformFetch } from "../../../src/core/http.ts";
import { type RunningScriptedServer, startScriptedServer } from "../../servers/scripted-server.ts";

const PUBLIC = "8.8.8.8";

/** Names and their addresses; a list of lists is a name that changes its mind. */
function resolver(names: Record<string, string[][]>) {
  const asked: string[] = [];
  const resolveAddresses: NetworkOptions["resolveAddresses"] = async (hostname) => {
    asked.push(hostname);
    const answers = names[hostname] ?? [];
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    return (answer ?? []).map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  };
  return { asked, resolveAddresses };
}

const servers: RunningScriptedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function listening(): Promise<RunningScriptedServer> {
  const server = await startScriptedServer({ "*": (_request, { text }) => text("here") });
  servers.push(server);
  return server;
}

async function refusal(promise: Promise<unknown>): Promise<McpOAuthError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(McpOAuthError);
  return error as McpOAuthError;
}

describe("the zone of an address [SSRF-2]", () => {
  it.each<[string, NetworkZone]>([
    ["8.8.8.8", "public"],
    ["2606:4700::1111", "public"],
    ["10.1.2.3", "private"],
    ["172.16.0.1", "private"],
    ["192.168.1.1", "private"],
    ["100.64.0.1", "private"],
    ["fd00::1", "private"],
    ["127.0.0.1", "loopback"],
    ["127.9.9.9", "loopback"],
    ["::1", "loopback"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:10.0.0.1", "private"],
    ["169.254.169.254", "forbidden"],
    ["fe80::1", "forbidden"],
    ["224.0.0.1", "forbidden"],
    ["0.0.0.0", "forbidden"],
    ["::", "forbidden"],
    ["255.255.255.255", "forbidden"],
    ["64:ff9b::a00:1", "forbidden"],
    ["64:ff9b::7f00:1", "forbidden"],
    ["64:ff9b::808:808", "public"],
    ["64:ff9b:1::1", "forbidden"],
    ["2002:7f00:1::", "forbidden"],
    ["2001:0:7f00:1::", "forbidden"],
    ["192.0.2.1", "forbidden"],
    ["2001:db8::1", "forbidden"],
    ["not an address", "forbidden"],
  ])("%s is %s", async (address, zone) => {
    expect(await zoneOf(address)).toBe(zone);
  });

  it.each<[string, NetworkZone]>([
    // The URL parser has made one spelling of these before anybody looks at them.
    [new URL("http://2130706433/").hostname, "loopback"],
    [new URL("http://0x7f.1/").hostname, "loopback"],
    [new URL("http://0177.0.0.1/").hostname, "loopback"],
    [new URL("http://[::ffff:a9fe:a9fe]/").hostname, "forbidden"],
  ])("odd spelling %s is %s", async (hostname, zone) => {
    expect(await zoneOfLiteral(hostname)).toBe(zone);
  });

  it("of a name is not told before it is looked up", async () => {
    expect(await zoneOfLiteral("mcp.example")).toBeUndefined();
  });
});

describe("the zone of a server by its name [SSRF-5]", () => {
  it.each<[string, string[], NetworkZone]>([
    ["public addresses", [PUBLIC], "public"],
    ["private ones", ["10.0.0.1", "fd00::1"], "private"],
    ["a public one among private ones", ["10.0.0.1", PUBLIC], "public"],
    ["loopback, which a name does not give the rights of", ["127.0.0.1"], "private"],
    ["a link-local one", ["169.254.169.254"], "public"],
    ["nothing", [], "public"],
  ])("that resolves to %s", async (_case, addresses, zone) => {
    const { resolveAddresses = async () => [] } = resolver({ "mcp.example": [addresses] });
    expect(await zoneOfName("mcp.example", resolveAddresses)).toBe(zone);
  });

  it("stays public once it was, whatever the name resolves to later", async () => {
    const server = await listening();
    const { resolveAddresses = async () => [] } = resolver({ "mcp.example": [[PUBLIC], ["10.0.0.1"]] });
    const fetch = guardedFetch({ resolveAddresses, environment: {} }, platformFetch)("https://mcp.example/mcp");
    expect((await refusal(fetch(server.url))).code).toBe("address_refused");
    expect((await refusal(fetch("https://10.0.0.1/"))).code).toBe("address_refused");
    expect(server.log.requests).toHaveLength(0);
  });
});

describe("what a server may name", () => {
  const zones: NetworkZone[] = ["public", "private", "loopback", "forbidden"];
  const allowed = new Set([
    "public public",
    "private public",
    "private private",
    "loopback public",
    "loopback private",
    "loopback loopback",
    "forbidden public",
  ]);
  it.each(zones.flatMap((server) => zones.map((target) => [server, target] as const)))(
    "%s names %s",
    (server, target) => {
      expect(mayName(server, target)).toBe(allowed.has(`${server} ${target}`));
    },
  );
});

describe("guardedFetch", () => {
  it.each([
    ["a name for a private address", "https://as.example/token"],
    ["a name for loopback", "https://localhost.example/token"],
    ["a name with one bad address among good ones", "https://both.example/token"],
    ["the cloud's metadata service", "http://169.254.169.254/latest/meta-data"],
    ["loopback by address", "http://127.0.0.1:1/"],
    ["loopback by an odd spelling", "http://2130706433:1/"],
    ["a translated address", "http://[64:ff9b::7f00:1]:1/"],
  ])("refuses %s when the server is a public one [SSRF-1] [SSRF-2]", async (_case, url) => {
    const { resolveAddresses = async () => [] } = resolver({
      "mcp.example": [[PUBLIC]],
      "as.example": [["10.0.0.1"]],
      "localhost.example": [["127.0.0.1"]],
      "both.example": [[PUBLIC, "192.168.0.1"]],
    });
    const http = new Http({
      fetch: platformFetch,
      fetchFor: guardedFetch({ resolveAddresses, environment: {} }, platformFetch),
      clock: systemClock,
    });
    const request = { method: "GET", url, what: "The token endpoint", details: { server: "https://mcp.example/mcp" } };
    const error = await refusal(http.send(request));
    expect(["address_refused", "insecure_url"]).toContain(error.code);
    if (url.startsWith("https:")) expect(error.code).toBe("address_refused");
    expect(error.message).not.toContain("10.0.0.1");
  });

  it("refuses a literal address before anything is connected", async () => {
    const server = await listening();
    const { resolveAddresses = async () => [] } = resolver({ "mcp.example": [[PUBLIC]] });
    const fetch = guardedFetch({ resolveAddresses, environment: {} }, platformFetch)("https://mcp.example/mcp");
    expect((await refusal(fetch(server.url))).code).toBe("address_refused");
    expect(server.log.requests).toHaveLength(0);
  });

  it("connects to the very address that it has checked [SSRF-5]", async () => {
    const server = await listening();
    // A second question would be answered with another address, where nobody listens.
    const names = resolver({ "as.example": [["127.0.0.1"], ["127.0.0.9"]] });
    const options = { allowPrivateAddresses: true, environment: {}, ...names };
    const fetch = guardedFetch(options, platformFetch)("https://mcp.example/mcp");
    const response = await fetch(`http://as.example:${server.port}/`);
    expect(await response.text()).toBe("here");
    expect(names.asked).toEqual(["as.example"]);
  });

  it("notes a public address also where it is seen first at a connection [SSRF-5]", async () => {
    // The second answer is for the connection; its other address is refused, so that nothing is connected to.
    const answers = [["10.0.0.5"], [PUBLIC, "127.0.0.1"], ["10.0.0.5"]];
    const { resolveAddresses } = resolver({ "mcp.example.com": answers });
    const fetch = guardedFetch({ resolveAddresses }, platformFetch)("https://mcp.example.com/mcp");
    await expect(fetch("https://mcp.example.com/m")).rejects.toThrow();
    expect((await refusal(fetch("https://10.0.0.9/m"))).code).toBe("address_refused");
  });

  it("lets a server on loopback name loopback", async () => {
    const server = await listening();
    const fetch = guardedFetch({ environment: {} }, platformFetch)("http://localhost:1/mcp");
    expect((await fetch(server.url)).status).toBe(200);
  });

  const nobodyKnows: ResolveAddresses = async (hostname) => {
    throw Object.assign(new Error(`getaddrinfo ENOTFOUND ${hostname}`), { code: "ENOTFOUND" });
  };

  it("needs a look at the server's own name where there is no proxy", async () => {
    const fetch = guardedFetch({ resolveAddresses: nobodyKnows, environment: {} }, platformFetch);
    await expect(fetch("https://mcp.example/mcp")("http://as.example/metadata")).rejects.toThrow("ENOTFOUND");
  });

  it.each([
    ["", resolver({ "mcp.example": [[PUBLIC]] }).resolveAddresses],
    [", also where nobody but the proxy knows any name", nobodyKnows],
  ])("goes through the proxy that the environment names%s", async (_where, resolveAddresses = nobodyKnows) => {
    const asked: string[] = [];
    const proxy = createServer().on("connect", (request, socket) => {
      asked.push(request.url ?? "");
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nhere"));
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    try {
      const { port } = proxy.address() as AddressInfo;
      const environment = { HTTP_PROXY: `http://127.0.0.1:${port}` };
      const fetch = guardedFetch({ resolveAddresses, environment }, platformFetch)("https://mcp.example/mcp");
      expect(await (await fetch("http://as.example/metadata")).text()).toBe("here");
      expect(asked).toEqual(["as.example:80"]);
    } finally {
      proxy.close();
    }
  });
});
