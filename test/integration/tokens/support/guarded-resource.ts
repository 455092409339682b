// A protected resource with the bearer check of the MCP fixtures and nothing behind it: thousands of requests would
// otherwise measure an MCP server.
import type { RunningAuthorizationServer } from "../../../servers/authorization-server.ts";
import { type BearerGuard, createBearerGuard, resourceMetadataChallenge } from "../../../servers/bearer-guard.ts";
import { pathOf, readBody, sendJson } from "../../../servers/http.ts";
import { createRequestLog, listen, type RequestLog } from "../../../servers/request-log.ts";

export interface GuardedResource {
  readonly url: URL;
  readonly log: RequestLog;
  /** Rejects every token issued so far. */
  readonly invalidateAll: BearerGuard["invalidateAll"];
  close(): Promise<void>;
}

export async function startGuardedResource(as: RunningAuthorizationServer): Promise<GuardedResource> {
  const log = createRequestLog();
  let guard: BearerGuard | undefined;
  const metadataPath = "/.well-known/oauth-protected-resource/mcp";
  const server = await listen(
    log.record(async (request, response) => {
      const resource = `${server.url}/mcp`;
      if (pathOf(request) === metadataPath) {
        const scopes = ["mcp:tools"];
        return sendJson(response, 200, { resource, authorization_servers: [as.issuer], scopes_supported: scopes });
      }
      await readBody(request);
      if ((await guard?.check(request, response)) !== undefined)
        sendJson(response, 200, { jsonrpc: "2.0", result: {} });
    }),
  );
  guard = createBearerGuard({
    resource: `${server.url}/mcp`,
    metadataUrl: server.url + metadataPath,
    verifyAccessToken: as.verifyAccessToken,
    requiredScopes: [],
    challengeScope: undefined,
    challenge: resourceMetadataChallenge,
  });
  return {
    url: new URL(`${server.url}/mcp`),
    log,
    invalidateAll: () => guard.invalidateAll(),
    close: () => server.close(),
  };
}
