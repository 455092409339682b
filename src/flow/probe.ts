import { type ResourceChallenge, readChallenge } from "../challenge/read.ts";
import type { Http, HttpAnswer } from "../core/http.ts";
import type { Credential } from "../tokens/credential.ts";

/** Changes nothing on the server, and is refused before it is read where the server wants authorization. */
const PING = JSON.stringify({ jsonrpc: "2.0", id: "authorization-probe", method: "ping" });

/**
 * Asks a server for its challenge, for callers that have not met it: a ping by POST, as Streamable HTTP takes it, and
 * where there is no such endpoint (the older SSE transport) a GET.
 *
 * @returns the challenge, or `undefined` when the server does not ask for authorization.
 * @throws `network_failed`, `timeout`, `aborted`, `insecure_url`.
 */
export async function probeForChallenge(
  http: Http,
  server: string,
  credential: Credential | undefined,
  signal?: AbortSignal,
): Promise<ResourceChallenge | undefined> {
  const authorization =
    credential === undefined ? {} : { authorization: `${credential.tokenType} ${credential.accessToken.reveal()}` };
  const request = {
    url: server,
    what: "The MCP server",
    details: { server },
    withoutBody: true,
    ...(signal !== undefined && { signal }),
  };
  const ask = (method: string, headers: Record<string, string>, body?: string): Promise<HttpAnswer> =>
    http.send({ ...request, method, headers: { ...headers, ...authorization }, ...(body !== undefined && { body }) });
  const post = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  let answer = await ask("POST", post, PING);
  if (answer.status === 404 || answer.status === 405) answer = await ask("GET", { accept: "text/event-stream" });
  return answer.status === 401 ? readChallenge(answer.status, answer.headers) : undefined;
}
