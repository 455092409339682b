// Answers that send a request, and what it carries, somewhere else.
// biome-ignore-all format: a table has a line for each entry
import type { McpOAuthErrorCode } from "mcp-oauth-client";
import type { ScriptedOverride } from "../../../servers/scripted-authorization-server.ts";
import type { ScriptedRoute, ScriptedRoutes } from "../../../servers/scripted-server.ts";
import type { HostileCase } from "../support/case.ts";
import type { Places, SignInCase } from "../support/sign-in.ts";

const RESOURCE_METADATA = "/.well-known/oauth-protected-resource/mcp";
const SERVER_METADATA = "/.well-known/oauth-authorization-server";
const NOT_FOLLOWED = "it is not followed";

const to = (location: string, status = 302): ScriptedRoute => (_request, { redirect }) => redirect(location, status);
const instead = (location: string, status: number): ScriptedOverride => (_request, _usual, { redirect }) =>
  redirect(location, status);

/** Redirects to itself for longer than anybody may follow, and then says what it should. */
function loop(path: string, body: (places: Places) => object): (places: Places) => { routes: ScriptedRoutes } {
  return (places) => {
    let asked = 0;
    return {
      routes: { [path]: (_request, { json, redirect }) => (++asked < 10 ? redirect(path) : json(body(places))) },
    };
  };
}

/** An authorization server with one endpoint more, which redirects. */
const withEndpoint = (name: string, status: number) => ({ victim, own }: Places) => ({
  metadata: { [name]: `${own}/extra` },
  routes: { "POST /extra": to(`${victim}/take`, status) },
});

const secureRedirects = "SSRF-3";
const noCredentials = "SSRF-4";

/** Redirects that a sign-in meets. */
export const signInRedirects: readonly SignInCase[] = [
  { id: "redirect-metadata-elsewhere", does: "redirects its metadata to another origin", must: NOT_FOLLOWED, server: ({ victim }) => ({ routes: { [RESOURCE_METADATA]: to(`${victim}/m`) } }), ends: "invalid_response", proves: secureRedirects },
  { id: "redirect-metadata-relative", does: "redirects its metadata to //another-origin", must: NOT_FOLLOWED, server: ({ victim }) => ({ routes: { [RESOURCE_METADATA]: to(victim.replace("http:", "")) } }), ends: "invalid_response", proves: secureRedirects },
  { id: "redirect-metadata-other-name", does: "redirects its metadata to another name of its own machine", must: NOT_FOLLOWED, server: ({ own }) => ({ routes: { [RESOURCE_METADATA]: to(`${own.replace("127.0.0.1", "localhost")}/planted`) } }), ends: "invalid_response", untouched: ["/planted"], proves: secureRedirects },
  { id: "redirect-metadata-file", does: "redirects its metadata to a file", must: NOT_FOLLOWED, server: () => ({ routes: { [RESOURCE_METADATA]: to("file:///etc/passwd") } }), ends: "invalid_response", says: /redirect/, proves: secureRedirects },
  { id: "redirect-metadata-loop", does: "redirects its metadata in a circle", must: "it is given up after three", server: loop(RESOURCE_METADATA, ({ own }) => ({ resource: `${own}/mcp`, authorization_servers: [own] })), ends: "invalid_response", says: /redirect/, proves: "SSRF-6" },
  { id: "redirect-server-metadata-elsewhere", does: "redirects the authorization server's metadata to another origin", must: NOT_FOLLOWED, server: ({ victim }) => ({ routes: { [SERVER_METADATA]: to(`${victim}/m`, 301) } }), ends: "invalid_response", proves: secureRedirects },
  { id: "redirect-registration", does: "redirects a registration by 307, which keeps its body", must: NOT_FOLLOWED, server: ({ victim }) => ({ register: instead(`${victim}/take`, 307) }), ends: "invalid_response", reaches: "registration", proves: noCredentials },
  { id: "redirect-token-307", does: "redirects a code and its verifier by 307 to another origin", must: "neither goes there", server: ({ victim }) => ({ token: instead(`${victim}/take`, 307) }), ends: "invalid_response", reaches: "token", proves: noCredentials },
  { id: "redirect-token-302", does: "redirects the token request by 302", must: "the answer is not asked for there", server: ({ victim }) => ({ token: instead(`${victim}/take`, 302) }), ends: "invalid_response", reaches: "token", proves: noCredentials },
  { id: "redirect-token-own-origin", does: "redirects the token request by 308 within its origin, to what may be anybody's page", must: "no credentials follow even there", server: () => ({ token: instead("/planted", 308) }), ends: "invalid_response", reaches: "token", untouched: ["/planted"], proves: noCredentials },
  { id: "redirect-pushed-request", does: "redirects a pushed authorization request by 307", must: NOT_FOLLOWED, server: withEndpoint("pushed_authorization_request_endpoint", 307), ends: "invalid_response", reaches: "registration", proves: noCredentials },
  { id: "redirect-device-request", does: "redirects a device authorization request by 308", must: NOT_FOLLOWED, server: withEndpoint("device_authorization_endpoint", 308), host: { devicePrompt: () => undefined }, flow: "device", ends: "invalid_response", reaches: "registration", proves: noCredentials },
  { id: "redirect-probe", does: "redirects the first request of a sign-in to another origin", must: "its own metadata is asked, and nobody else", server: ({ victim }) => ({ mcp: instead(`${victim}/mcp`, 307) }), ends: "signed in", proves: secureRedirects },
];

/** Redirects, and the like, that a request with a token in hand meets. */
export interface RequestRedirectCase extends HostileCase {
  /** The MCP server's routes; a request to `/mcp` is sent. */
  readonly routes: (places: Places) => ScriptedRoutes;
  /** What the victim's server answers; by default it echoes nothing. */
  readonly victim?: (places: Places) => ScriptedRoute;
  /** What becomes of the request. Default: an answer. */
  readonly ends?: McpOAuthErrorCode | "TypeError";
  /** How many requests the victim gets, none of which may tell who asks. Default 0. */
  readonly arrives?: number;
  /** How many requests the server gets at most with the token. Default 1. */
  readonly withToken?: number;
  /** The header that carries the token; by default it is `Authorization`. */
  readonly header?: string;
  /** What the host knows the server by. Default: by its address, on loopback. */
  readonly name?: string;
  /** A URL that the host asks afterwards, because the server said so. */
  readonly afterwards?: (places: Places) => string;
}

const NO_TOKEN = "it arrives without the token, the cookie and the session";
const eventStream = (data: string): ScriptedRoute => (_request, { text }) =>
  text(`event: endpoint\ndata: ${data}\n\n`, 200, { "content-type": "text/event-stream" });

export const requestRedirects: readonly RequestRedirectCase[] = [
  { id: "redirect-request-302", does: "redirects a request with a token by 302 to another origin", must: NO_TOKEN, routes: ({ victim }) => ({ "/mcp": to(`${victim}/take`) }), arrives: 1, proves: "TOK-6" },
  { id: "redirect-request-307", does: "redirects a request with a token by 307 to another origin", must: NO_TOKEN, routes: ({ victim }) => ({ "/mcp": to(`${victim}/take`, 307) }), arrives: 1, proves: "TOK-6" },
  { id: "redirect-request-key", does: "redirects a request with an API key in a header of its own", must: "the key stays behind", routes: ({ victim }) => ({ "/mcp": to(`${victim}/take`, 308) }), header: "X-API-Key", arrives: 1, proves: "TOK-6" },
  { id: "redirect-request-other-name", does: "redirects a request to another name of its own machine", must: "the token stays behind", routes: ({ own }) => ({ "/mcp": to(`${own.replace("127.0.0.1", "localhost")}/take`), "/take": (_request, { text }) => text("taken") }), proves: "TOK-6" },
  { id: "redirect-request-bounce", does: "redirects to somebody who redirects back to any path of the server", must: "the token does not come back with it", routes: ({ victim }) => ({ "/mcp": to(`${victim}/take`, 307), "*": (_request, { text }) => text("taken") }), victim: ({ own }) => to(`${own}/mcp/planted`, 307), arrives: 1, proves: "TOK-6" },
  { id: "redirect-request-plain-http", does: "redirects a request to plain http", must: "it is not followed, token or not", routes: () => ({ "/mcp": to("http://plain.example.com/take") }), ends: "insecure_url", proves: "TOK-7" },
  { id: "redirect-request-into-machine", does: "stands outside and redirects a request to a program of this machine", must: NOT_FOLLOWED, name: "https://mcp.example.com", routes: ({ victim }) => ({ "/mcp": to(`${victim}/take`, 307) }), ends: "address_refused" },
  { id: "redirect-request-user-information", does: "redirects a request to a URL with a user name and password", must: NOT_FOLLOWED, routes: ({ victim }) => ({ "/mcp": to(`${victim.replace("//", "//user:password@")}/take`) }), ends: "invalid_response" },
  { id: "redirect-request-loop", does: "redirects a request in a circle", must: "it is given up after twenty", routes: () => ({ "/mcp": circle(30) }), withToken: 21, ends: "TypeError" },
  { id: "redirect-request-challenge", does: "redirects to somebody who asks for authorization", must: "their challenge starts nothing", routes: ({ victim }) => ({ "/mcp": to(`${victim}/take`) }), victim: ({ victim }) => (_request, { text }) => text("", 401, { "www-authenticate": `Bearer resource_metadata="${victim}/m"` }), arrives: 1, proves: "TOK-6" },
  { id: "redirect-stream-endpoint", does: "tells in an event stream to post to another origin", must: "what is posted there has no token", routes: ({ victim }) => ({ "/mcp": eventStream(`${victim}/take`) }), afterwards: ({ victim }) => `${victim}/take`, arrives: 1, proves: "TOK-6" },
];

/** Redirects to itself so many times, and then answers. */
function circle(times: number): ScriptedRoute {
  let asked = 0;
  return (_request, { redirect, text }) => (++asked <= times ? redirect("/mcp") : text("at last"));
}

/** Redirects that a session meets later on. */
export interface SessionRedirectCase extends HostileCase {
  readonly endpoint: "token" | "revoke";
  readonly status: number;
}

export const sessionRedirects: readonly SessionRedirectCase[] = [
  { id: "redirect-refresh", does: "redirects a refresh token by 307 to another origin", must: "it does not go there, and the session is kept", endpoint: "token", status: 307, proves: noCredentials },
  { id: "redirect-revocation", does: "redirects a revocation by 308 to another origin", must: "the tokens do not go there, and the session ends here", endpoint: "revoke", status: 308, proves: noCredentials },
];
