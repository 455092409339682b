import { afterAll, afterEach, beforeAll, describe, expect } from "vitest";
import { failure, type Host } from "../flow/support/harness.ts";
import { type Place, type SsrfCase, ssrfCases } from "./cases/ssrf.ts";
import { hostile } from "./support/case.ts";
import { PublicServer, type Sayings } from "./support/public-server.ts";

let server: PublicServer;
beforeAll(async () => {
  server = await PublicServer.start();
});
afterEach(() => server.reset());
afterAll(() => server.close());

/** What a server says that names a URL in some place. */
function sayingsOf(place: Place, url: string): Sayings {
  if (place === "resource_metadata") return { challenge: `Bearer resource_metadata="${url}"` };
  if (place === "issuer") return { resource: { authorization_servers: [url] } };
  const required = place === "pushed_authorization_request_endpoint" && { require_pushed_authorization_requests: true };
  return { metadata: { [place]: url, ...required } };
}

async function expectNothingStored({ tokens }: Host): Promise<void> {
  expect(await tokens.status()).toEqual([]);
}

async function run({
  place,
  url,
  addresses,
  allowPrivateAddresses,
  ends = "address_refused",
}: SsrfCase): Promise<void> {
  server.says = sayingsOf(place, url.replace("PORT", String(server.victimPort)));
  const network = allowPrivateAddresses === undefined ? {} : { allowPrivateAddresses };
  const host = server.startHost(addresses, network);
  if (place === "revocation_endpoint") {
    await host.tokens.signIn(server.resource);
    const [result] = await host.tokens.signOut(server.resource);
    expect(result).toMatchObject({ revocation: "unreachable", error: { code: ends } });
  } else {
    const flow = place === "device_authorization_endpoint" ? "device" : "browser";
    await failure(host.tokens.signIn(server.resource, { flow }), ends);
  }
  expect(server.hits).toBe(0);
  expect([...new Set(server.connected)]).toEqual(["mcp.example.com:443"]);
  await expectNothingStored(host);
}

describe("an address that nobody may lead a client to", () => {
  hostile(ssrfCases, run);
});
