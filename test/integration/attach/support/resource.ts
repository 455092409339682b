// A protected resource that answers with what reached it, for looking at single requests. It is no MCP server, and need
// not be one: what `tokens.fetch` does is a matter of HTTP.
import type { TokenManager } from "mcp-oauth-client";
import type { LoggedRequest } from "../../../servers/request-log.ts";
import {
  type RunningScriptedAuthorizationServer,
  type ScriptedAuthorizationServerOptions,
  scriptedAuthorizationServer,
} from "../../../servers/scripted-authorization-server.ts";
import type { ScriptedHelpers, ScriptedRequest, ScriptedRoutes } from "../../../servers/scripted-server.ts";
import { closing } from "./host.ts";

/** What reached the resource. */
export interface Echo {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
}

export function echo({ method, url, headers, body }: ScriptedRequest, { json }: ScriptedHelpers): Response {
  return json({ method, url: url.href, headers, body });
}

export const echoed = async (response: Response): Promise<Echo> => (await response.json()) as Echo;

export interface Resource extends RunningScriptedAuthorizationServer {
  /** What it has been asked by requests to itself, not to its authorization server. */
  asked(): LoggedRequest[];
  /** How often somebody was sent to the authorization endpoint. */
  authorizations(): LoggedRequest[];
}

/** A request's header that names the scopes which it needs: the resource answers 403 where the token lacks one. */
export const NEEDS = "x-needs";

/** A resource at `/mcp` with its own authorization server, and other routes beside it. */
export async function startResource(
  routes: ScriptedRoutes = {},
  options: ScriptedAuthorizationServerOptions = {},
): Promise<Resource> {
  const server = await scriptedAuthorizationServer({ routes, ...options });
  const guarded: ScriptedRoutes[string] = async (request, helpers) => {
    const token = server.accessTokens.get(/^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1] ?? "");
    const metadata = `resource_metadata="${server.url}/.well-known/oauth-protected-resource/mcp"`;
    if (token === undefined)
      return helpers.text("who are you?", 401, {
        "www-authenticate": server.options.challenge ?? `Bearer ${metadata}`,
      });
    const needed = String(request.headers[NEEDS] ?? "");
    const missing = needed.split(" ").filter((scope) => scope !== "" && !token.scope.split(" ").includes(scope));
    if (missing.length === 0) return echo(request, helpers);
    const challenge = `Bearer error="insufficient_scope", scope="${needed}", ${metadata}`;
    return helpers.text("not enough", 403, { "www-authenticate": challenge });
  };
  server.options.mcp ??= (request, _usual, helpers) => guarded(request, helpers);
  // Below the resource's path, too.
  server.options.routes = { "/mcp/below": guarded, ...server.options.routes };
  const resource: Resource = {
    ...server,
    asked: () =>
      server.log.find("*", (path) => path !== "/token" && !/^\/(authorize|register|\.well-known)/.test(path)),
    authorizations: () => server.log.find("GET", "/authorize"),
  };
  return closing(resource);
}

/** Signs in to a resource, so that what comes after in its log is what the test is about. */
export async function signedIn(tokens: TokenManager, resource: Resource): Promise<string> {
  const { accessToken } = await tokens.signIn(resource.mcpUrl);
  resource.log.clear();
  return `Bearer ${accessToken.reveal()}`;
}
