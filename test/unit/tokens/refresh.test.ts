import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import { refreshCredential } from "../../../src/tokens/refresh.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { clientAt, closingAfterEach, credentialAt, manualHttp, SERVER } from "../../support/stage.ts";

const closing = closingAfterEach();

async function refreshed(answer: object, changes: object = {}) {
  const server = await closing(
    startScriptedServer({
      "POST /token": (_, { json }) => json({ access_token: "new-access", token_type: "bearer", ...answer }),
    }),
  );
  const { http, clock } = manualHttp();
  const credential = {
    ...credentialAt(server.url, { scope: "a b", requestedScope: "a b c", ...changes }),
    refreshToken: new Secret("refresh-token-1"),
  };
  return { server, clock, credential, after: await refreshCredential({ http, clock, server: SERVER }, credential) };
}

describe("refreshCredential", () => {
  it("asks the issuer that gave the token, as the same client, for the same resource, and for no more scopes [REF-4] [RES-1] [RES-3] [STEP-3]", async () => {
    const { server } = await refreshed({}, { resource: "https://mcp.example.com" });
    expect(Object.fromEntries(new URLSearchParams(server.log.requests[0]?.body))).toEqual({
      grant_type: "refresh_token",
      client_id: "client",
      refresh_token: "refresh-token-1",
      resource: "https://mcp.example.com",
    });
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
