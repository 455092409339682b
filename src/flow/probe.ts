import { type ResourceChallenge, readChallenge } from "../challenge/read.ts";
import type { Http, HttpAnswer } from "../core/http.ts";
import type { Credential } from "../tokens/credential.ts";

/** What a server says to a ping: a challenge, or a redirect; neither of them when it lets the ping pass. */
export interface ProbeAnswer {
  readonly challenge?: ResourceChallenge;
  /** Where a redirect leads that was not followed. It says nothing about authorization, nor about the token. */
  readonly redirectedTo?: string;
}

/** Changes nothing on the server, and is refused before it is read where the server wants authorization. */
const PING = JSON.stringify({ jsonrpc: "2.0", id: "authorization-probe", method: "ping" });

const MOST_REDIRECTS = 3;

interface Asked {
  readonly url: URL;
  readonly answer: HttpAnswer;
}

/** Where a redirect leads; only its place, since the rest may be nobody's to see. `undefined` when it is no redirect. */
function placeOf({ url, answer }: Asked): string | undefined {
  if (answer.status < 300 || answer.status > 399) return undefined;
  const location = answer.headers.get("location") ?? "";
  if (!URL.canParse(location, url.href)) return "nowhere";
  const { protocol, host, pathname } = new URL(location, url);
  return `${protocol}//${host}${pathname}`;
}

/** The next address, where a redirect keeps the method and stays within the origin: the token may go only there. */
function nextOf({ url, answer }: Asked): URL | undefined {
  const location = answer.status === 307 || answer.status === 308 ? answer.headers.get("location") : null;
  if (location === null || !URL.canParse(location, url.href)) return undefined;
  const target = new URL(location, url);
  const isPlain = target.username === "" && target.password === "";
  return isPlain && target.origin === url.origin ? target : undefined;
}

/**
 * Asks a server for its challenge, for callers that have not met it: a ping by POST, as Streamable HTTP takes it, and
 * where there is no such endpoint (the older SSE transport) a GET. Frameworks redirect to the address with or without a
 * slash at its end before they look at the token, so redirects within the origin are followed.
 *
 * @throws `network_failed`, `timeout`, `aborted`, `insecure_url`.
 */
export async function probeForChallenge(
  http: Http,
  server: string,
  credential: Credential | undefined,
  signal?: AbortSignal,
): Promise<ProbeAnswer> {
  const authorization =
    credential === undefined ? {} : { authorization: `${credential.tokenType} ${credential.accessToken.reveal()}` };
  const request = {
    what: "The MCP server",
    details: { server },
    withoutBody: true,
    ...(signal !== undefined && { signal }),
  };
  const ask = async (method: string, ownHeaders: Record<string, string>, body?: string): Promise<Asked> => {
    const headers = { ...ownHeaders, ...authorization };
    let url = new URL(server);
    for (let redirects = 0; ; redirects++) {
      const answer = await http.send({ ...request, url, method, headers, ...(body !== undefined && { body }) });
      const next = nextOf({ url, answer });
      if (next === undefined || redirects === MOST_REDIRECTS) return { url, answer };
      url = next;
    }
  };
  const post = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  let asked = await ask("POST", post, PING);
  const isMissing = asked.answer.status === 404 || asked.answer.status === 405;
  if (isMissing) asked = await ask("GET", { accept: "text/event-stream" });
  const { status, headers } = asked.answer;
  if (status === 401) return { challenge: readChallenge(status, headers) };
  const redirectedTo = placeOf(asked);
  return redirectedTo === undefined ? {} : { redirectedTo };
}
