// The default authorization server of all tests, the demo and the benchmarks: oidc-provider, which is
// certified and nobody's mock, behind a request log and a place to inject faults.
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from "jose";
import type Provider from "oidc-provider";
import type { OidcToken } from "oidc-provider";
import type { VerifiedAccessToken, VerifyAccessToken } from "./access-token.ts";
import { createFaultInjection, type FaultInjection } from "./fault-injection.ts";
import { pathOf, sendHtml } from "./http.ts";
import { IssuedTokens } from "./issued-tokens.ts";
import { loadOidcProvider } from "./load-oidc-provider.ts";
import { createSigningKey, oidcConfiguration } from "./oidc-configuration.ts";
import { handleInteraction } from "./oidc-interaction.ts";
import { OidcMemory } from "./oidc-memory-adapter.ts";
import { messagePage } from "./pages.ts";
import { createRequestLog, listen, type RequestLog } from "./request-log.ts";

export interface AuthorizationServerOptions {
  /** Default 3600; may be 1. */
  accessTokenSeconds?: number;
  /** Default 14 days. */
  refreshTokenSeconds?: number;
  /** Default `rotate`: every use gives a new one, and using an old one again revokes the whole grant. */
  refreshTokens?: "rotate" | "keep" | "none";
  /** Default false: a client registered for the `refresh_token` grant gets one without `offline_access`. */
  refreshTokenNeedsOfflineAccess?: boolean;
  /** RFC 7591 and 7592. Default true. */
  registration?: boolean;
  /** Default false. Serve the documents through `clientMetadataDocuments` of the running server. */
  clientIdMetadataDocuments?: boolean;
  /** Registered beforehand, in RFC 7591 metadata names plus `client_id` and `client_secret`. */
  clients?: readonly Record<string, unknown>[];
  /** Default `mcp:tools mcp:admin offline_access`. */
  scopes?: readonly string[];
  /** Used when an authorization request names no scope (RFC 6749 section 3.3). Default none: it is denied. */
  defaultScope?: string;
  /** Audience of a token whose request named no `resource`. Default none. */
  defaultResource?: string;
  features?: {
    deviceFlow?: boolean;
    dpop?: boolean;
    /** Requires a server nonce in every proof; implies `dpop`. */
    dpopNonce?: boolean;
    pushedAuthorizationRequests?: boolean;
    clientCredentials?: boolean;
    /** Default true. */
    revocation?: boolean;
    /** Default true. */
    introspection?: boolean;
  };
  /** Default 600. */
  deviceCodeSeconds?: number;
  /** Default `jwt` (RFC 9068). */
  accessTokenFormat?: "jwt" | "opaque";
  /** For example `/tenant`: the metadata then stands at a path-inserted address. Default none. */
  issuerPath?: string;
  host?: string;
  port?: number;
}

export interface RunningAuthorizationServer {
  readonly issuer: string;
  /** Origin without a trailing slash; differs from `issuer` when there is an issuer path. */
  readonly url: string;
  readonly log: RequestLog;
  readonly provider: Provider;
  /** Checks signature, issuer, audience, expiry and revocation. */
  readonly verifyAccessToken: VerifyAccessToken;
  /** Client ID metadata documents by URL; anything else is answered 404. */
  readonly clientMetadataDocuments: Map<string, unknown>;
  /** Puts the test's own answer in front of the real server. */
  readonly respond: FaultInjection["respond"];
  /** For tokens issued from now on. */
  setAccessTokenSeconds(seconds: number): void;
  /** Deletes every dynamic registration. */
  forgetClients(): void;
  /** Ends every grant, with its tokens. */
  revokeAll(): void;
  /** How many dynamic registrations are held. */
  clientCount(): number;
  close(): Promise<void>;
}

export async function startAuthorizationServer(
  options: AuthorizationServerOptions = {},
): Promise<RunningAuthorizationServer> {
  const issuerPath = options.issuerPath ?? "";
  const log = createRequestLog();
  const faults = createFaultInjection();
  let answer: RequestListener = (_request, response) => response.writeHead(503).end();
  const server = await listen(log.record(faults.wrap((request, response) => answer(request, response))), options);

  const issuer = server.url + issuerPath;
  const memory = new OidcMemory();
  const issued = new IssuedTokens();
  const signingKey = createSigningKey();
  const clientMetadataDocuments = new Map<string, unknown>();
  let accessTokenSeconds = options.accessTokenSeconds ?? 3600;
  const { default: OidcProvider, errors } = await loadOidcProvider();
  const configuration = oidcConfiguration({
    options,
    issuerPath,
    signingKey,
    scopes: options.scopes ?? ["mcp:tools", "mcp:admin", "offline_access"],
    accessTokenSeconds: () => accessTokenSeconds,
    adapter: (model) => memory.adapterFor(model),
    fetch: documentFetch(clientMetadataDocuments),
    unknownResource: () => new errors.InvalidTarget("unknown resource"),
  });
  const provider = new OidcProvider(issuer, configuration);
  for (const event of [
    "access_token.issued",
    "access_token.saved",
    "client_credentials.issued",
    "client_credentials.saved",
  ]) {
    provider.on(event, (token: OidcToken) => issued.add(token.jti, token.grantId));
  }
  provider.on("server_error", (_context: unknown, error: Error) =>
    console.error("authorization server fixture:", error),
  );
  answer = route(provider, issuerPath, options.defaultScope);

  const publicKey: JsonWebKey = { ...signingKey };
  delete publicKey.d;
  return {
    issuer,
    url: server.url,
    log,
    provider,
    clientMetadataDocuments,
    verifyAccessToken: createVerifier(provider, issued, publicKey),
    respond: faults.respond,
    setAccessTokenSeconds: (seconds) => {
      accessTokenSeconds = seconds;
    },
    forgetClients: () => memory.deleteModels("Client", "RegistrationAccessToken"),
    clientCount: () => memory.count("Client"),
    revokeAll: () => {
      memory.deleteModels(
        "AccessToken",
        "ClientCredentials",
        "RefreshToken",
        "AuthorizationCode",
        "DeviceCode",
        "Grant",
      );
      issued.clear();
    },
    close: () => server.close(),
  };
}

function route(provider: Provider, issuerPath: string, defaultScope: string | undefined): RequestListener {
  const callback = provider.callback();
  const interaction = `${issuerPath}/interaction/`;
  return (request, response) => {
    if (pathOf(request).startsWith(interaction)) {
      handleInteraction(provider, request, response).catch((error: unknown) => failInteraction(response, error));
      return;
    }
    addDefaultScope(request, `${issuerPath}/auth`, defaultScope);
    insideIssuerPath(request, issuerPath);
    void callback(request, response);
  };
}

function failInteraction(response: ServerResponse, error: unknown): void {
  console.error("authorization server fixture:", error);
  if (!response.headersSent) sendHtml(response, 500, messagePage("Something went wrong", String(error)));
}

// oidc-provider knows nothing of the path it is mounted under; it derives it from the difference between
// `originalUrl` and `url`, as Express would set them. RFC 8414 section 3.1 puts the well-known part
// before the issuer's path.
function insideIssuerPath(request: IncomingMessage, issuerPath: string): void {
  if (issuerPath === "") return;
  const inserted = `/.well-known/oauth-authorization-server${issuerPath}`;
  const url =
    pathOf(request) === inserted ? `${issuerPath}/.well-known/oauth-authorization-server` : (request.url ?? "/");
  Object.assign(request, { originalUrl: url });
  // A path outside the issuer's must not reach the provider's own routes.
  request.url = url.startsWith(`${issuerPath}/`) ? url.slice(issuerPath.length) : `/outside-the-issuer${url}`;
}

function addDefaultScope(request: IncomingMessage, path: string, scope: string | undefined): void {
  if (scope === undefined || pathOf(request) !== path) return;
  const url = new URL(request.url ?? "/", "http://fixture.invalid");
  if (url.searchParams.has("scope") || url.searchParams.has("request_uri")) return;
  url.searchParams.set("scope", scope);
  request.url = url.pathname + url.search;
}

function documentFetch(documents: Map<string, unknown>): typeof fetch {
  return async (input, init) => {
    const url = input instanceof Request ? input.url : String(input);
    const document = documents.get(url);
    if (document !== undefined) return Response.json(document);
    // A loopback jwks_uri is another fixture's and may be fetched; nothing leaves the machine.
    return new URL(url).protocol === "http:" ? fetch(input, init) : new Response("not found", { status: 404 });
  };
}

function createVerifier(provider: Provider, issued: IssuedTokens, publicKey: JsonWebKey): VerifyAccessToken {
  const keys = createLocalJWKSet({ keys: [{ ...publicKey, kty: "EC" }] });

  const verifyJwt: VerifyAccessToken = async (token, resource) => {
    try {
      const { payload } = await jwtVerify(token, keys, {
        issuer: provider.issuer,
        audience: resource,
        typ: "at+jwt",
        requiredClaims: ["exp"],
      });
      const origin = issued.get(payload.jti);
      // Nothing in the token tells that it was revoked; only its grant's record does.
      if (!origin || (origin.grantId !== undefined && !(await provider.Grant.find(origin.grantId)))) return undefined;
      const jkt = (payload.cnf as { jkt?: string } | undefined)?.jkt;
      return {
        clientId: String(payload.client_id),
        scopes: String(payload.scope ?? "")
          .split(" ")
          .filter(Boolean),
        expiresAt: payload.exp ?? 0,
        issuedAtMs: origin.issuedAtMs,
        subject: payload.sub,
        jkt,
      };
    } catch {
      return undefined;
    }
  };

  const verifyOpaque: VerifyAccessToken = async (token, resource) => {
    const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
    if (!found || found.isExpired || found.exp === undefined || ![found.aud].flat().includes(resource))
      return undefined;
    const verified: VerifiedAccessToken = {
      clientId: found.clientId,
      scopes: [...found.scopes],
      expiresAt: found.exp,
      issuedAtMs: issued.get(found.jti)?.issuedAtMs,
      subject: found.accountId,
      jkt: found.jkt,
    };
    return verified;
  };

  return (token, resource) => (isJwt(token) ? verifyJwt(token, resource) : verifyOpaque(token, resource));
}

function isJwt(token: string): boolean {
  try {
    return decodeProtectedHeader(token).alg !== undefined;
  } catch {
    return false;
  }
}
