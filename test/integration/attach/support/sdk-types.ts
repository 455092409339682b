// Compiled, never run: what `tokens` gives is taken by the SDKs' own types as it is, without a cast. sdk-types.test.ts
// compiles it as users with other compiler flags do.
import * as v2 from "@modelcontextprotocol/client";
import type { OAuthClientProvider as OAuthClientProviderV1 } from "@modelcontextprotocol/sdk/client/auth.js";
import { SSEClientTransport, type SSEClientTransportOptions } from "@modelcontextprotocol/sdk/client/sse.js";
import {
  StreamableHTTPClientTransport,
  type StreamableHTTPClientTransportOptions,
} from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { FetchLike } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { TokenManager } from "mcp-oauth-client";

export function attachToV1(tokens: TokenManager, url: URL): unknown[] {
  const authProvider: OAuthClientProviderV1 = tokens.authProvider(url);
  const fetchLike: FetchLike = tokens.fetch(url);
  const http: StreamableHTTPClientTransportOptions = { authProvider: tokens.authProvider(url) };
  const sse: SSEClientTransportOptions = { authProvider: tokens.authProvider(url), fetch: tokens.fetch(url) };
  return [
    authProvider,
    fetchLike,
    new StreamableHTTPClientTransport(url, http),
    new StreamableHTTPClientTransport(url, { fetch: tokens.fetch(url) }),
    new StreamableHTTPClientTransport(url, { authProvider: tokens.authProvider(url) }),
    new SSEClientTransport(url, sse),
    new SSEClientTransport(url, { fetch: tokens.fetch(url) }),
    new SSEClientTransport(url, { authProvider: tokens.authProvider(url) }),
  ];
}

export function attachToV2(tokens: TokenManager, url: URL): unknown[] {
  const oauthProvider: v2.OAuthClientProvider = tokens.authProvider(url);
  const authProvider: v2.AuthProvider = tokens.bearerProvider(url);
  const fetchLike: v2.FetchLike = tokens.fetch(url);
  return [
    oauthProvider,
    authProvider,
    fetchLike,
    new v2.StreamableHTTPClientTransport(url, { fetch: tokens.fetch(url) }),
    new v2.StreamableHTTPClientTransport(url, { authProvider: tokens.authProvider(url) }),
    new v2.StreamableHTTPClientTransport(url, { authProvider: tokens.bearerProvider(url) }),
    new v2.SSEClientTransport(url, { fetch: tokens.fetch(url) }),
    new v2.SSEClientTransport(url, { authProvider: tokens.authProvider(url) }),
    new v2.SSEClientTransport(url, { authProvider: tokens.bearerProvider(url) }),
  ];
}

export function attachToFetch(tokens: TokenManager, url: URL): typeof fetch {
  return tokens.fetch(url);
}
