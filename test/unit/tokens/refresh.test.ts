import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { DpopKey } from "../../../src/endpoint/dpop-key.ts";
import { type IssuerProfile, IssuerProfiles, type ProfileUse } from "../../../src/endpoint/issuer-profile.ts";
import { refreshCredential } from "../../../src/tokens/refresh.ts";
import { type RunningScriptedServer, startScriptedServer } from "../../servers/scripted-server.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { clientAt, closingAfterEach, credentialAt, manualHttp, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();

/** The parameters that the token endpoint got. */
function sentTo({ log }: RunningScriptedServer): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(log.requests[0]?.body));
}

async function refreshed(answer: object, changes: object = {}, profile: Omit<IssuerProfile, "issuer"> = {}) {
  const server = await closing(
    startScriptedServer({
      "POST /token": (_, { json }) => json({ access_token: "new-access", token_type: "bearer", ...answer }),
    }),
  );
  const { http, clock } = manualHttp();
  const used: ProfileUse[] = [];
  const profiles = new IssuerProfiles([{ issuer: server.url, ...profile }], (use) => used.push(use));
  const credential = {
    ...credentialAt(server.url, { scope: "a b", requestedScope: "a b c", ...changes }),
    refreshToken: new Secret("refresh-token-1"),
  };
  const after = await refreshCredential({ http, clock, server: SERVER, profiles }, credential);
  return { server, clock, credential, after, used: used.map(({ relaxation }) => relaxation) };
}

describe("refreshCredential", () => {
  it("asks the issuer that gave the token, as the same client, for the same resource, and for no more scopes [REF-4] [RES-1] [RES-3] [STEP-3]", async () => {
    const { server, used } = await refreshed({}, { resource: "https://mcp.example.com" });
    expect(sentTo(server)).toEqual({
      grant_type: "refresh_token",
      client_id: "client",
      refresh_token: "refresh-token-1",
      resource: "https://mcp.example.com",
    });
    expect(used).toEqual([]);
  });

  it("repeats the scope where the issuer's profile says so: what was granted, or else what was asked for", async () => {
    const profile = { scopeOnRefresh: true };
    expect(sentTo((await refreshed({}, {}, profile)).server).scope).toBe("a b");
    expect(sentTo((await refreshed({}, { scope: undefined }, profile)).server).scope).toBe("a b c");
    const { server, used } = await refreshed({}, { scope: undefined, requestedScope: undefined }, profile);
    expect(sentTo(server)).not.toHaveProperty("scope");
    expect(used).toEqual([]);
  });

  it("leaves the resource out where the issuer's profile says so", async () => {
    const { server, used } = await refreshed({}, {}, { omitResource: true });
    expect(sentTo(server)).not.toHaveProperty("resource");
    expect(used).toEqual(["omitResource"]);
  });

  it("proves the possession of the key that the session is bound to, and takes no token that is not", async () => {
    const { record } = await DpopKey.create("ES256");
    const bound = { tokenType: "DPoP", dpopKey: record };
    const { server, after } = await refreshed({ token_type: "DPoP" }, bound);
    expect(server.log.requests[0]?.headers.dpop).toMatch(/^eyJ/);
    expect(after).toMatchObject({ tokenType: "DPoP", dpopKey: record });
    const error = await failureOf(refreshed({ token_type: "Bearer" }, bound));
    expect(error).toMatchObject({ code: "invalid_response", server: SERVER });
    expect(error.issuer).toMatch(/^http:/);
    expect(error.message).toMatch(/not bound to the key of its session.*not used/);
  });

  it("shows the refresh token to nobody, also when the server repeats it", async () => {
    const refusal = { access_token: undefined, error: "invalid_grant", error_description: "not mine: refresh-token-1" };
    const error = await failureOf(refreshed(refusal));
    expect(error).toMatchObject({ code: "token_request_failed", oauthError: "invalid_grant" });
    expect(error.message).toContain("not mine");
    expect(shown(error)).not.toContain("refresh-token-1");
  });

  it("takes a token that is not bound where the session was not bound either", async () => {
    const { server, after } = await refreshed({});
    expect(server.log.requests[0]?.headers).not.toHaveProperty("dpop");
    expect(after).toMatchObject({ tokenType: "Bearer" });
  });

  it("authenticates a confidential client there too [REF-4]", async () => {
    const { server } = await refreshed({}, { client: clientAt("x", { secret: "s" }) });
    expect(server.log.requests[0]?.headers.authorization).toBe(`Basic ${btoa("client:s")}`);
  });

  it("puts the new tokens in the place of the old ones, with new times [REF-2]", async () => {
    const { clock, credential, after } = await refreshed({
      refresh_token: "refresh-token-2",
      expires_in: "60",
      scope: "a",
    });
    expect([after.accessToken.reveal(), after.refreshToken?.reveal()]).toEqual(["new-access", "refresh-token-2"]);
    expect(after).toMatchObject({
      issuedAt: clock.now(),
      expiresAt: clock.now() + 60_000,
      signedInAt: credential.signedInAt,
    });
  });

  it("keeps the old refresh token where there is no new one [REF-3]", async () => {
    expect((await refreshed({})).after.refreshToken?.reveal()).toBe("refresh-token-1");
    expect((await refreshed({ refresh_token: "" })).after.refreshToken?.reveal()).toBe("refresh-token-1");
  });

  it("keeps the granted scope where the answer names none, and what was asked for in any case [SCO-6]", async () => {
    expect((await refreshed({})).after).toMatchObject({ scope: "a b", requestedScope: "a b c" });
    expect((await refreshed({ scope: "a" })).after).toMatchObject({ scope: "a", requestedScope: "a b c" });
  });

  it("forgets the old end where the answer names none [REF-7]", async () => {
    expect((await refreshed({})).after).not.toHaveProperty("expiresAt");
  });
});
