// Both SDKs insist on a token request of their own after a refusal. `tokens.authProvider` lets it go nowhere; here the SDKs'
// fetch is watched to see that it does.
import { describe, expect, it } from "vitest";
import type { Servers } from "./support/host.ts";
import {
  type ClientChoice,
  connected,
  failure,
  newConnection,
  startHost,
  startServers,
  tokenRequests,
} from "./support/host.ts";

interface SentBySdk {
  readonly url: URL;
  readonly text: string;
}

/** A fetch for an SDK's transport that remembers all that the SDK sends; nobody answers at names that do not exist. */
function watchedFetch(): { sent: SentBySdk[]; fetch: typeof fetch } {
  const sent: SentBySdk[] = [];
  return {
    sent,
    fetch: (input, init) => {
      const url = new URL(String(input));
      sent.push({ url, text: JSON.stringify([[...new Headers(init?.headers)], String(init?.body ?? "")]) });
      return url.hostname.endsWith(".invalid")
        ? Promise.reject(new TypeError(`getaddrinfo ENOTFOUND ${url.hostname}`))
        : fetch(input, init);
    },
  };
}

/** Everything secret that went over the wire between the library and the authorization server. */
function secretsOf({ as }: Servers): string[] {
  const forms = as.log.find("POST", "/token").map(({ body }) => new URLSearchParams(body));
  const names = ["code", "code_verifier", "refresh_token", "client_id", "client_secret"];
  return forms.flatMap((form) => names.map((name) => form.get(name))).filter((value) => value !== null);
}

const clients: ClientChoice[] = [
  { sdk: "v1", way: "authProvider", wire: "Streamable HTTP" },
  { sdk: "v1", way: "authProvider", wire: "SSE" },
  { sdk: "v2", way: "authProvider", wire: "Streamable HTTP" },
  { sdk: "v2", way: "authProvider", wire: "SSE" },
];
const transportOf = ({ wire }: ClientChoice): "sse" | "streamable-http" => (wire === "SSE" ? "sse" : "streamable-http");

describe("the SDK's own token request", () => {
  it.each(clients)(
    "goes to an empty data: document and holds nothing secret, with SDK $sdk over $wire [TOK-6]",
    async (choice) => {
      const servers = await startServers({ transport: transportOf(choice) });
      const { as, mcp } = servers;
      const { tokens } = startHost();
      const { sent, fetch } = watchedFetch();
      const connection = await connected({ ...choice, transportOptions: { fetch } }, tokens, mcp.url);
      mcp.invalidateAll();
      expect(await connection.call("echo", { text: "renewed" })).toBe("renewed");
      expect(tokenRequests(as)).toBe(2);
      const elsewhere = sent.filter(({ url }) => url.origin !== mcp.url.origin);
      expect(new Set(elsewhere.map(({ url }) => url.protocol))).toEqual(new Set(["data:"]));
      const current = (await tokens.get(mcp.url)).accessToken.reveal();
      for (const secret of [...secretsOf(servers), current]) {
        for (const { url, text } of elsewhere) expect(url.href + text).not.toContain(secret);
      }
      // Discovery, registration and tokens are the library's: the SDK has asked for none of them.
      expect(sent.filter(({ url }) => url.origin === mcp.url.origin && url.pathname.includes("well-known"))).toEqual(
        [],
      );
    },
  );

  it.each(clients)(
    "reaches nobody where an SDK $sdk over $wire ignores the changed address, and fails with a clear error [TOK-6]",
    async (choice) => {
      const servers = await startServers({ transport: transportOf(choice) });
      const { as, mcp } = servers;
      const { tokens } = startHost();
      const { sent, fetch } = watchedFetch();
      const provider = tokens.authProvider(mcp.url);
      const { addClientAuthentication } = provider;
      provider.addClientAuthentication = (headers, parameters, url) =>
        addClientAuthentication(headers, parameters, new URL(url));
      const transportOptions = { fetch, authProvider: provider };
      const connection = await connected({ ...choice, transportOptions }, tokens, mcp.url);
      mcp.invalidateAll();
      await expect(connection.call("echo", { text: "?" })).rejects.toThrow(
        "ENOTFOUND kept-by-the-token-manager.invalid",
      );
      const elsewhere = sent.filter(({ url }) => url.origin !== mcp.url.origin);
      expect(new Set(elsewhere.map(({ url }) => url.host))).toEqual(new Set(["kept-by-the-token-manager.invalid"]));
      const current = (await tokens.get(mcp.url)).accessToken.reveal();
      for (const secret of [...secretsOf(servers), current]) {
        for (const { url, text } of elsewhere) expect(url.href + text).not.toContain(secret);
      }
      // What was got meanwhile is not lost: the next call goes through.
      expect(await connection.call("echo", { text: "next" })).toBe("next");
      expect(tokenRequests(as)).toBe(2);
    },
  );

  it.each(clients)(
    "is refused in plain words where an SDK $sdk over $wire gives its address as text",
    async (choice) => {
      const { mcp } = await startServers({ transport: transportOf(choice) });
      const { tokens } = startHost();
      const { sent, fetch } = watchedFetch();
      const provider = tokens.authProvider(mcp.url);
      const { addClientAuthentication } = provider;
      provider.addClientAuthentication = (headers, parameters, url) =>
        addClientAuthentication(headers, parameters, String(url));
      const connection = await connected(
        { ...choice, transportOptions: { fetch, authProvider: provider } },
        tokens,
        mcp.url,
      );
      mcp.invalidateAll();
      const error = await failure(connection.call("echo", { text: "?" }), "invalid_configuration");
      expect(error.message).toContain("token manager's fetch");
      expect(sent.filter(({ url }) => url.origin !== mcp.url.origin)).toEqual([]);
    },
  );
});

describe("an SDK that tries to sign in by itself", () => {
  it.each<ClientChoice>([
    { sdk: "v1", way: "authProvider" },
    { sdk: "v2", way: "authProvider" },
  ])("as SDK $sdk does with a redirectUrl, is told not to", async (choice) => {
    const { as, mcp } = await startServers();
    const { tokens, opened } = startHost();
    const provider = {
      ...tokens.authProvider(mcp.url),
      tokens: async () => undefined,
      redirectUrl: "http://127.0.0.1/x",
    };
    const connection = newConnection({ ...choice, transportOptions: { authProvider: provider } }, tokens, mcp.url);
    await failure(connection.connect(), "invalid_configuration");
    expect([opened.length, as.log.requests.length]).toEqual([0, 0]);
  });
});
