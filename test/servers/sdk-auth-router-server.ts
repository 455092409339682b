// SDK v1's own authorization server pieces, mcpAuthRouter and requireBearerAuth, around an MCP server: as a
// proxy to a real authorization server, or with the SDK's example provider behind it. Its issuer ends in "/".

import { InvalidTokenError } from "@modelcontextprotocol/sdk/server/auth/errors.js";
import { requireBearerAuth } from "@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js";
import type { OAuthServerProvider } from "@modelcontextprotocol/sdk/server/auth/provider.js";
import { ProxyOAuthServerProvider } from "@modelcontextprotocol/sdk/server/auth/providers/proxyProvider.js";
import { getOAuthProtectedResourceMetadataUrl, mcpAuthRouter } from "@modelcontextprotocol/sdk/server/auth/router.js";
import type { AuthInfo } from "@modelcontextprotocol/sdk/server/auth/types.js";
import type { OAuthClientInformationFull } from "@modelcontextprotocol/sdk/shared/auth.js";
import express, { type Express } from "express";
import type { RunningAuthorizationServer } from "./authorization-server.ts";
import type { AcceptedToken } from "./bearer-guard.ts";
import { createFaultInjection, type FaultInjection } from "./fault-injection.ts";
import { createSseEndpointV1, createStreamableHttpEndpointV1 } from "./mcp-endpoint-v1.ts";
import { createRequestLog, listen, type RequestLog } from "./request-log.ts";
import { SdkDemoProvider } from "./sdk-demo-provider.ts";

export interface SdkAuthRouterServerOptions {
  /**
   * The authorization server to proxy to. The authorization response then comes straight from it, so its
   * `iss` is not this server's issuer and RFC 9207 makes a client refuse. Without it, the SDK's example
   * provider signs everybody in, without `iss`.
   */
  upstream?: RunningAuthorizationServer;
  /** Default `mcp:tools`. */
  scopes?: readonly string[];
  /** Default `streamable-http`. */
  transport?: "streamable-http" | "sse";
}

export interface RunningSdkAuthRouterServer {
  /** Ends in a slash, as the SDK writes it. */
  readonly issuer: string;
  /** The MCP endpoint. */
  readonly url: URL;
  readonly log: RequestLog;
  readonly respond: FaultInjection["respond"];
  close(): Promise<void>;
}

export async function startSdkAuthRouterServer(
  options: SdkAuthRouterServerOptions = {},
): Promise<RunningSdkAuthRouterServer> {
  const log = createRequestLog();
  const faults = createFaultInjection();
  const app = express();
  const server = await listen(log.record(faults.wrap((request, response) => void app(request, response))));

  const issuerUrl = new URL(server.url);
  const isSse = options.transport === "sse";
  const path = isSse ? "/sse" : "/mcp";
  const url = new URL(server.url + path);
  const provider = options.upstream ? proxyProvider(options.upstream, url) : new SdkDemoProvider();
  // Benchmarks and long test runs would meet the SDK's limit of some dozen requests in a quarter of an hour.
  const unlimited = { rateLimit: false } as const;
  app.use(
    mcpAuthRouter({
      provider,
      issuerUrl,
      resourceServerUrl: url,
      scopesSupported: [...(options.scopes ?? ["mcp:tools"])],
      authorizationOptions: unlimited,
      tokenOptions: unlimited,
      clientRegistrationOptions: unlimited,
      revocationOptions: unlimited,
    }),
  );
  const createEndpoint = isSse ? createSseEndpointV1 : createStreamableHttpEndpointV1;
  const endpoint = createEndpoint({ path, stateless: false, jsonResponse: false });
  mountEndpoint(app, provider, url, endpoint.handle);
  return {
    issuer: issuerUrl.href,
    url,
    log,
    respond: faults.respond,
    close: async () => {
      await endpoint.close();
      await server.close();
    },
  };
}

function mountEndpoint(
  app: Express,
  verifier: OAuthServerProvider,
  url: URL,
  handle: ReturnType<typeof createStreamableHttpEndpointV1>["handle"],
): void {
  const guard = requireBearerAuth({ verifier, resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(url) });
  app.all([url.pathname, `${url.pathname}/messages`], guard, express.json(), async (request, response) => {
    const auth = request.auth as AuthInfo;
    const token: AcceptedToken = {
      token: auth.token,
      clientId: auth.clientId,
      scopes: auth.scopes,
      expiresAt: auth.expiresAt ?? 0,
    };
    const subject = auth.extra?.subject;
    if (typeof subject === "string") token.subject = subject;
    await handle({ request, response, token, body: request.body as unknown });
  });
}

function proxyProvider(upstream: RunningAuthorizationServer, resource: URL): ProxyOAuthServerProvider {
  return new ProxyOAuthServerProvider({
    endpoints: {
      authorizationUrl: `${upstream.issuer}/auth`,
      tokenUrl: `${upstream.issuer}/token`,
      registrationUrl: `${upstream.issuer}/reg`,
      revocationUrl: `${upstream.issuer}/token/revocation`,
    },
    getClient: async (id) => {
      const client = await upstream.provider.Client.find(id);
      return client ? (client.metadata() as unknown as OAuthClientInformationFull) : undefined;
    },
    verifyAccessToken: async (token) => {
      const verified = await upstream.verifyAccessToken(token, resource.href);
      if (!verified) throw new InvalidTokenError("not accepted");
      return {
        token,
        clientId: verified.clientId,
        scopes: verified.scopes,
        expiresAt: verified.expiresAt,
        resource,
        extra: { subject: verified.subject },
      };
    },
  });
}
