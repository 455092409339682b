import { McpOAuthError } from "../../core/errors.ts";
import type { HttpRequest } from "../../core/http.ts";
import { quoted } from "../../core/text.ts";
import type { Discovery } from "../../discovery/discover.ts";
import type { Finding } from "./diagnosis.ts";
import { stopsWith, whatHappened } from "./error-words.ts";
import type { Examination } from "./examination.ts";
import { ok, problem, warning } from "./findings.ts";
import { mcp2025March, rfc } from "./rules.ts";

/** Statuses of an address that nothing stands at. */
const NOT_THERE = new Set([404, 405, 410, 501]);

/** A request that asks for nothing, to see whether anybody is there. */
interface Knock {
  readonly id: string;
  readonly name: string;
  readonly request: Pick<HttpRequest, "method" | "url" | "headers" | "body">;
  /** Whether an answer of 404 to a request without parameters is beyond doubt. */
  readonly isCertain: boolean;
}

function knocksAt({ authorizationServer, defaultEndpoints }: Discovery): Knock[] {
  const { authorization_endpoint: authorization, token_endpoint: token } = authorizationServer;
  const form = { accept: "application/json", "content-type": "application/x-www-form-urlencoded" };
  const knocks: Knock[] = [];
  if (authorization !== undefined) {
    const request = { method: "GET", url: authorization, headers: { accept: "text/html" } };
    const id = "authorization_server.authorization_answers";
    knocks.push({ id, name: "authorization endpoint", request, isCertain: defaultEndpoints });
  }
  if (token !== undefined) {
    const request = { method: "POST", url: token, headers: form, body: "" };
    knocks.push({ id: "authorization_server.token_answers", name: "token endpoint", request, isCertain: true });
  }
  return knocks;
}

function answered({ id, name, request, isCertain }: Knock, status: number, defaultEndpoints: boolean): Finding {
  const rule = defaultEndpoints ? mcp2025March : rfc(6749, request.method === "GET" ? "3.1" : "3.2");
  const url = quoted(String(request.url));
  if (NOT_THERE.has(status)) {
    const seen = `Nothing stands at the ${name} ${url}: ${request.method} gives ${status}.`;
    const fix = defaultEndpoints
      ? "publish protected resource metadata, and the metadata of the authorization server that it names"
      : `put the right address into the metadata`;
    if (!isCertain) return warning(id, rule, seen, { library: "would send the user there", fix });
    return problem(id, rule, seen, { library: "fails when it gets there", fix, stops: true });
  }
  if (status >= 500) {
    const fix = "find the cause in the server's log; an incomplete request should be refused with 400";
    return warning(id, rule, `The ${name} answers an empty request with ${status}.`, { library: "goes on", fix });
  }
  return ok(id, rule, `The ${name} is there: an empty request gives ${status}.`);
}

/** Whether somebody answers where users and codes would be sent. Nothing is asked for, so nothing happens. */
export async function checkEndpoints({ http, server }: Examination, discovery: Discovery): Promise<Finding[]> {
  const { issuer, defaultEndpoints } = discovery;
  const findings: Finding[] = [];
  for (const knock of knocksAt(discovery)) {
    const what = `The ${knock.name} of ${issuer}`;
    const request = { ...knock.request, what, details: { server, issuer }, withoutBody: true };
    try {
      const { status } = await http.send(request);
      findings.push(answered(knock, status, defaultEndpoints));
    } catch (error) {
      if (!(error instanceof McpOAuthError) || error.code === "aborted") throw error;
      const consequence = { library: stopsWith(error), stops: true, code: error.code } as const;
      const fix = "make the endpoint reachable for clients";
      findings.push(problem(knock.id, rfc(6749, "3"), whatHappened(error), { ...consequence, fix }));
    }
  }
  return findings;
}
