import { describe, expect, it } from "vitest";
import { chooseScope, type ScopeQuestion } from "../../../src/authorization/scope.ts";
import { metadataAt, SERVER } from "../../support/stage.ts";

const WITH_OFFLINE = { scopes_supported: ["openid", "offline_access"] };

function choose(question: Partial<ScopeQuestion>, metadata: Record<string, unknown> = {}): string | undefined {
  return chooseScope({ server: SERVER, authorizationServer: metadataAt("https://as", metadata), ...question });
}

describe("chooseScope", () => {
  it.each<[string, Partial<ScopeQuestion>, string | undefined]>([
    ["the challenge's scope first [SCO-2]", { challenged: "b a", supportedByResource: ["x", "y"] }, "b a"],
    [
      "the challenge's scope, though the resource does not list it [SCO-5]",
      { challenged: "z", supportedByResource: ["x"] },
      "z",
    ],
    ["else all that the resource supports [SCO-3]", { supportedByResource: ["x", "y"] }, "x y"],
    ["else none [SCO-4]", {}, undefined],
    ["none where the resource supports none [SCO-4]", { supportedByResource: [] }, undefined],
    [
      "what the caller wants, instead of all that there is [SCO-1]",
      { wanted: "x", supportedByResource: ["x", "y"] },
      "x",
    ],
    ["what the caller wants and what the challenge needs [SCO-5]", { wanted: "x", challenged: "z" }, "x z"],
    [
      "what was asked for before, and what the challenge adds [STEP-2]",
      { requestedBefore: "a b", challenged: "b c" },
      "a b c",
    ],
    [
      "both, without dropping one that seems to include the other [STEP-2]",
      { requestedBefore: "files", challenged: "files:read" },
      "files files:read",
    ],
    [
      "what was asked for before on a later 401 without a scope too [STEP-2]",
      { requestedBefore: "a c", supportedByResource: ["a"] },
      "a c",
    ],
    ["scopes as they are spelled [SCO-6]", { challenged: "Read read READ" }, "Read read READ"],
  ])("chooses %s", (_what, question, expected) => {
    expect(choose(question)).toBe(expected);
  });

  it.each<[string, Partial<ScopeQuestion>, Record<string, unknown>, string | undefined]>([
    ["adds it where the server lists it", { challenged: "a" }, WITH_OFFLINE, "a offline_access"],
    ["adds it once", { challenged: "a offline_access" }, WITH_OFFLINE, "a offline_access"],
    ["does not where the server does not list it", { challenged: "a" }, { scopes_supported: ["a"] }, "a"],
    ["does not where the server lists nothing", { challenged: "a" }, {}, "a"],
    [
      "does not where the resource lists it and the server does not",
      { supportedByResource: ["a", "offline_access"] },
      { scopes_supported: ["a"] },
      "a",
    ],
    ["does not ask for it alone", {}, WITH_OFFLINE, undefined],
    [
      "nor where only the resource lists it, and nothing else",
      { supportedByResource: ["offline_access"] },
      {},
      undefined,
    ],
  ])("offline_access: %s [OFF-1]", (_what, question, metadata, expected) => {
    expect(choose(question, metadata)).toBe(expected);
  });

  it("lets the host ask for less [SCO-1]", () => {
    const questions: unknown[] = [];
    const narrow = (question: { server: string; scopes: readonly string[] }): readonly string[] => {
      questions.push(question);
      return question.scopes.filter((scope) => scope !== "admin");
    };
    expect(choose({ supportedByResource: ["read", "admin"], narrow }, WITH_OFFLINE)).toBe("read offline_access");
    expect(choose({ supportedByResource: ["admin"], narrow }, WITH_OFFLINE)).toBeUndefined();
    expect(questions[0]).toEqual({ server: SERVER, scopes: ["read", "admin", "offline_access"] });
    const once = (): readonly string[] => ["read"];
    expect(choose({ supportedByResource: ["read"], narrow: once }, WITH_OFFLINE)).toBe("read");
  });
});
