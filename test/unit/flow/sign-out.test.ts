import { describe, expect, it } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import type { TokenStore } from "../../../src/ports/token-store.ts";
import { TokenManager } from "../../../src/token-manager.ts";
import type { TokenManagerOptions } from "../../../src/token-manager-options.ts";
import {
  type ScriptedAuthorizationServerOptions,
  scriptedAuthorizationServer,
} from "../../servers/scripted-authorization-server.ts";
import { shown } from "../../support/failure.ts";
import { closingAfterEach } from "../../support/stage.ts";
import { storeWith } from "../tokens-coordinator/stage.ts";

const closing = closingAfterEach();

/** Signs in, then out, at a server that answers revocations as told. */
async function signedOut(
  options: ScriptedAuthorizationServerOptions,
  store: TokenStore = memoryStore(),
  hostOptions: Partial<TokenManagerOptions> = {},
) {
  const server = await closing(scriptedAuthorizationServer(options));
  const tokens = await closing(
    Promise.resolve(
      new TokenManager({
        clientName: "Test",
        store,
        openBrowser: (url) => void fetch(url).then((page) => page.text()),
        ...hostOptions,
      }),
    ),
  );
  const { accessToken } = await tokens.signIn(server.mcpUrl);
  const held = [...server.refreshTokens.keys(), accessToken.reveal()];
  const result = await tokens.signOut(server.mcpUrl);
  const revoked = server.log.find("POST", "/revoke").map(({ body }) => new URLSearchParams(body));
  return { server, result, held, revoked, left: (await store.keys()).filter((key) => key.startsWith("session/")) };
}

describe("signing out", () => {
  it("and in waits for a session that is being refreshed elsewhere as long as its requests may take", async () => {
    const inner = memoryStore();
    const waits: number[] = [];
    const store = storeWith(inner, {
      lock: (key, options) => {
        if (key.startsWith("session/")) waits.push(options?.timeoutMs ?? 0);
        return inner.lock(key, options);
      },
    });
    await signedOut({}, store, { requestTimeoutMs: 200_000 });
    expect(waits.filter((waitMs) => waitMs > 400_000)).toHaveLength(2);
  });

  it("revokes the refresh token first, then the access token, and removes both here [REV-1] [REV-3] [REV-4]", async () => {
    const { result, held, revoked, left } = await signedOut({});
    expect(revoked.map((form) => [form.get("token"), form.get("token_type_hint")])).toEqual([
      [held[0], "refresh_token"],
      [held[1], "access_token"],
    ]);
    expect(result).toMatchObject([{ revocation: "revoked" }]);
    expect(left).toEqual([]);
  });

  it.each<[string, ScriptedAuthorizationServerOptions, object, number]>([
    [
      "the server is unavailable",
      { revoke: (_request, _usual, { text }) => text("", 503, { "retry-after": "30" }) },
      { revocation: "unreachable", error: { status: 503, retryAfterMs: 30_000 } },
      2,
    ],
    ["it cuts the connection", { revoke: () => "reset" }, { revocation: "unreachable" }, 2],
    [
      "it refuses",
      { revoke: (_request, _usual, { json }) => json({ error: "invalid_client" }, 401) },
      { revocation: "refused", error: { oauthError: "invalid_client" } },
      2,
    ],
    [
      "it has no revocation endpoint",
      { metadata: { revocation_endpoint: undefined } },
      { revocation: "unsupported" },
      0,
    ],
    [
      "it does not revoke access tokens",
      {
        revoke: (request, usual, { json }) =>
          request.form.get("token_type_hint") === "access_token"
            ? json({ error: "unsupported_token_type" }, 400)
            : usual(),
      },
      { revocation: "revoked" },
      2,
    ],
    [
      "it does not revoke refresh tokens: the access token is revoked all the same",
      {
        revoke: (request, usual, { json }) =>
          request.form.get("token_type_hint") === "refresh_token"
            ? json({ error: "unsupported_token_type" }, 400)
            : usual(),
      },
      { revocation: "refused" },
      2,
    ],
  ])(
    "removes the local copy and says how it went when %s [REV-5] [REV-6]",
    async (_case, options, expected, requests) => {
      const { result, held, revoked, left } = await signedOut(options);
      expect(result).toMatchObject([expected]);
      expect(revoked).toHaveLength(requests);
      expect(left).toEqual([]);
      for (const token of held) expect(shown(result)).not.toContain(token);
    },
  );
});
