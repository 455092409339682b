import { describe, expect, it } from "vitest";
import { McpOAuthError } from "../../../src/core/errors.ts";
import type { OAuthClient } from "../../../src/endpoint/oauth-client.ts";
import { openRedirect } from "../../../src/flow/redirect.ts";
import type { RedirectOptions } from "../../../src/ports/redirect-receiver.ts";
import { failureOf } from "../../support/failure.ts";
import { clientAt } from "../../support/stage.ts";

/** What was opened, one after the other; ports in `taken` cannot be. */
async function opened(
  configured: RedirectOptions,
  client?: Partial<OAuthClient>,
  taken: number[] = [],
): Promise<RedirectOptions[]> {
  const tries: RedirectOptions[] = [];
  const receiver = {
    open: async (options: RedirectOptions) => {
      tries.push(options);
      if (options.port !== undefined && taken.includes(options.port))
        throw new McpOAuthError("redirect_unavailable", "Taken.");
      return { redirectUri: "", arrival: () => new Promise<never>(() => undefined), close: async () => undefined };
    },
  };
  await openRedirect(receiver, configured, client && clientAt("https://as", client));
  return tries;
}

const dynamic = (uri: string): Partial<OAuthClient> => ({ how: "dynamic", redirectUris: [uri] });
const known = (uri: string): Partial<OAuthClient> => ({ how: "pre-registered", redirectUris: [uri] });

describe("openRedirect", () => {
  it.each<[string, RedirectOptions, Partial<OAuthClient> | undefined, number[], RedirectOptions[]]>([
    ["without a client: as configured", { host: "localhost" }, undefined, [], [{ host: "localhost" }]],
    ["a client without a redirect URI: as configured", {}, { how: "metadata-document" }, [], [{}]],
    [
      "a dynamic client: where it is registered [RUR-2]",
      {},
      dynamic("http://127.0.0.1:4321/cb"),
      [],
      [{ host: "127.0.0.1", port: 4321, path: "/cb" }],
    ],
    [
      "a dynamic client on IPv6 [RUR-2]",
      {},
      dynamic("http://[::1]:4321/cb"),
      [],
      [{ host: "::1", port: 4321, path: "/cb" }],
    ],
    [
      "a dynamic client whose port is taken: another port",
      {},
      dynamic("http://127.0.0.1:4321/cb"),
      [4321],
      [{ host: "127.0.0.1", port: 4321, path: "/cb" }, {}],
    ],
    [
      "a dynamic client, the configured port changed since",
      { port: 5 },
      dynamic("http://127.0.0.1:4321/cb"),
      [],
      [{ port: 5 }],
    ],
    [
      "a dynamic client, the configured host changed since",
      { host: "localhost" },
      dynamic("http://127.0.0.1:4321/cb"),
      [],
      [{ host: "localhost" }],
    ],
    [
      "a dynamic client, a public URI configured since",
      { uri: "https://app/cb", port: 5 },
      dynamic("http://127.0.0.1:4321/cb"),
      [],
      [{ uri: "https://app/cb", port: 5 }],
    ],
    [
      "a dynamic client with a public redirect URI: as configured",
      { uri: "https://app/cb", port: 5 },
      dynamic("https://app/cb"),
      [],
      [{ uri: "https://app/cb", port: 5 }],
    ],
    [
      "a known client with a fixed port: exactly its text [RUR-2]",
      {},
      known("http://localhost:4321/cb"),
      [],
      [{ host: "localhost", port: 4321, path: "/cb", uri: "http://localhost:4321/cb" }],
    ],
    [
      "a known client without a port: any port [NAT-3]",
      {},
      known("http://127.0.0.1/cb"),
      [],
      [{ host: "127.0.0.1", path: "/cb" }],
    ],
    [
      "a known client with a public redirect URI: exactly its text [RUR-2]",
      { port: 5 },
      known("https://app.example.com/cb"),
      [],
      [{ port: 5, uri: "https://app.example.com/cb" }],
    ],
  ])("%s", async (_case, configured, client, taken, expected) => {
    expect(await opened(configured, client, taken)).toEqual(expected);
  });

  it("does not take another port for a client that was registered by hand", async () => {
    expect((await failureOf(opened({}, known("http://127.0.0.1:4321/cb"), [4321]))).code).toBe("redirect_unavailable");
    expect((await failureOf(opened({ port: 4321 }, dynamic("http://127.0.0.1:4321/callback"), [4321]))).code).toBe(
      "redirect_unavailable",
    );
  });
});
