// A minimal OAuth server and protected MCP endpoint in one, right in everything it does, where each piece
// can be replaced in one line: mix-up, a wrong `iss`, missing S256, odd token answers.
import { createHash, randomUUID } from "node:crypto";
import type { RequestLog } from "./request-log.ts";
import { createScriptedMcpEndpoint } from "./scripted-mcp-endpoint.ts";
import {
  type ScriptedAnswer,
  type ScriptedHelpers,
  type ScriptedRequest,
  type ScriptedRoute,
  type ScriptedRoutes,
  startScriptedServer,
} from "./scripted-server.ts";

/** Answers in place of the usual behaviour; `usual()` gives what would have been answered, to build upon. */
export type ScriptedOverride = (
  request: ScriptedRequest,
  usual: () => Promise<Response>,
  helpers: ScriptedHelpers,
) => ScriptedAnswer | Promise<ScriptedAnswer>;

/** Members to set; `undefined` removes one. A function gets the usual document. */
export type DocumentChange = Record<string, unknown> | ((usual: Record<string, unknown>) => unknown);

export interface ScriptedAuthorizationServerOptions {
  /** RFC 8414 metadata. */
  metadata?: DocumentChange;
  /** RFC 9728 metadata. */
  protectedResource?: DocumentChange;
  authorize?: ScriptedOverride;
  token?: ScriptedOverride;
  register?: ScriptedOverride;
  revoke?: ScriptedOverride;
  mcp?: ScriptedOverride;
  /** The WWW-Authenticate value of the MCP endpoint's 401; `null` sends none. Default names the metadata. */
  challenge?: string | null;
  /** Default 3600. */
  accessTokenSeconds?: number;
  /** Members of every token response, such as `{ token_type: "bearer" }`; `undefined` removes one. */
  tokenResponse?: Record<string, unknown>;
  /** Whole routes, looked at first. */
  routes?: ScriptedRoutes;
  host?: string;
  port?: number;
}

export interface RunningScriptedAuthorizationServer {
  /** Origin and issuer. */
  readonly url: string;
  readonly issuer: string;
  /** The MCP endpoint behind the bearer check. */
  readonly mcpUrl: URL;
  readonly log: RequestLog;
  /** Change any option at any time; the next request sees it. */
  readonly options: ScriptedAuthorizationServerOptions;
  /** Live access tokens; delete one to have it refused. */
  readonly accessTokens: Map<string, ScriptedToken>;
  readonly refreshTokens: Map<string, ScriptedToken>;
  close(): Promise<void>;
}

export interface ScriptedToken {
  clientId: string;
  scope: string;
  resource: string | undefined;
  expiresAt: number;
}

interface AuthorizationCode extends ScriptedToken {
  redirectUri: string;
  challenge: string;
}

export async function scriptedAuthorizationServer(
  initial: ScriptedAuthorizationServerOptions = {},
): Promise<RunningScriptedAuthorizationServer> {
  const options = { ...initial };
  const codes = new Map<string, AuthorizationCode>();
  const accessTokens = new Map<string, ScriptedToken>();
  const refreshTokens = new Map<string, ScriptedToken>();
  const issue = createIssuer(options, accessTokens, refreshTokens);

  const metadata: Usual = (_request, { url, json }) =>
    json(
      changed(options.metadata, {
        issuer: url,
        authorization_endpoint: `${url}/authorize`,
        token_endpoint: `${url}/token`,
        registration_endpoint: `${url}/register`,
        revocation_endpoint: `${url}/revoke`,
        scopes_supported: ["mcp:tools"],
        response_types_supported: ["code"],
        grant_types_supported: ["authorization_code", "refresh_token"],
        token_endpoint_auth_methods_supported: ["none"],
        code_challenge_methods_supported: ["S256"],
        authorization_response_iss_parameter_supported: true,
      }),
    );
  const protectedResource: Usual = (_request, { url, json }) =>
    json(
      changed(options.protectedResource, {
        resource: `${url}/mcp`,
        authorization_servers: [url],
        scopes_supported: ["mcp:tools"],
      }),
    );

  const server = await startScriptedServer({}, options);
  const overridable = (name: "authorize" | "token" | "register" | "revoke" | "mcp", usual: Usual): ScriptedRoute => {
    return (request, helpers) => {
      const override = options[name];
      return override ? override(request, async () => usual(request, helpers), helpers) : usual(request, helpers);
    };
  };
  const routes: ScriptedRoutes = {
    "GET /.well-known/oauth-authorization-server": metadata,
    "GET /.well-known/oauth-protected-resource/mcp": protectedResource,
    "GET /authorize": overridable("authorize", (request, helpers) => authorize(request, helpers, codes)),
    "POST /token": overridable("token", (request, helpers) => token(request, helpers, { codes, refreshTokens, issue })),
    "POST /register": overridable("register", register),
    "POST /revoke": overridable("revoke", (request, { text }) => {
      const revoked = request.form.get("token") ?? "";
      accessTokens.delete(revoked);
      refreshTokens.delete(revoked);
      return text("");
    }),
    "/mcp": overridable("mcp", createScriptedMcpEndpoint({ accessTokens, challenge: () => options.challenge })),
  };
  server.routes["*"] = (request, helpers) => {
    const keys = [`${request.method} ${request.path}`, request.path];
    const route =
      [options.routes ?? {}, routes].flatMap((table) => keys.map((key) => table[key])).find(Boolean) ??
      options.routes?.["*"];
    return route ? route(request, helpers) : helpers.text("not found", 404);
  };
  return {
    url: server.url,
    issuer: server.url,
    mcpUrl: new URL(`${server.url}/mcp`),
    log: server.log,
    options,
    accessTokens,
    refreshTokens,
    close: server.close,
  };
}

type Usual = (request: ScriptedRequest, helpers: ScriptedHelpers) => Response;

function authorize(
  request: ScriptedRequest,
  { url, text, redirect }: ScriptedHelpers,
  codes: Map<string, AuthorizationCode>,
): Response {
  const query = request.url.searchParams;
  const redirectUri = query.get("redirect_uri") ?? "";
  if (!URL.canParse(redirectUri)) return text("no redirect_uri", 400);
  const target = new URL(redirectUri);
  const state = query.get("state");
  if (state !== null) target.searchParams.set("state", state);
  target.searchParams.set("iss", url);
  if (query.get("response_type") !== "code" || query.get("code_challenge_method") !== "S256") {
    target.searchParams.set("error", "invalid_request");
    return redirect(target.href);
  }
  const code = randomUUID();
  codes.set(code, {
    clientId: query.get("client_id") ?? "",
    scope: query.get("scope") ?? "",
    resource: query.get("resource") ?? undefined,
    redirectUri,
    challenge: query.get("code_challenge") ?? "",
    expiresAt: Date.now() + 60_000,
  });
  target.searchParams.set("code", code);
  return redirect(target.href);
}

interface TokenState {
  codes: Map<string, AuthorizationCode>;
  refreshTokens: Map<string, ScriptedToken>;
  issue: (grant: ScriptedToken) => Record<string, unknown>;
}

function token(
  { form }: ScriptedRequest,
  { json }: ScriptedHelpers,
  { codes, refreshTokens, issue }: TokenState,
): Response {
  const refuse = (error: string): Response => json({ error }, 400);
  if (form.get("grant_type") === "authorization_code") {
    const code = codes.get(form.get("code") ?? "");
    codes.delete(form.get("code") ?? "");
    const verifier = createHash("sha256")
      .update(form.get("code_verifier") ?? "")
      .digest("base64url");
    if (!code || code.challenge !== verifier || code.redirectUri !== form.get("redirect_uri"))
      return refuse("invalid_grant");
    return json(issue(code));
  }
  if (form.get("grant_type") === "refresh_token") {
    const presented = form.get("refresh_token") ?? "";
    const grant = refreshTokens.get(presented);
    if (!grant) return refuse("invalid_grant");
    refreshTokens.delete(presented);
    return json(issue(grant));
  }
  return refuse("unsupported_grant_type");
}

function register(request: ScriptedRequest, { json }: ScriptedHelpers): Response {
  const asked = request.json() as Record<string, unknown>;
  return json({ ...asked, client_id: randomUUID(), client_id_issued_at: Math.floor(Date.now() / 1000) }, 201);
}

function createIssuer(
  options: ScriptedAuthorizationServerOptions,
  accessTokens: Map<string, ScriptedToken>,
  refreshTokens: Map<string, ScriptedToken>,
): TokenState["issue"] {
  return ({ clientId, scope, resource }) => {
    const seconds = options.accessTokenSeconds ?? 3600;
    const [accessToken, refreshToken] = [randomUUID(), randomUUID()];
    accessTokens.set(accessToken, { clientId, scope, resource, expiresAt: Date.now() + seconds * 1000 });
    refreshTokens.set(refreshToken, { clientId, scope, resource, expiresAt: Number.POSITIVE_INFINITY });
    return {
      access_token: accessToken,
      token_type: "Bearer",
      expires_in: seconds,
      refresh_token: refreshToken,
      scope,
      ...options.tokenResponse,
    };
  };
}

function changed(change: DocumentChange | undefined, usual: Record<string, unknown>): unknown {
  // JSON.stringify leaves out members that are undefined, which is how a change removes one.
  return typeof change === "function" ? change(usual) : { ...usual, ...change };
}
