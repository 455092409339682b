import { describe, expect, it } from "vitest";
import { clientFromRecord, clientToRecord } from "../../../src/endpoint/oauth-client.ts";
import { clientAt } from "../../support/stage.ts";

describe("clientFromRecord", () => {
  it.each([
    ["0", 0],
    ["1750000000000", 1_750_000_000_000],
    ["1e400", undefined],
    ["-1e400", undefined],
    ['"soon"', undefined],
  ])("takes no end of a secret that is no moment: %s", (written, expected) => {
    const stored = JSON.stringify(clientToRecord(clientAt("https://as.example.com", { secretExpiresAt: 7 })));
    const changed = stored.replace('"secretExpiresAt":7', `"secretExpiresAt":${written}`);
    expect(changed).not.toBe(stored);
    expect(clientFromRecord(JSON.parse(changed))?.secretExpiresAt).toBe(expected);
  });
});
