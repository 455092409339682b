// A public server that names addresses of the network which the host is in (SSRF), in every place where it may name one.
import { createServer as createProxy, type Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:https";
import { type AddressInfo, connect } from "node:net";
import { type Duplex, pipeline } from "node:stream";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { selfSigned } from "../../support/self-signed.ts";
import { callbackOf, failure, type Host, startHost } from "../flow/support/harness.ts";

const NAME = "mcp.example.com";
const ORIGIN = `https://${NAME}`;
const RESOURCE = `${ORIGIN}/mcp`;
const INNER = ["https://10.0.0.1", "https://169.254.169.254", "https://[fd00::1]", "https://127.0.0.1"];
const { certificate, key } = selfSigned(NAME);

/** What the server says in each place. */
let says: { challenge?: string; resource?: object; metadata?: object };
let server: Server;
let proxy: HttpServer;
const tunnels = new Set<Duplex>();
/** Where the proxy was asked to connect to. */
const connected: string[] = [];

beforeAll(async () => {
  server = createServer({ cert: certificate, key }, (request, response) => {
    const json = (body: object, status = 200): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const path = request.url ?? "";
    if (path === "/mcp") {
      response.writeHead(401, says.challenge === undefined ? {} : { "www-authenticate": says.challenge }).end();
    } else if (path === "/.well-known/oauth-protected-resource/mcp") {
      json({ resource: RESOURCE, authorization_servers: [ORIGIN], ...says.resource });
    } else if (path === "/.well-known/oauth-authorization-server") {
      const endpoints = { authorization_endpoint: `${ORIGIN}/a`, token_endpoint: `${ORIGIN}/t` };
      const registration = { registration_endpoint: `${ORIGIN}/r`, code_challenge_methods_supported: ["S256"] };
      json({ issuer: ORIGIN, ...endpoints, ...registration, ...says.metadata });
    } else if (path === "/r") {
      request.resume().once("end", () => json({ client_id: "c" }, 201));
    } else if (path === "/t") {
      request.resume().once("end", () => json({ access_token: "a", refresh_token: "r", token_type: "Bearer" }));
    } else json({}, 404);
  });
  proxy = createProxy().on("connect", (request, socket) => {
    connected.push(request.url ?? "");
    // Whatever the name, there is one server behind it.
    const inner = connect((server.address() as AddressInfo).port, "127.0.0.1", () => {
      socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      pipeline(socket, inner, socket, () => undefined);
    });
    for (const end of [socket, inner]) tunnels.add(end);
  });
  for (const each of [server, proxy]) await new Promise<void>((resolve) => each.listen(0, "127.0.0.1", resolve));
});

afterEach(() => {
  says = {};
  connected.splice(0);
});

afterAll(async () => {
  for (const tunnel of tunnels) tunnel.destroy();
  for (const each of [server, proxy]) await new Promise((resolve) => each.close(resolve));
});

/** A host in front of the proxy, with a person who agrees to everything. */
function startGuardedHost(allowPrivateAddresses = false): Host {
  const { port } = proxy.address() as AddressInfo;
  return startHost({
    network: {
      allowPrivateAddresses,
      certificateAuthorities: [certificate],
      environment: { HTTPS_PROXY: `http://127.0.0.1:${port}` },
      resolveAddresses: async () => [{ address: "8.8.8.8", family: 4 }],
    },
    openBrowser: (url) => {
      const answer = callbackOf(url, { code: "c", state: url.searchParams.get("state") ?? "" });
      void fetch(answer).catch(() => undefined);
    },
    devicePrompt: () => undefined,
    // Here it is the addresses that are refused.
    acceptOrigin: () => true,
  });
}

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code";
const places: [string, (inner: string) => typeof says, (host: Host) => Promise<unknown>][] = [
  [
    "the challenge's resource_metadata",
    (inner) => ({ challenge: `Bearer resource_metadata="${inner}/metadata"` }),
    ({ tokens }) => tokens.signIn(RESOURCE),
  ],
  [
    "the resource's authorization server",
    (inner) => ({ resource: { authorization_servers: [inner] } }),
    ({ tokens }) => tokens.signIn(RESOURCE),
  ],
  [
    "the registration endpoint",
    (inner) => ({ metadata: { registration_endpoint: `${inner}/r` } }),
    ({ tokens }) => tokens.signIn(RESOURCE),
  ],
  [
    "the token endpoint",
    (inner) => ({ metadata: { token_endpoint: `${inner}/t` } }),
    ({ tokens }) => tokens.signIn(RESOURCE),
  ],
  [
    "the endpoint for pushed requests",
    (inner) => ({
      metadata: { pushed_authorization_request_endpoint: `${inner}/p`, require_pushed_authorization_requests: true },
    }),
    ({ tokens }) => tokens.signIn(RESOURCE),
  ],
  [
    "the device endpoint",
    (inner) => ({
      metadata: {
        device_authorization_endpoint: `${inner}/d`,
        grant_types_supported: ["authorization_code", deviceGrant],
      },
    }),
    ({ tokens }) => tokens.signIn(RESOURCE, { flow: "device" }),
  ],
];

describe("a public server cannot lead a host into its own network", () => {
  const cases = places.flatMap(([place, saying, attempt]) => INNER.map((inner) => ({ place, inner, saying, attempt })));
  it.each(cases)("by $place: $inner [SSRF-1]", async ({ inner, saying, attempt }) => {
    says = saying(inner);
    const error = await failure(attempt(startGuardedHost()), "address_refused");
    expect(error.message).toContain(NAME);
    expect(new Set(connected)).toEqual(new Set([`${NAME}:443`]));
  });

  it("by the revocation endpoint, where the session ends here all the same [SSRF-1]", async () => {
    says = { metadata: { revocation_endpoint: `${INNER[0]}/v` } };
    const { tokens } = startGuardedHost();
    await tokens.signIn(RESOURCE);
    const [result] = await tokens.signOut(RESOURCE);
    expect(result).toMatchObject({ revocation: "unreachable", error: { code: "address_refused" } });
    expect(await tokens.status()).toEqual([]);
    expect(new Set(connected)).toEqual(new Set([`${NAME}:443`]));
  });

  it("unless the host allows it [SSRF-1] [SSRF-2]", async () => {
    says = { metadata: { token_endpoint: "https://10.0.0.1/t" } };
    await startGuardedHost(true)
      .tokens.signIn(RESOURCE)
      .catch(() => undefined);
    expect(connected).toContain("10.0.0.1:443");
  });
});
