import { webcrypto } from "node:crypto";
import { Secret } from "mcp-oauth-client";
import { describe, expect, it, vi } from "vitest";
import { chooseDpopAlgorithm, DpopKey, dpopKeyOf } from "../../../src/endpoint/dpop-key.ts";
import { failureOf, shown } from "../../support/failure.ts";

describe("a DPoP key", () => {
  it.each(["ES256", "Ed25519", "PS256", "RS256"])(
    "of %s cannot be exported once it is in use [DPOP-10]",
    async (algorithm) => {
      const imported = vi.spyOn(webcrypto.subtle, "importKey");
      await DpopKey.create(algorithm);
      const keys = (await Promise.all(imported.mock.results.map(({ value }) => value))) as webcrypto.CryptoKey[];
      const privateKeys = keys.filter(({ type }) => type === "private");
      expect(privateKeys).toHaveLength(1);
      for (const key of privateKeys) {
        expect(key.extractable).toBe(false);
        expect(key.usages).toEqual(["sign"]);
        await expect(webcrypto.subtle.exportKey("jwk", key)).rejects.toThrow();
      }
    },
  );

  it("is the same one after it was stored [DPOP-9]", async () => {
    const key = await DpopKey.create("ES256");
    const restored = await dpopKeyOf(new Secret(key.record.reveal()));
    expect(await restored.thumbprint()).toBe(await key.thumbprint());
    expect(await (await DpopKey.create("ES256")).thumbprint()).not.toBe(await key.thumbprint());
  });

  it("shows nothing of itself [DPOP-10]", async () => {
    const key = await DpopKey.create("ES256");
    const { d } = JSON.parse(key.record.reveal()) as { d: string };
    expect(shown(key)).not.toContain(d);
  });

  it.each(["", "{}", '{"alg":"ES256","kty":"EC","crv":"P-256","d":"planted"}', '{"alg":"none"}'])(
    "that cannot be read is an error that does not quote it: %j",
    async (text) => {
      const error = await failureOf(DpopKey.restore(new Secret(text)));
      expect(error.code).toBe("store_unreadable");
      expect(shown(error)).not.toContain("planted");
    },
  );
});

describe("chooseDpopAlgorithm", () => {
  it.each<[(string[] | undefined)[], string | undefined]>([
    [[], "ES256"],
    [[undefined, undefined], "ES256"],
    [[["RS256", "ES256"]], "ES256"],
    [[["RS256", "PS256"], ["PS256"]], "PS256"],
    [[["ES256"], ["RS256"]], undefined],
    [[["HS256", "none"]], undefined],
    [[[]], undefined],
  ])("of %j is %s: asymmetric, and taken by all [DPOP-4]", (lists, expected) => {
    expect(chooseDpopAlgorithm(...lists)).toBe(expected);
  });
});
