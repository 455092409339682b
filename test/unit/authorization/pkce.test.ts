import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { createPkcePair, requirePkceSupport } from "../../../src/authorization/pkce.ts";
import { discoverAuthorizationServer } from "../../../src/discovery/authorization-server.ts";
import { MetadataCache } from "../../../src/discovery/cache.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { closingAfterEach, manualHttp, metadataAt, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();

describe("createPkcePair", () => {
  it("makes verifiers of 32 random octets, no two alike, each with its challenge [PKCE-1] [PKCE-5]", () => {
    const pairs = Array.from({ length: 200 }, createPkcePair);
    expect(new Set(pairs.map(({ verifier }) => verifier.reveal())).size).toBe(200);
    for (const { verifier, challenge } of pairs) {
      expect(verifier.reveal()).toMatch(/^[A-Za-z0-9\-._~]{43,128}$/);
      expect(Buffer.from(verifier.reveal(), "base64url")).toHaveLength(32);
      expect(createHash("sha256").update(verifier.reveal(), "ascii").digest("base64url")).toBe(challenge);
    }
  });

  it("does not show the verifier [PKCE-5]", () => {
    const pair = createPkcePair();
    expect(shown(pair)).not.toContain(pair.verifier.reveal());
  });
});

describe("requirePkceSupport", () => {
  it.each([[["S256"]], [["plain", "S256"]]])("takes %j [PKCE-3] [PKCE-4]", (methods) => {
    const metadata = metadataAt("https://as", { code_challenge_methods_supported: methods });
    expect(() => requirePkceSupport(metadata, SERVER)).not.toThrow();
  });

  it.each([[undefined], [[]], [["plain"]], [["s256"]], [["S256 plain"]]])(
    "refuses %j [PKCE-3] [PKCE-4]",
    async (methods) => {
      const metadata = metadataAt("https://as", { code_challenge_methods_supported: methods });
      const error = await failureOf(() => requirePkceSupport(metadata, SERVER));
      expect(error).toMatchObject({ code: "pkce_unsupported", server: SERVER, issuer: "https://as" });
      expect(error.message).toContain("code_challenge_methods_supported");
    },
  );

  it.each(["oauth-authorization-server", "openid-configuration"])(
    "looks at the document of either kind: %s [PKCE-3]",
    async (kind) => {
      let methods: unknown = ["S256"];
      const server = await closing(
        startScriptedServer({
          [`/.well-known/${kind}`]: (_, { json, url }) =>
            json({ ...metadataAt(url), code_challenge_methods_supported: methods }),
        }),
      );
      const { http, clock } = manualHttp();
      const metadata = () =>
        discoverAuthorizationServer(http, new MetadataCache(clock), { issuer: server.url, server: SERVER });
      const supported = await metadata();
      expect(() => requirePkceSupport(supported!, SERVER)).not.toThrow();
      for (methods of [undefined, null, [], ["plain"]]) {
        const unsupported = await metadata();
        expect((await failureOf(() => requirePkceSupport(unsupported!, SERVER))).code).toBe("pkce_unsupported");
      }
    },
  );
});
