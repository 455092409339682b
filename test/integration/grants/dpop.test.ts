// Tokens that are bound to a key (RFC 9449).
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { memoryStore, type TokenManagerOptions } from "mcp-oauth-client";
import { describe, expect, it } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { closing, failure, startHost, startScripted } from "../flow/support/harness.ts";
import { type Pair, startPair } from "../flow/support/real-servers.ts";
import { verifyProofs } from "./support/proof-verifier.ts";
import { patient, WaitingClock } from "./support/waiting-clock.ts";

const PING = {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
};

/** Both sides know DPoP; the resource wants it, unless told otherwise. */
function startBound(
  { nonce = false, dpop = "required" }: { nonce?: boolean; dpop?: "required" | "accepted" } = {},
  as: Parameters<typeof startPair>[0] = {},
): Promise<Pair> {
  const { features, ...rest } = as;
  return startPair(
    { ...rest, features: { dpop: true, dpopNonce: nonce, ...features } },
    { dpop, dpopNonce: nonce, stateless: true },
  );
}

const authorized = ({ mcp }: Pair) => mcp.log.requests.filter(({ headers }) => headers.authorization !== undefined);
const unique = <Value>(values: Iterable<Value>): Value[] => [...new Set(values)];

describe("a bound token", () => {
  for (const nonce of [false, true]) {
    it(`goes with a fresh proof on every request, streams and the session's end too, ${nonce ? "with" : "without"} nonces [DPOP-1] [DPOP-2] [DPOP-3] [TOK-1]${nonce ? " [DPOP-5] [DPOP-6]" : ""}`, async () => {
      const pair = await startPair(
        { features: { dpop: true, dpopNonce: nonce } },
        { sdk: "v1", dpop: "required", dpopNonce: nonce },
      );
      const { as, mcp } = pair;
      const { tokens, opened } = startHost();
      const client = closing(new Client({ name: "test", version: "1.0.0" }));
      const transport = new StreamableHTTPClientTransport(mcp.url, { fetch: tokens.fetch(mcp.url) });
      await client.connect(transport);
      const answer = await client.callTool({ name: "echo", arguments: { text: "bound" } });
      expect(JSON.stringify(answer)).toContain("bound");
      await expect.poll(() => authorized(pair).some(({ method }) => method === "GET"), { interval: 2 }).toBe(true);
      await transport.terminateSession();
      const requests = authorized(pair);
      expect(unique(requests.map(({ method }) => method)).sort()).toEqual(["DELETE", "GET", "POST"]);
      const atResource = await verifyProofs(mcp.url.origin, requests);
      const atServer = await verifyProofs(as.url, as.log.find("POST", "/token"));
      const proofs = [...atResource, ...atServer];
      expect(unique(proofs.map(({ jti }) => jti))).toHaveLength(proofs.length);
      expect(unique(proofs.map(({ thumbprint }) => thumbprint))).toHaveLength(1);
      expect(unique(proofs.map(({ algorithm }) => algorithm))).toEqual(["ES256"]);
      for (const { headers } of requests) expect(headers.authorization).toMatch(/^DPoP /);
      // A nonce that is wanted costs one request at each server, and is nobody's sign-in.
      expect(as.log.find("POST", "/token").map(({ status }) => status)).toEqual(nonce ? [400, 200] : [200]);
      expect(requests.filter(({ status }) => status === 401)).toHaveLength(nonce ? 1 : 0);
      expect(opened).toHaveLength(1);
      expect((await tokens.get(mcp.url)).tokenType).toBe("DPoP");
    });
  }

  it("is refreshed with the same key after a restart, and the new one works with it [DPOP-1] [DPOP-9]", async () => {
    const pair = await startBound();
    const { as, mcp } = pair;
    const [store, clock] = [memoryStore(), new ManualClock()];
    await startHost({ store, clock }).tokens.fetch(mcp.url)(mcp.url, PING);
    clock.advance(3_600_000);
    const later = startHost({ store, clock });
    expect((await later.tokens.fetch(mcp.url)(mcp.url, PING)).status).toBe(200);
    const exchanges = as.log.find("POST", "/token");
    expect(exchanges.map(({ body }) => new URLSearchParams(body).get("grant_type"))).toEqual([
      "authorization_code",
      "refresh_token",
    ]);
    const proofs = [
      ...(await verifyProofs(as.url, exchanges)),
      ...(await verifyProofs(mcp.url.origin, authorized(pair))),
    ];
    expect(unique(proofs.map(({ thumbprint }) => thumbprint))).toHaveLength(1);
    expect(later.opened).toEqual([]);
  });

  it("gets another key with another sign-in, and the code is bound to it by dpop_jkt [DPOP-9] [DPOP-11]", async () => {
    const pair = await startBound();
    const host = startHost();
    await host.tokens.signIn(pair.mcp.url);
    await host.tokens.signIn(pair.mcp.url);
    const proofs = await verifyProofs(pair.as.url, pair.as.log.find("POST", "/token"));
    const keys = proofs.map(({ thumbprint }) => thumbprint);
    expect(unique(keys)).toHaveLength(2);
    expect(host.opened.map(({ searchParams }) => searchParams.get("dpop_jkt"))).toEqual(keys);
  });

  it.each(["device", "client_credentials"] as const)(
    "is had by the grant %s as well [DPOP-1] [DEV-8]",
    async (grant) => {
      const machine = {
        client_id: "m",
        client_secret: "s",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
      };
      const pair = await startBound(
        { nonce: true },
        { features: { deviceFlow: true, clientCredentials: true }, clients: [machine] },
      );
      const { as, mcp } = pair;
      const grants: TokenManagerOptions["grants"] =
        grant === "device" ? [] : [{ type: grant, server: mcp.url.href, clientId: "m", clientSecret: "s" }];
      let entered: unknown;
      const { tokens } = startHost({
        clock: new WaitingClock(() => entered),
        devicePrompt: ({ verificationUri, userCode }) => {
          entered = new UserAgent().enterUserCode(verificationUri, userCode);
        },
        grants,
        ...patient,
      });
      await tokens.signIn(mcp.url, grant === "device" ? { flow: "device" } : {});
      expect((await tokens.fetch(mcp.url)(mcp.url, PING)).status).toBe(200);
      const proofs = await verifyProofs(as.url, as.log.find("POST", "/token"));
      expect(proofs.length).toBeGreaterThan(1);
      expect(unique(proofs.map(({ jti }) => jti))).toHaveLength(proofs.length);
    },
  );
});

describe("nonces", () => {
  it("are kept for each server apart, and taken in anew from every answer, also a good one [DPOP-7]", async () => {
    const pair = await startBound({ nonce: true });
    const { as, mcp } = pair;
    let rotated = 0;
    mcp.respond("POST /mcp", (_request, response, next) => {
      // A good answer that brings the next nonce along.
      const writeHead = response.writeHead.bind(response);
      response.writeHead = ((status: number, headers: Record<string, string>) =>
        writeHead(status, status === 200 ? { ...headers, "dpop-nonce": `given-${++rotated}` } : headers)) as never;
      next();
    });
    const { tokens } = startHost();
    const fetch = tokens.fetch(mcp.url);
    for (let call = 0; call < 3; call++) expect((await fetch(mcp.url, PING)).status).toBe(200);
    const atResource = (await verifyProofs(mcp.url.origin, authorized(pair))).map(({ nonce }) => nonce);
    const atServer = (await verifyProofs(as.url, as.log.find("POST", "/token"))).map(({ nonce }) => nonce);
    expect(atResource).toContain("given-1");
    expect(atResource).toContain("given-2");
    expect(atResource.filter((nonce) => nonce !== undefined && atServer.includes(nonce))).toEqual([]);
  });

  it("that have changed cost one more request and never a sign-in, a refresh or an error [DPOP-6] [DPOP-7]", async () => {
    const pair = await startBound({ nonce: true });
    const { as, mcp } = pair;
    const host = startHost();
    const fetch = host.tokens.fetch(mcp.url);
    await fetch(mcp.url, PING);
    const before = as.log.count("*");
    for (let change = 0; change < 3; change++) {
      mcp.rotateDpopNonce();
      mcp.log.clear();
      expect((await fetch(mcp.url, PING)).status).toBe(200);
      expect(authorized(pair).map(({ status }) => status)).toEqual([401, 200]);
    }
    expect(as.log.count("*")).toBe(before);
    expect(host.opened).toHaveLength(1);
    expect(host.told("challenge_received")).toHaveLength(1);
  });

  it("that a server wants for ever are asked for once, and the answer is the caller's [DPOP-6]", async () => {
    const pair = await startBound({ nonce: true });
    const { as, mcp } = pair;
    const host = startHost();
    const fetch = host.tokens.fetch(mcp.url);
    await fetch(mcp.url, PING);
    const before = as.log.count("*");
    mcp.log.clear();
    mcp.respond("POST /mcp", (_request, response) =>
      response
        .writeHead(401, { "www-authenticate": 'DPoP error="use_dpop_nonce"', "dpop-nonce": crypto.randomUUID() })
        .end(),
    );
    expect((await fetch(mcp.url, PING)).status).toBe(401);
    expect(mcp.log.requests).toHaveLength(2);
    expect(as.log.count("*")).toBe(before);
    expect(host.opened).toHaveLength(1);
  });
});

describe("whether tokens are bound", () => {
  const cases: [
    string,
    TokenManagerOptions["dpop"],
    "required" | "accepted" | undefined,
    boolean,
    "DPoP" | "Bearer",
  ][] = [
    ["where the resource requires it", undefined, "required", true, "DPoP"],
    ["where both sides advertise it", undefined, "accepted", true, "DPoP"],
    ["where only the authorization server advertises it", undefined, undefined, true, "Bearer"],
    ["where only the resource advertises it", undefined, "accepted", false, "Bearer"],
    ["where both sides advertise it and it is off", "off", "accepted", true, "Bearer"],
    ["where the option requires it, though the resource says nothing", "require", undefined, true, "DPoP"],
  ];
  it.each(cases)("%s, with the option %s: the resource %s, the server %s, gives %s [DPOP-11]", async (...row) => {
    const [, dpop, resource, atServer, expected] = row;
    const { mcp } = await startPair(
      { features: { dpop: atServer } },
      { stateless: true, ...(resource !== undefined && { dpop: resource }) },
    );
    const { tokens } = startHost(dpop === undefined ? {} : { dpop });
    expect((await tokens.get(mcp.url)).tokenType).toBe(expected);
  });

  it("where it is off and required, nobody is asked, and the error says what to change [DPOP-11]", async () => {
    const { as, mcp } = await startBound();
    const host = startHost({ dpop: "off" });
    const error = await failure(host.tokens.get(mcp.url), "dpop_unsupported", mcp.url);
    expect(error.message).toContain("dpop");
    expect(host.opened).toEqual([]);
    expect(as.log.count("POST")).toBe(0);
  });

  it("a session from before it was required is not used: its tokens are not bound [DPOP-8] [DPOP-11]", async () => {
    const { mcp } = await startPair({ features: { dpop: true } }, { stateless: true, dpop: "accepted" });
    const store = memoryStore();
    expect((await startHost({ store, dpop: "off" }).tokens.get(mcp.url)).tokenType).toBe("Bearer");
    const host = startHost({ store, dpop: "require" });
    mcp.log.clear();
    expect((await host.tokens.fetch(mcp.url)(mcp.url, PING)).status).toBe(200);
    expect(mcp.log.requests.filter(({ headers }) => headers.authorization?.startsWith("Bearer"))).toEqual([]);
    expect((await host.tokens.get(mcp.url)).tokenType).toBe("DPoP");
    expect(host.opened).toHaveLength(1);
  });

  it("a resource that starts to require it gets a sign-in, for a refresh cannot bind a token [DPOP-11]", async () => {
    const server = await startScripted({ metadata: { dpop_signing_alg_values_supported: ["ES256"] } });
    const host = startHost();
    const fetch = host.tokens.fetch(server.mcpUrl);
    expect((await fetch(server.mcpUrl, PING)).status).toBe(200);
    server.options.protectedResource = { dpop_bound_access_tokens_required: true };
    server.options.tokenResponse = { token_type: "DPoP" };
    server.options.mcp = ({ headers }, _usual, { json, text }) =>
      headers.authorization?.startsWith("DPoP ") ? json({}) : text("", 401, { "www-authenticate": "DPoP" });
    expect((await fetch(server.mcpUrl, PING)).status).toBe(200);
    expect(host.opened).toHaveLength(2);
    const grants = server.log.find("POST", "/token").map(({ body }) => new URLSearchParams(body).get("grant_type"));
    expect(grants).toEqual(["authorization_code", "authorization_code"]);
  });
});

describe("a server that ignores the proof", () => {
  const both = { dpop_signing_alg_values_supported: ["ES256"] };

  it("is refused where tokens must be bound, and nothing is kept [DPOP-8]", async () => {
    for (const how of ["option", "resource"] as const) {
      const server = await startScripted({
        metadata: both,
        protectedResource: how === "resource" ? { dpop_bound_access_tokens_required: true } : {},
      });
      const { tokens } = startHost(how === "option" ? { dpop: "require" } : {});
      const error = await failure(tokens.get(server.mcpUrl), "dpop_unsupported", server.mcpUrl);
      expect(error.message).toContain("ignored the DPoP proof");
      expect(await tokens.status()).toEqual([]);
    }
  });

  it("is put up with where they need not be, as an event says [DPOP-8]", async () => {
    const server = await startScripted({ metadata: both, protectedResource: both });
    const host = startHost();
    expect((await host.tokens.get(server.mcpUrl)).tokenType).toBe("Bearer");
    expect(server.log.find("POST", "/token")[0]?.headers.dpop).toBeDefined();
    expect(host.told("deviation")).toMatchObject([{ rule: "RFC 9449 section 5", issuer: server.issuer }]);
  });

  it("at a refresh only is refused, and the session is kept [DPOP-8] [DPOP-9]", async () => {
    const clock = new ManualClock();
    const server = await startScripted({
      metadata: both,
      protectedResource: both,
      tokenResponse: { token_type: "DPoP" },
    });
    const { tokens } = startHost({ clock });
    await tokens.get(server.mcpUrl);
    server.options.tokenResponse = { token_type: "Bearer" };
    clock.jump(0.9 * 3_600_000);
    // Due, not expired: refreshed behind the caller's back.
    const used = (await tokens.get(server.mcpUrl)).accessToken.reveal();
    await expect.poll(() => server.log.count("POST", "/token"), { interval: 2 }).toBe(2);
    const after = await tokens.get(server.mcpUrl);
    expect(after.accessToken.reveal()).toBe(used);
    expect(after.tokenType).toBe("DPoP");
  });
});

describe("the algorithm", () => {
  it.each<[string[] | undefined, string[] | undefined, string]>([
    [["ES256"], ["RS256", "ES256"], "ES256"],
    [["RS256"], ["RS256", "ES256"], "RS256"],
    [["PS256", "RS256"], ["RS256", "PS256"], "PS256"],
    [["Ed25519"], undefined, "Ed25519"],
    [undefined, ["RS256"], "RS256"],
    [undefined, undefined, "ES256"],
  ])("is one that both take: %j and %j give %s [DPOP-4]", async (atServer, atResource, expected) => {
    const server = await startScripted({
      metadata: { dpop_signing_alg_values_supported: atServer },
      protectedResource: { dpop_signing_alg_values_supported: atResource },
      tokenResponse: { token_type: "DPoP" },
    });
    await startHost({ dpop: "require" }).tokens.get(server.mcpUrl);
    const [proof] = await verifyProofs(server.url, server.log.find("POST", "/token"));
    expect(proof?.algorithm).toBe(expected);
  });

  it("may stand in the challenge [DPOP-4] [CHL-5]", async () => {
    const server = await startScripted({
      metadata: { dpop_signing_alg_values_supported: ["ES256", "RS256"] },
      tokenResponse: { token_type: "DPoP" },
    });
    server.options.challenge = `DPoP algs="RS256", resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`;
    await startHost().tokens.get(server.mcpUrl);
    const [proof] = await verifyProofs(server.url, server.log.find("POST", "/token"));
    expect(proof?.algorithm).toBe("RS256");
  });

  it("that they do not share is an error where tokens must be bound, and no matter where not [DPOP-4]", async () => {
    const server = await startScripted({
      metadata: { dpop_signing_alg_values_supported: ["ES256"] },
      protectedResource: { dpop_signing_alg_values_supported: ["RS256", "HS256"] },
    });
    await failure(startHost({ dpop: "require" }).tokens.get(server.mcpUrl), "dpop_unsupported", server.mcpUrl);
    expect((await startHost().tokens.get(server.mcpUrl)).tokenType).toBe("Bearer");
  });
});

describe("the auth providers of the SDKs, which send bearer tokens only", () => {
  it.each(["authProvider", "bearerProvider"] as const)(
    "say so with %s where tokens must be bound [DPOP-2]",
    async (way) => {
      const { mcp } = await startBound();
      const host = startHost();
      const client = closing(new Client({ name: "test", version: "1.0.0" }));
      const authProvider = host.tokens[way](mcp.url);
      const transport = new StreamableHTTPClientTransport(mcp.url, { authProvider });
      const error = await failure(client.connect(transport), "dpop_unsupported", mcp.url);
      expect(error.message).toContain("fetch");
      expect(host.opened).toEqual([]);
    },
  );
});
