import assert from "node:assert/strict";
import fc from "fast-check";
import { createAuthorizationRequest } from "../../../src/authorization/request.ts";
import { readChallenge } from "../../../src/challenge/read.ts";
import { assertOpenableUrl } from "../../../src/core/openable-url.ts";
import { isLoopbackHost } from "../../../src/core/url.ts";
import { discoverAuthorizationServer } from "../../../src/discovery/authorization-server.ts";
import { MetadataCache } from "../../../src/discovery/cache.ts";
import { type Discovery, discover } from "../../../src/discovery/discover.ts";
import { discoverLegacyAuthorizationServer } from "../../../src/discovery/legacy.ts";
import { discoverProtectedResource } from "../../../src/discovery/protected-resource.ts";
import type { AuthorizationServerMetadata } from "../../../src/endpoint/authorization-server.ts";
import { clientAt, SERVER } from "../../support/stage.ts";
import { mutatedJson } from "../generate-json.ts";
import { asHeaderValue, mutatedText } from "../generate-text.ts";
import { fuzzTarget } from "../target.ts";
import { answerWith, httpAnswering, type WrittenAnswer } from "./answers.ts";

const ISSUER = "https://as.example.com/tenant";
const ORIGIN = new URL(SERVER).origin;
const METADATA_URL = `${ORIGIN}/.well-known/oauth-protected-resource/mcp`;

const resourceDocument = fc.constantFrom(
  { resource: SERVER, authorization_servers: [ISSUER] },
  {
    resource: ORIGIN,
    authorization_servers: [ISSUER, "https://other.example.com"],
    scopes_supported: ["mcp:tools", "files:read"],
    bearer_methods_supported: ["header"],
    dpop_bound_access_tokens_required: false,
    dpop_signing_alg_values_supported: ["ES256"],
    resource_name: "Example",
  },
);
const resourceJson = mutatedJson(resourceDocument, {
  names: ["resource", "authorization_servers", "scopes_supported", "dpop_signing_alg_values_supported", "jwks_uri"],
  pieces: [SERVER, ORIGIN, ISSUER, `${SERVER}/sub`, "https://mcp.example.com.evil.example/mcp"],
});

const serverDocument = (issuer: string): fc.Arbitrary<Record<string, unknown>> =>
  fc.constantFrom(
    {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      response_types_supported: ["code"],
      code_challenge_methods_supported: ["S256"],
    },
    {
      issuer,
      authorization_endpoint: `${issuer}/authorize?x=1`,
      token_endpoint: `${issuer}/token`,
      registration_endpoint: `${issuer}/register`,
      revocation_endpoint: `${issuer}/revoke`,
      device_authorization_endpoint: `${issuer}/device`,
      scopes_supported: ["openid", "mcp:tools"],
      grant_types_supported: ["authorization_code", "refresh_token"],
      code_challenge_methods_supported: ["plain", "S256"],
      token_endpoint_auth_methods_supported: ["none", "client_secret_basic"],
      dpop_signing_alg_values_supported: ["ES256"],
      authorization_response_iss_parameter_supported: true,
      protected_resources: [SERVER, ORIGIN],
    },
  );
const serverJson = (issuer: string): fc.Arbitrary<string> =>
  mutatedJson(serverDocument(issuer), {
    names: [
      ...["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint", "scopes_supported"],
      ...["code_challenge_methods_supported", "token_endpoint_auth_methods_supported", "protected_resources"],
      ...[
        "pushed_authorization_request_endpoint",
        "require_pushed_authorization_requests",
        "request_parameter_supported",
      ],
    ],
    pieces: [issuer, `${issuer}/`, "https://evil.example", "http://as.example.com/token", "S256", "plain"],
  });

const ENDPOINTS = ["authorization_endpoint", "token_endpoint", "registration_endpoint", "revocation_endpoint"] as const;
const LISTS = [
  "scopes_supported",
  "code_challenge_methods_supported",
  "token_endpoint_auth_methods_supported",
] as const;

/** Whatever was accepted, nothing in it leads anywhere over plain http, and what we loop over are lists of texts. */
function requireUsable(metadata: AuthorizationServerMetadata): void {
  assert.equal(typeof metadata.issuer, "string");
  for (const name of ENDPOINTS) {
    const endpoint = metadata[name];
    if (endpoint === undefined) continue;
    const url = new URL(endpoint);
    assert.ok(url.protocol === "https:" || isLoopbackHost(url.hostname), endpoint);
  }
  for (const name of LISTS) {
    const list = metadata[name];
    assert.ok(list === undefined || (Array.isArray(list) && list.every((item) => typeof item === "string")), name);
  }
}

interface ResourceCase {
  readonly challengedUrl: string | undefined;
  readonly answer: WrittenAnswer;
}

const challengedUrl = mutatedText(fc.constantFrom(METADATA_URL, `${ORIGIN}/metadata.json`)).map(asHeaderValue);

export const protectedResource = fuzzTarget<ResourceCase>(
  "protected resource metadata",
  fc.record({
    challengedUrl: fc.option(challengedUrl, { nil: undefined, freq: 2 }),
    answer: answerWith(resourceJson),
  }),
  () => ({
    async read({ challengedUrl, answer }) {
      const metadata = await discoverProtectedResource(httpAnswering(() => answer).http, {
        server: SERVER,
        policy: {},
        ...(challengedUrl !== undefined && { challengedUrl }),
      });
      if (metadata === undefined) return undefined;
      assert.ok(SERVER.startsWith(new URL(metadata.resource).href.replace(/\/$/, "")), metadata.resource);
      for (const list of [metadata.authorizationServers, metadata.scopesSupported, metadata.dpopSigningAlgorithms]) {
        for (const item of list ?? []) assert.equal(typeof item, "string");
      }
      return metadata;
    },
  }),
);

export const authorizationServer = fuzzTarget<WrittenAnswer>(
  "authorization server metadata",
  answerWith(serverJson(ISSUER)),
  () => ({
    async read(answer) {
      const { http, clock } = httpAnswering(() => answer);
      const query = { issuer: ISSUER, server: SERVER };
      const metadata = await discoverAuthorizationServer(http, new MetadataCache(clock), query);
      if (metadata === undefined) return undefined;
      assert.equal(metadata.issuer, ISSUER);
      requireUsable(metadata);
      return metadata;
    },
  }),
);

export const legacyAuthorizationServer = fuzzTarget<WrittenAnswer>(
  "authorization server metadata, 2025-03-26",
  answerWith(serverJson(ORIGIN)),
  () => ({
    async read(answer) {
      const { metadata } = await discoverLegacyAuthorizationServer(httpAnswering(() => answer).http, SERVER);
      assert.equal(metadata.issuer.replace(/\/$/, ""), ORIGIN);
      requireUsable(metadata);
      return metadata;
    },
  }),
);

interface WholeCase {
  readonly challenge: string;
  readonly resource: WrittenAnswer;
  readonly server: WrittenAnswer;
}

/** An issuer that both documents name, so that the texts of one hostile server get as far as they can. */
const namedTwice: fc.Arbitrary<Omit<WholeCase, "challenge">> = fc
  .oneof(fc.constant(ISSUER), mutatedText(fc.constant(ISSUER)))
  .chain((issuer) =>
    fc.record({
      resource: answerWith(fc.constant(JSON.stringify({ resource: SERVER, authorization_servers: [issuer] }))),
      server: answerWith(
        serverJson(ISSUER).map((text) => text.replaceAll(JSON.stringify(ISSUER), () => JSON.stringify(issuer))),
      ),
    }),
  );
const namedOnce = fc.record({
  resource: answerWith(resourceJson),
  server: answerWith(serverJson(ISSUER)),
});

/** From the challenge to the URL that a browser would open. */
export const discovery = fuzzTarget<WholeCase>(
  "discovery, challenge to authorization URL",
  fc
    .tuple(mutatedText(fc.constant(`Bearer resource_metadata="${METADATA_URL}"`)), fc.oneof(namedTwice, namedOnce))
    .map(([challenge, documents]) => ({ challenge, ...documents })),
  () => ({
    async read({ challenge, resource, server }) {
      const isServer = /oauth-authorization-server|openid-configuration/;
      const { http, clock } = httpAnswering((url) => (isServer.test(url) ? server : resource));
      const headers = new Headers({ "www-authenticate": asHeaderValue(challenge) });
      const found = await discover(http, new MetadataCache(clock), {
        server: SERVER,
        challenge: readChallenge(401, headers),
        policy: {},
        issuersWithCredentials: [],
      });
      requireUsable(found.authorizationServer);
      requireOpenable(found);
      return found;
    },
  }),
);

function requireOpenable(found: Discovery): void {
  const { url } = createAuthorizationRequest({
    server: SERVER,
    authorizationServer: found.authorizationServer,
    client: clientAt(found.issuer),
    redirectUri: "http://127.0.0.1:4321/callback",
    resource: found.resource,
  });
  assert.match(assertOpenableUrl(url).href, /^https?:\/\/[a-z0-9._[\]:-]+[A-Za-z0-9\-._~:/?#@&=+,%]*$/);
}
