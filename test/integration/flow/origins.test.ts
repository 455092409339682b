// What a server may lead to beside itself: metadata, endpoints, and another authorization server than the last time.
import { memoryStore, type OriginQuestion } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import type { RunningScriptedAuthorizationServer } from "../../servers/scripted-authorization-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { callbackOf, failure, type HostOptions, paths, startHost, startScripted } from "./support/harness.ts";

/** A host that answers questions about origins, and keeps them. */
function asking(answer: boolean): HostOptions & { questions: OriginQuestion[] } {
  const questions: OriginQuestion[] = [];
  const acceptOrigin = (question: OriginQuestion): boolean => {
    questions.push(question);
    return answer;
  };
  return { questions, acceptOrigin };
}

describe("metadata of another origin than the server's", () => {
  /** A server whose challenge names metadata that is elsewhere. */
  async function startPair(hasOwn = true): Promise<Record<"mine" | "strange", RunningScriptedAuthorizationServer>> {
    const strange = await startScripted();
    const mine = await startScripted({
      challenge: `Bearer resource_metadata="${strange.url}/.well-known/oauth-protected-resource/mcp"`,
      ...(!hasOwn && {
        routes: {
          "/.well-known/oauth-protected-resource/mcp": () => new Response(null, { status: 404 }),
          "/.well-known/oauth-protected-resource": () => new Response(null, { status: 404 }),
        },
      }),
    });
    strange.options.protectedResource = { resource: mine.mcpUrl.href, authorization_servers: [strange.issuer] };
    return { mine, strange };
  }

  it("is not asked for: the server's own is used, and that is told [SSRF-1] [PRM-2]", async () => {
    const { mine, strange } = await startPair();
    const host = startHost();
    expect((await host.tokens.get(mine.mcpUrl)).issuer).toBe(mine.issuer);
    expect(strange.log.count("*")).toBe(0);
    const [deviation] = host.told("deviation");
    expect(deviation?.detail).toContain(strange.url);
    expect(deviation?.detail).toContain(mine.url);
  });

  it("is an error that names both where the server has none of its own", async () => {
    const { mine, strange } = await startPair(false);
    const host = startHost();
    const error = await failure(host.tokens.get(mine.mcpUrl), "resource_mismatch", mine.mcpUrl);
    expect(error.message).toContain(strange.url);
    expect(strange.log.count("*")).toBe(0);
    expect(host.opened).toHaveLength(0);
  });

  it.each([true, false])("is the host's to accept, who sees both: %s", async (answer) => {
    const { mine, strange } = await startPair();
    const { questions, ...options } = asking(answer);
    const { issuer } = await startHost(options).tokens.get(mine.mcpUrl);
    expect(issuer).toBe(answer ? strange.issuer : mine.issuer);
    expect(questions).toEqual([
      {
        kind: "resource_metadata",
        server: mine.mcpUrl.href,
        expected: mine.url,
        found: `${strange.url}/.well-known/oauth-protected-resource/mcp`,
      },
    ]);
    if (!answer) expect(strange.log.count("*")).toBe(0);
  });
});

const ENDPOINTS = [
  "authorization_endpoint",
  "token_endpoint",
  "registration_endpoint",
  "revocation_endpoint",
  "pushed_authorization_request_endpoint",
  "device_authorization_endpoint",
] as const;

describe("an endpoint of another origin than its issuer's", () => {
  /** An authorization server, one of whose endpoints is at another that works as well. */
  async function startWith(
    endpoint: string,
    metadata: Record<string, unknown> = {},
  ): Promise<Record<"mine" | "strange", RunningScriptedAuthorizationServer>> {
    const strange = await startScripted();
    const mine = await startScripted({ metadata: { ...metadata, [endpoint]: `${strange.url}/elsewhere` } });
    return { mine, strange };
  }

  it.each(ENDPOINTS)("is refused before anything is sent or opened: %s", async (endpoint) => {
    const { mine, strange } = await startWith(endpoint, { authorization_response_iss_parameter_supported: undefined });
    const host = startHost();
    const error = await failure(host.tokens.get(mine.mcpUrl), "issuer_mismatch", mine.mcpUrl);
    expect(error.message).toContain(endpoint);
    expect(error.message).toContain(strange.url);
    expect(error.issuer).toBe(mine.issuer);
    expect(strange.log.count("*")).toBe(0);
    expect(paths(mine.log).filter((path) => path.startsWith("POST") && path !== "POST /mcp")).toEqual([]);
    expect(host.opened).toHaveLength(0);
  });

  it("is used where responses say whose they are, and that is told", async () => {
    const { mine, strange } = await startWith("revocation_endpoint", {
      authorization_response_iss_parameter_supported: true,
    });
    const host = startHost();
    await host.tokens.get(mine.mcpUrl);
    expect(host.told("deviation").map(({ detail }) => detail)).toContainEqual(expect.stringContaining(strange.url));
  });

  it("is refused for the device flow also then, whose responses do not", async () => {
    const { mine } = await startWith("device_authorization_endpoint", {
      authorization_response_iss_parameter_supported: true,
    });
    await failure(startHost().tokens.get(mine.mcpUrl), "issuer_mismatch");
  });

  it("is used where a profile of the issuer lists its origin", async () => {
    const { mine, strange } = await startWith("revocation_endpoint", {
      authorization_response_iss_parameter_supported: undefined,
    });
    const host = startHost({ issuerProfiles: [{ issuer: mine.issuer, endpointOrigins: [strange.url] }] });
    await host.tokens.get(mine.mcpUrl);
    expect(host.told("deviation")).toMatchObject([{ rule: "endpointOrigins", issuer: mine.issuer }]);
    const other = startHost({ issuerProfiles: [{ issuer: mine.issuer, endpointOrigins: ["https://other.example"] }] });
    await failure(other.tokens.get(mine.mcpUrl), "issuer_mismatch");
  });

  it("is the host's to accept, who is asked once for each origin and sees both", async () => {
    const strange = await startScripted();
    const mine = await startScripted({
      metadata: {
        authorization_response_iss_parameter_supported: undefined,
        revocation_endpoint: `${strange.url}/revoke`,
        device_authorization_endpoint: `${strange.url}/device`,
      },
    });
    const { questions, ...options } = asking(true);
    await startHost(options).tokens.get(mine.mcpUrl);
    expect(questions).toEqual([
      {
        kind: "endpoint",
        server: mine.mcpUrl.href,
        issuer: mine.issuer,
        endpoint: "revocation_endpoint",
        expected: mine.url,
        found: `${strange.url}/revoke`,
      },
    ]);
    await failure(startHost(asking(false)).tokens.get(mine.mcpUrl), "issuer_mismatch");
  });

  it("is refused of a server of MCP 2025-03-26 as well", async () => {
    const strange = await startScripted();
    const absent = (): Response => new Response(null, { status: 404 });
    const mine = await startScripted({
      challenge: "Bearer",
      metadata: { token_endpoint: `${strange.url}/token`, authorization_response_iss_parameter_supported: undefined },
      routes: { "/.well-known/oauth-protected-resource/mcp": absent, "/.well-known/oauth-protected-resource": absent },
    });
    await failure(startHost().tokens.get(mine.mcpUrl), "issuer_mismatch");
    expect(strange.log.count("*")).toBe(0);
  });

  it("does not get another server's code: the answer to a server that promises iss must have it [ISS-3] [ISS-7]", async () => {
    const honest = await startScripted({ metadata: { authorization_response_iss_parameter_supported: undefined } });
    const attacker = await startScripted({
      metadata: {
        authorization_endpoint: `${honest.url}/authorize`,
        authorization_response_iss_parameter_supported: true,
      },
    });
    const host = startHost({
      person: "nobody",
      openBrowser: (url) => {
        // The honest server knows nothing of RFC 9207: its answer names nobody.
        const state = url.searchParams.get("state") ?? "";
        void fetch(callbackOf(url, { code: "of-the-honest-server", state })).catch(() => undefined);
      },
    });
    await failure(host.tokens.signIn(attacker.mcpUrl), "issuer_mismatch");
    expect(paths(attacker.log)).not.toContain("POST /token");
  });
});

describe("another authorization server than at the last sign-in", () => {
  async function startMoved(): Promise<Record<"mcp" | "former" | "next", RunningScriptedAuthorizationServer>> {
    const [former, next] = [await startScripted(), await startScripted()];
    const mcp = await startScripted({ protectedResource: { authorization_servers: [former.issuer] } });
    return { mcp, former, next };
  }

  it("is told before anything is opened, with both [BIND-1]", async () => {
    const { mcp, former, next } = await startMoved();
    const store = memoryStore();
    await startHost({ store }).tokens.signIn(mcp.mcpUrl);
    mcp.options.protectedResource = { authorization_servers: [next.issuer] };
    const host = startHost({ store });
    host.tokens.on("issuer_changed", () => expect(host.opened).toHaveLength(0));
    expect((await host.tokens.signIn(mcp.mcpUrl)).issuer).toBe(next.issuer);
    expect(host.told("issuer_changed")).toMatchObject([{ issuer: next.issuer, formerIssuer: former.issuer }]);
  });

  it("is the host's to refuse: nothing is sent there, and the session stays", async () => {
    const { mcp, former, next } = await startMoved();
    const store = memoryStore();
    await startHost({ store }).tokens.signIn(mcp.mcpUrl);
    mcp.options.protectedResource = { authorization_servers: [next.issuer] };
    const { questions, ...options } = asking(false);
    const host = startHost({ store, ...options });
    const error = await failure(host.tokens.signIn(mcp.mcpUrl), "issuer_mismatch", mcp.mcpUrl);
    expect(error.message).toContain(former.issuer);
    expect(error.message).toContain(next.issuer);
    expect(questions).toEqual([
      { kind: "issuer_change", server: mcp.mcpUrl.href, expected: former.issuer, found: next.issuer },
    ]);
    expect(paths(next.log).filter((path) => path.startsWith("POST"))).toEqual([]);
    expect(host.opened).toHaveLength(0);
    expect(await host.tokens.status()).toMatchObject([{ issuer: former.issuer, state: "signed_in" }]);
  });

  it("is noticed also when the session has ended in between, and forgotten by a sign-out", async () => {
    const { mcp, former, next } = await startMoved();
    const store = memoryStore();
    const clock = new ManualClock();
    await startHost({ store, clock }).tokens.signIn(mcp.mcpUrl);
    clock.advance(2 * 3_600_000);
    former.options.token = () => Response.json({ error: "invalid_grant" }, { status: 400 });
    await failure(startHost({ store, clock, interactive: false }).tokens.get(mcp.mcpUrl), "sign_in_required");
    mcp.options.protectedResource = { authorization_servers: [next.issuer] };
    await failure(startHost({ store, ...asking(false) }).tokens.signIn(mcp.mcpUrl), "issuer_mismatch");
    await startHost({ store }).tokens.signOut(mcp.mcpUrl);
    const { questions, ...options } = asking(false);
    expect((await startHost({ store, ...options }).tokens.signIn(mcp.mcpUrl)).issuer).toBe(next.issuer);
    expect(questions).toEqual([]);
  });

  it("is met when a machine's token is had anew as well: the host is asked before its secret goes there", async () => {
    const machine = { code_challenge_methods_supported: undefined };
    const token = (): Response => Response.json({ access_token: "t", token_type: "Bearer", expires_in: 60 });
    const [former, next] = [
      await startScripted({ metadata: machine, token }),
      await startScripted({ metadata: machine, token }),
    ];
    const mcp = await startScripted({ protectedResource: { authorization_servers: [former.issuer] } });
    const clock = new ManualClock();
    const grants = [
      { type: "client_credentials", server: mcp.mcpUrl.href, clientId: "m", clientSecret: "s3cret" },
    ] as const;
    const { questions, ...options } = asking(false);
    const host = startHost({ clock, grants, ...options });
    await host.tokens.get(mcp.mcpUrl);
    mcp.options.protectedResource = { authorization_servers: [next.issuer] };
    clock.advance(3_600_000);
    await host.tokens.get(mcp.mcpUrl).catch(() => undefined);
    expect(questions[0]).toMatchObject({ kind: "issuer_change", expected: former.issuer, found: next.issuer });
    expect(next.log.count("POST", "/token")).toBe(0);
    const accepting = startHost({ clock, grants });
    await accepting.tokens.get(mcp.mcpUrl);
    expect(next.log.count("POST", "/token")).toBe(1);
  });
});
