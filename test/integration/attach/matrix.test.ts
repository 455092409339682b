// The same sign-in and tool call, against every authorization server, with every SDK, on every wire, attached in every way.
import { describe, expect, it } from "vitest";
import { startBetterAuthServer } from "../../servers/better-auth-server.ts";
import { startSdkAuthRouterServer } from "../../servers/sdk-auth-router-server.ts";
import {
  type ClientChoice,
  closing,
  connected,
  failure,
  newConnection,
  startHost,
  startServers,
  type Wire,
} from "./support/host.ts";

interface Target {
  readonly url: URL;
  /** Whose requests tell how often somebody signed in. */
  readonly log: { count(method: string, path: RegExp): number };
}

const transportOf = (wire: Wire): "sse" | "streamable-http" => (wire === "SSE" ? "sse" : "streamable-http");

const servers: Record<string, (wire: Wire, sdk: "v1" | "v2") => Promise<Target>> = {
  "oidc-provider": async (wire, sdk) => {
    const { as, mcp } = await startServers({ sdk, transport: transportOf(wire), requiredScopes: ["mcp:tools"] });
    return { url: mcp.url, log: as.log };
  },
  "@better-auth/mcp": async (wire) => closing(await startBetterAuthServer({ transport: transportOf(wire) })),
  "mcpAuthRouter of the SDK": async (wire) => closing(await startSdkAuthRouterServer({ transport: transportOf(wire) })),
};

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

const cases = Object.keys(servers).flatMap((server) => clients.map((client) => ({ server, ...client })));

describe("one connect() signs in and calls a tool", () => {
  // The router's servers are of the first SDK version, which does not speak the newest wire.
  const possible = cases.filter(({ server, sdk }) => !(server.startsWith("mcpAuthRouter") && sdk.endsWith("wire")));
  it.each(possible)("with SDK $sdk over $wire by $way, at $server [CHL-1, PRM-1]", async ({ server, ...choice }) => {
    const serverSdk = choice.sdk === "v1" || choice.wire === "SSE" ? "v1" : "v2";
    const target = await servers[server]?.(choice.wire ?? "Streamable HTTP", serverSdk);
    if (target === undefined) throw new Error(server);
    const { tokens, opened } = startHost();
    const connection = await connected(choice, tokens, target.url);
    expect(await connection.call("echo", { text: "hello" })).toBe("hello");
    expect(opened).toHaveLength(1);
    expect(target.log.count("POST", /\/token$/)).toBe(1);
  });
});

describe("a server that only passes on another's authorization responses", () => {
  it.each<ClientChoice>([
    { sdk: "v1", way: "fetch" },
    { sdk: "v1", way: "authProvider" },
    { sdk: "v2", way: "fetch" },
    { sdk: "v2", way: "authProvider" },
    { sdk: "v2", way: "bearerProvider" },
  ])(
    "is refused with SDK $sdk by $way, because of another's iss, before the code leaves [ISS-4, ISS-7]",
    async (choice) => {
      const { as } = await startServers();
      const proxy = closing(await startSdkAuthRouterServer({ upstream: as }));
      const { tokens, opened } = startHost();
      const error = await failure(newConnection(choice, tokens, proxy.url).connect(), "issuer_mismatch");
      expect(error.message).toContain(as.issuer);
      expect(error.message).toContain(proxy.issuer);
      expect(opened).toHaveLength(1);
      expect([as.log.count("POST", "/token"), proxy.log.count("POST", "/token")]).toEqual([0, 0]);
    },
  );
});
