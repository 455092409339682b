import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createAuthorizationRequest } from "../../../src/authorization/request.ts";
import { parsePastedRedirect, receivePastedRedirect } from "../../../src/flow/pasted-redirect.ts";
import { anyText, anyUrl } from "../../support/any-text.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { settled } from "../../support/manual-clock.ts";
import { clientAt, metadataAt, SERVER } from "../../support/stage.ts";

const ISSUER = "https://as.example.com";

describe("parsePastedRedirect", () => {
  it.each<[string, Record<string, string>]>([
    ["http://127.0.0.1:4321/callback?code=c&state=s", { code: "c", state: "s" }],
    [
      "  http://localhost/callback?state=s&code=c%2Fd&iss=https%3A%2F%2Fas \n",
      { code: "c/d", state: "s", iss: "https://as" },
    ],
    ["https://app.example.com/cb?error=access_denied&state=s#frag", { error: "access_denied", state: "s" }],
    ["?code=c&state=s", { code: "c", state: "s" }],
    ["code=c&state=s", { code: "c", state: "s" }],
    ["http://127.0.0.1:4321/callback?code=long\ncode&state=s", { code: "longcode", state: "s" }],
  ])("reads %j", (pasted, expected) => {
    expect(Object.fromEntries(parsePastedRedirect(pasted) ?? [])).toEqual(expected);
  });

  it.each([
    "",
    " ",
    "the code is abc",
    "code=c",
    "state=s",
    "http://127.0.0.1/callback",
    "http://127.0.0.1/callback#code=c&state=s",
    "abc123",
    `code=${"c".repeat(70_000)}&state=s`,
  ])("does not take %j for a response", (pasted) => {
    expect(parsePastedRedirect(pasted)).toBeUndefined();
  });

  it("never throws, and gives a response with a state or nothing", () => {
    const piece = fc.oneof(anyText(), anyUrl, fc.constantFrom("?", "&", "code=", "state=", "http://", "%", "#"));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        expect(parsePastedRedirect(pieces.join(""))?.has("state") ?? true).toBe(true);
      }),
      { numRuns: 500 },
    );
  });
});

describe("receivePastedRedirect", () => {
  const request = createAuthorizationRequest({
    server: SERVER,
    authorizationServer: metadataAt(ISSUER),
    client: clientAt(ISSUER),
    redirectUri: "http://127.0.0.1:4321/callback",
    resource: SERVER,
  });
  const answer = `http://127.0.0.1:4321/callback?code=planted-code&state=${request.state}`;

  function prompting(pastes: readonly (string | undefined)[], signal = new AbortController().signal) {
    const asked: [string, string | undefined][] = [];
    const outcome = receivePastedRedirect(
      ({ authorizationUrl, authorizationServer, server }, problem) => {
        asked.push([`${authorizationServer} ${server} ${authorizationUrl === request.url}`, problem]);
        return pastes[asked.length - 1];
      },
      request,
      signal,
    );
    outcome.catch(() => undefined);
    return { asked, outcome };
  }

  it("shows what the user needs, and takes the answer", async () => {
    const { asked, outcome } = prompting([answer]);
    expect((await outcome).get("code")).toBe("planted-code");
    expect(asked).toEqual([[`as.example.com ${SERVER} true`, undefined]]);
  });

  it("says what was wrong and asks again, also for the answer to another sign-in [STATE-1]", async () => {
    const { asked, outcome } = prompting(["planted-code", "?code=planted-code&state=other", answer]);
    expect((await outcome).get("state")).toBe(request.state);
    expect(asked.map(([, problem]) => problem?.slice(0, 20))).toEqual([
      undefined,
      "That is not the addr",
      "That address belongs",
    ]);
    expect(JSON.stringify(asked)).not.toContain("planted");
  });

  it("gives up after five, without showing what was pasted", async () => {
    const { asked, outcome } = prompting(Array.from({ length: 9 }, () => "planted-nonsense"));
    const error = await failureOf(outcome);
    expect(error).toMatchObject({ code: "invalid_authorization_response", server: SERVER, issuer: ISSUER });
    expect(asked).toHaveLength(5);
    expect(shown(error)).not.toContain("planted");
  });

  it.each<[string, (string | undefined)[], boolean]>([
    ["there is no way to paste", [undefined], false],
    ["the sign-in has ended meanwhile", [answer], true],
  ])("leaves it to the other ways when %s", async (_case, pastes, aborted) => {
    const { outcome } = prompting(pastes, aborted ? AbortSignal.abort() : undefined);
    expect(await Promise.race([outcome, settled().then(() => "still waiting")])).toBe("still waiting");
  });
});
