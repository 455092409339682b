// Scopes that earlier sign-ins asked for: they belong to one authorization server, which may withdraw them.
import { type ClientCredentialsGrant, memoryStore } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import type { RunningScriptedAuthorizationServer } from "../../servers/scripted-authorization-server.ts";
import { withLocationQuery } from "../../servers/scripted-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { startDeviceServer, tokensGiven } from "../grants/support/device-server.ts";
import { patient, WaitingClock } from "../grants/support/waiting-clock.ts";
import { failure, type Host, startHost, startScripted } from "./support/harness.ts";

type Server = RunningScriptedAuthorizationServer;

const scopesIn = (scope: string | null | undefined): string[] => (scope ?? "").split(" ").filter(Boolean).sort();
/** The scopes that a person was asked for, each time. */
const asked = ({ opened }: Host): string[][] => opened.map(({ searchParams }) => scopesIn(searchParams.get("scope")));
/** The scopes that an endpoint was asked for, each time. */
const posted = ({ log }: Server, path: string): string[][] =>
  log.find("POST", path).map(({ body }) => scopesIn(new URLSearchParams(body).get("scope")));

/** Lets a server's resource name an authorization server, and no other. */
function moveTo(resource: Server, { issuer }: Server): void {
  resource.options.protectedResource = { authorization_servers: [issuer] };
}

/** From now on the authorization page refuses all that asks for a scope. */
function withdraw(server: Server, scope: string): void {
  server.options.authorize = async ({ url }, usual) => {
    const answer = await usual();
    const isKnown = !scopesIn(url.searchParams.get("scope")).includes(scope);
    return isKnown ? answer : withLocationQuery(answer, { code: undefined, error: "invalid_scope" });
  };
}

describe("what was asked for at one authorization server", () => {
  it("is not asked for at the next, and is again when the resource moves back", async () => {
    const [first, second] = [await startScripted(), await startScripted()];
    const host = startHost();
    await host.tokens.signIn(first.mcpUrl, { scope: "first:files" });
    moveTo(first, second);
    await host.tokens.signIn(first.mcpUrl);
    await host.tokens.signIn(first.mcpUrl);
    moveTo(first, first);
    await host.tokens.signIn(first.mcpUrl);
    expect(asked(host)).toEqual([["first:files"], ["mcp:tools"], ["mcp:tools"], ["first:files", "mcp:tools"]]);
    expect(JSON.stringify(second.log.requests.map(({ query, body }) => [[...query], body]))).not.toContain("first:");
  });

  it("is not kept as asked for at the next, where nothing is asked for", async () => {
    const [first, second] = [await startScripted(), await startScripted()];
    const store = memoryStore();
    const host = startHost({ store });
    await host.tokens.signIn(first.mcpUrl, { scope: "first:files" });
    first.options.protectedResource = { authorization_servers: [second.issuer], scopes_supported: undefined };
    await host.tokens.signIn(first.mcpUrl);
    const again = startHost({ store });
    await again.tokens.signIn(first.mcpUrl);
    expect([...asked(host), ...asked(again)]).toEqual([["first:files"], [], []]);
  });

  it("does not count when the resource has moved and asks for more scopes", async () => {
    const [first, second] = [await startScripted(), await startScripted()];
    const host = startHost();
    await host.tokens.signIn(first.mcpUrl, { scope: "first:files" });
    moveTo(first, second);
    first.options.mcp = ({ headers }, _usual, { text }) => {
      const isNew = second.accessTokens.has(headers.authorization?.replace("Bearer ", "") ?? "");
      const challenge = 'Bearer error="insufficient_scope", scope="second:write"';
      return isNew ? text("done") : text("more", 403, { "www-authenticate": challenge });
    };
    expect((await host.tokens.fetch(first.mcpUrl)(first.mcpUrl)).status).toBe(200);
    expect(asked(host)).toEqual([["first:files"], ["second:write"]]);
    expect(host.told("step_up")).toMatchObject([{ issuer: second.issuer, scope: "second:write" }]);
  });

  it("is not asked for by a machine whose token is renewed at the next", async () => {
    const [first, second] = [await startScripted(), await startScripted()];
    for (const each of [first, second])
      each.options.token = (_request, _usual, { json }) =>
        json({ access_token: crypto.randomUUID(), token_type: "Bearer", expires_in: 60 });
    const server = first.mcpUrl.href;
    const clock = new ManualClock();
    const grants = [{ type: "client_credentials", server, clientId: "m", clientSecret: "s" }] as const;
    const { tokens } = startHost({ grants, clock });
    await tokens.signIn(server, { scope: "first:files" });
    moveTo(first, second);
    for (let renewal = 0; renewal < 2; renewal++) {
      clock.jump(120_000);
      await tokens.get(server);
    }
    expect(posted(second, "/token")).toEqual([["mcp:tools"], ["mcp:tools"]]);
    await tokens.signIn(server);
    expect(posted(second, "/token")[2]).toEqual(["mcp:tools"]);
  });
});

describe("a scope that the authorization server has withdrawn", () => {
  it("is left out in a second try of the same sign-in, and from then on", async () => {
    const server = await startScripted();
    const host = startHost();
    await host.tokens.signIn(server.mcpUrl, { scope: "old" });
    withdraw(server, "old");
    const { accessToken } = await host.tokens.signIn(server.mcpUrl);
    expect([...server.accessTokens.keys()]).toContain(accessToken.reveal());
    await host.tokens.signIn(server.mcpUrl);
    expect(asked(host)).toEqual([["old"], ["mcp:tools", "old"], ["mcp:tools"], ["mcp:tools"]]);
  });

  it("is forgotten also where nothing else is asked for", async () => {
    const server = await startScripted({ protectedResource: { scopes_supported: undefined } });
    const store = memoryStore();
    const host = startHost({ store });
    await host.tokens.signIn(server.mcpUrl, { scope: "old" });
    withdraw(server, "old");
    await host.tokens.signIn(server.mcpUrl);
    const again = startHost({ store });
    await again.tokens.signIn(server.mcpUrl);
    expect([...asked(host), ...asked(again)]).toEqual([["old"], ["old"], [], []]);
  });

  it("does not stand in the way of a scope that a request needs", async () => {
    const server = await startScripted();
    const host = startHost();
    await host.tokens.signIn(server.mcpUrl, { scope: "old" });
    withdraw(server, "old");
    server.options.mcp = ({ headers }, _usual, { text }) => {
      const token = server.accessTokens.get(headers.authorization?.replace("Bearer ", "") ?? "");
      const challenge = 'Bearer error="insufficient_scope", scope="files:write"';
      const isEnough = token?.scope.includes("files:write") === true;
      return isEnough ? text("done") : text("more", 403, { "www-authenticate": challenge });
    };
    expect((await host.tokens.fetch(server.mcpUrl)(server.mcpUrl)).status).toBe(200);
    expect(asked(host)).toEqual([["old"], ["files:write", "old"], ["files:write"]]);
  });

  it("is left out once: what is refused then as well is the end", async () => {
    const server = await startScripted();
    const host = startHost();
    await host.tokens.signIn(server.mcpUrl, { scope: "old" });
    withdraw(server, "mcp:tools");
    const error = await failure(host.tokens.signIn(server.mcpUrl), "authorization_failed", server.mcpUrl);
    expect(error.oauthError).toBe("invalid_scope");
    expect(asked(host)).toEqual([["old"], ["mcp:tools", "old"], ["mcp:tools"]]);
  });

  it("is the end at once where the sign-in itself asks for it", async () => {
    const server = await startScripted();
    const host = startHost();
    withdraw(server, "mcp:tools");
    await failure(host.tokens.signIn(server.mcpUrl), "authorization_failed", server.mcpUrl);
    expect(asked(host)).toEqual([["mcp:tools"]]);
  });

  it("is left out on another device, too", async () => {
    const usual = { device_code: "d", user_code: "u", expires_in: 600 };
    const server = await startDeviceServer({ polls: [tokensGiven] });
    const host = startHost({ clock: new WaitingClock(), devicePrompt: () => undefined, ...patient });
    await host.tokens.signIn(server.mcpUrl, { flow: "device", scope: "old" });
    server.options.routes = {
      "POST /device": ({ form }, { json, url }) =>
        scopesIn(form.get("scope")).includes("old")
          ? json({ error: "invalid_scope" }, 400)
          : json({ ...usual, verification_uri: `${url}/activate` }),
    };
    await host.tokens.signIn(server.mcpUrl, { flow: "device" });
    expect(posted(server, "/device")).toEqual([["old"], ["mcp:tools", "old"], ["mcp:tools"]]);
  });

  it.each<[string, Partial<ClientCredentialsGrant>, string[][]]>([
    ["where nothing fixes its scope", {}, [["old"], ["mcp:tools", "old"], ["mcp:tools"]]],
    [
      "but not where its scope is fixed",
      { scope: "old fixed" },
      [
        ["fixed", "old"],
        ["fixed", "old"],
      ],
    ],
  ])("is left out for a machine %s", async (_where, changes, expected) => {
    let isWithdrawn = false;
    const server = await startScripted({
      token: ({ form }, _usual, { json }) =>
        isWithdrawn && scopesIn(form.get("scope")).includes("old")
          ? json({ error: "invalid_scope" }, 400)
          : json({ access_token: "t", token_type: "Bearer", expires_in: 60 }),
    });
    const base = { type: "client_credentials", server: server.mcpUrl.href, clientId: "m", clientSecret: "s" } as const;
    const { tokens } = startHost({ grants: [{ ...base, ...changes }] });
    await tokens.signIn(server.mcpUrl, { scope: "old" });
    isWithdrawn = true;
    const signIn = tokens.signIn(server.mcpUrl);
    if (changes.scope === undefined) await signIn;
    else await failure(signIn, "token_request_failed", server.mcpUrl);
    expect(posted(server, "/token")).toEqual(expected);
  });
});
