// The real servers, in a file of their own: loading them takes a second that tests of odd answers need not pay.
import {
  type AuthorizationServerOptions,
  type RunningAuthorizationServer,
  startAuthorizationServer,
} from "../../../servers/authorization-server.ts";
import {
  type ProtectedMcpServerOptions,
  type RunningProtectedMcpServer,
  startProtectedMcpServer,
} from "../../../servers/protected-mcp-server.ts";
import { closing } from "./harness.ts";

export async function startAs(options: AuthorizationServerOptions = {}): Promise<RunningAuthorizationServer> {
  return closing(await startAuthorizationServer(options));
}

export async function startMcp(
  as: RunningAuthorizationServer,
  options: Partial<ProtectedMcpServerOptions> = {},
): Promise<RunningProtectedMcpServer> {
  return closing(
    await startProtectedMcpServer({
      sdk: "v1",
      verifyAccessToken: as.verifyAccessToken,
      authorizationServers: [as.issuer],
      ...options,
    }),
  );
}

export interface Pair {
  readonly as: RunningAuthorizationServer;
  readonly mcp: RunningProtectedMcpServer;
}

/** An authorization server and an MCP server that trusts it. */
export async function startPair(
  asOptions: AuthorizationServerOptions = {},
  mcpOptions: Partial<ProtectedMcpServerOptions> = {},
): Promise<Pair> {
  const as = await startAs(asOptions);
  return { as, mcp: await startMcp(as, mcpOptions) };
}
