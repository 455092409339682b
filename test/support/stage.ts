import { afterEach } from "vitest";
import { Http, type HttpOptions } from "../../src/core/http.ts";
import { Secret } from "../../src/core/secret.ts";
import type { AuthorizationServerMetadata } from "../../src/endpoint/authorization-server.ts";
import type { OAuthClient } from "../../src/endpoint/oauth-client.ts";
import type { EndpointContext } from "../../src/endpoint/token-request.ts";
import type { Credential } from "../../src/tokens/credential.ts";
import { ManualClock } from "./manual-clock.ts";

/** The MCP server in tests of stages that never talk to it. */
export const SERVER = "https://mcp.example.com/mcp";

/** The library's HTTP client over the real `fetch`, with a clock that stands still. */
export function manualHttp(options: Partial<HttpOptions> = {}): { http: Http; clock: ManualClock } {
  const clock = new ManualClock();
  return { clock, http: new Http({ fetch, clock, ...options }) };
}

/** Metadata of an authorization server at an origin, with members set, or removed where `undefined`. */
export function metadataAt(issuer: string, changes: Record<string, unknown> = {}): AuthorizationServerMetadata {
  const usual = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    revocation_endpoint: `${issuer}/revoke`,
    code_challenge_methods_supported: ["S256"],
    ...changes,
  };
  return Object.fromEntries(Object.entries(usual).filter(([, value]) => value !== undefined)) as never;
}

/** A public client, or with `secret` a confidential one. */
export function clientAt(issuer: string, changes: Partial<OAuthClient> & { secret?: string } = {}): OAuthClient {
  const { secret, ...rest } = changes;
  return {
    issuer,
    clientId: "client",
    how: "dynamic",
    authenticationMethod: secret === undefined ? "none" : "client_secret_basic",
    ...(secret !== undefined && { clientSecret: new Secret(secret) }),
    ...rest,
  };
}

/** What a request to an endpoint at an origin needs. */
export function endpointAt(
  issuer: string,
  changes: { metadata?: Record<string, unknown>; client?: OAuthClient; signal?: AbortSignal } = {},
): EndpointContext & { clock: ManualClock } {
  return {
    ...manualHttp(),
    server: SERVER,
    authorizationServer: metadataAt(issuer, changes.metadata),
    client: changes.client ?? clientAt(issuer),
    ...(changes.signal !== undefined && { signal: changes.signal }),
  };
}

/** A credential that was issued at 0 and lives for an hour. */
export function credentialAt(issuer: string, changes: Partial<Credential> = {}): Credential {
  return {
    issuer,
    resource: SERVER,
    client: clientAt(issuer),
    authorizationServer: metadataAt(issuer),
    accessToken: new Secret("access-token-1"),
    tokenType: "Bearer",
    refreshToken: new Secret("refresh-token-1"),
    issuedAt: 0,
    expiresAt: 3_600_000,
    flow: "browser",
    signedInAt: 0,
    ...changes,
  };
}

/** Closes, at the end of each test of the file that calls it, what was started with the function it gives. */
export function closingAfterEach(): <Closable extends { close(): unknown }>(
  started: Promise<Closable>,
) => Promise<Closable> {
  const open: { close(): unknown }[] = [];
  afterEach(async () => {
    for (const closable of open.splice(0).reverse()) await closable.close();
  });
  return async (started) => {
    const closable = await started;
    open.push(closable);
    return closable;
  };
}
