import { parseChallenges } from "../../challenge/parse.ts";
import { type ResourceChallenge, readChallenge } from "../../challenge/read.ts";
import type { McpOAuthError } from "../../core/errors.ts";
import { isJsonObject } from "../../core/json.ts";
import { quoted } from "../../core/text.ts";
import { planAfterRefusal } from "../../flow/plan.ts";
import { isUnderstood, otherOriginOf, type ServerAnswer, type ServerAnswers } from "./ask-server.ts";
import type { Finding } from "./diagnosis.ts";
import { stopsWith, whatHappened } from "./error-words.ts";
import { inWords, note, ok, problem, warning } from "./findings.ts";
import { mcp, oauth21Transport, rfc } from "./rules.ts";

/** When a server asks for authorization: at once, only for some requests, not at all, or not in a way that can be met. */
export type AsksForAuthorization = "at_once" | "later" | "not_at_all" | "not_understood";

export interface ServerCheck {
  readonly asks: AsksForAuthorization;
  /** What a sign-in starts from. */
  readonly challenge: ResourceChallenge | undefined;
  readonly findings: readonly Finding[];
}

function transportFinding(server: string): Finding {
  const isHttps = new URL(server).protocol === "https:";
  const seen = isHttps ? "The address is https." : "The address is plain http, on this machine.";
  return ok("transport.secure", oauth21Transport, seen);
}

/** For an address that nothing is ever sent to. */
export function insecureServer(): Finding {
  return problem("transport.insecure", oauth21Transport, "The address is plain http, so nothing was sent there.", {
    library: "refuses the address: a token would travel for everybody on the way to read",
    fix: "serve the MCP server over https",
    stops: true,
    code: "insecure_url",
  });
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME|ERR_TLS|ERR_SSL/;

/** For a server that gave no answer at all. */
export function unreachableServer(error: McpOAuthError): Finding {
  const seen = whatHappened(error);
  const consequence = { library: stopsWith(error), stops: true, code: error.code } as const;
  if (CERTIFICATE.test(seen)) {
    return problem("transport.certificate", oauth21Transport, seen, {
      ...consequence,
      fix: "use a certificate that clients trust; for an authority of your own set NODE_EXTRA_CA_CERTS on the client",
    });
  }
  return problem(error.code === "timeout" ? "transport.timeout" : "transport.unreachable", mcp("transport"), seen, {
    ...consequence,
    fix: "check the address, and whether the server runs",
  });
}

const hostGetsAnswer = "starts no sign-in; the host gets the answer as it is";

/** An answer that neither passes a request nor asks for authorization. */
function otherStatus(answer: ServerAnswer): Finding {
  const { status, contentType, question } = answer;
  const elsewhere = otherOriginOf(answer);
  if (elsewhere !== undefined) {
    return problem(
      "server.redirects_elsewhere",
      mcp("authorization"),
      `Redirects to another origin, ${elsewhere.origin}, where no token for this address may go.`,
      {
        library: "follows it without a token, and takes no challenge from there",
        fix: `give clients the final address, ${elsewhere.origin}${elsewhere.pathname}`,
        stops: true,
      },
    );
  }
  if (status === 403) {
    return problem(
      "server.forbids",
      rfc(6750, "3.1"),
      "Answers a request without a token with 403, which is a final no. Only a 401 asks for a token.",
      {
        library: `takes it for the last word: ${hostGetsAnswer}`,
        fix: "answer with status 401 and a WWW-Authenticate challenge where the token is missing",
        stops: true,
      },
    );
  }
  if (status === 404 || status === 405) {
    return problem(
      "server.not_found",
      mcp("transport"),
      `Nothing takes MCP requests here: POST gives ${status}, and GET no event stream.`,
      { library: hostGetsAnswer, fix: "check the path of the address (often /mcp or /sse)", stops: true },
    );
  }
  if (status >= 500 || status === 429) {
    const seen = `Answers with status ${status}, so it is ${status === 429 ? "too busy" : "out of order"}.`;
    const fix = status === 429 ? "try again later" : "find the cause in the server's log";
    return problem("server.fails", status === 429 ? rfc(6585, "4") : rfc(9110, "15.6"), seen, {
      library: hostGetsAnswer,
      fix,
      stops: true,
    });
  }
  const type = contentType === "" ? "no content type" : quoted(contentType, 60);
  return problem(
    "server.not_understood",
    mcp("transport"),
    `Answers ${question.method} with status ${status} and ${type}, which is no MCP message.`,
    {
      library: hostGetsAnswer,
      fix: "answer with status 401 where the token is missing, with a JSON-RPC message elsewhere",
      stops: true,
    },
  );
}

/** A page, a login form or anything else with status 200 in place of a message. */
function noMessage({ status, contentType }: ServerAnswer): Finding {
  const what = contentType.startsWith("text/html") ? "a web page" : "something that is no MCP message";
  return problem("server.no_message", mcp("transport"), `Answers initialize with status ${status} and ${what}.`, {
    library: "sees no 401, so starts no sign-in; the host fails to read the answer",
    fix: "check the path of the address; answer with status 401 where the token is missing",
    stops: true,
  });
}

function openFindings({ first, tools }: ServerAnswers): ServerCheck {
  const rule = mcp("authorization");
  if (tools?.status === 401) {
    const challenge = readChallenge(401, tools.headers);
    const seen = "initialize passes without a token; tools/list asks for one with 401.";
    const library = "signs in when the first request is refused, and sends that one again";
    const finding = ok("server.asks_later", rule, seen, { library });
    return { asks: "later", challenge, findings: [finding, ...challengeFindings(tools)] };
  }
  const isStream = first.message === undefined;
  if (tools === undefined && !(isStream && first.contentType.startsWith("text/event-stream")))
    return { asks: "not_understood", challenge: undefined, findings: [noMessage(first)] };
  const passes = tools?.message !== undefined && isJsonObject(tools.message.result);
  const seen = passes
    ? "initialize and tools/list pass without a token. Single tools may still ask for one when they are called."
    : "The first request passes without a token. Others may still ask for one.";
  const library = "sends requests as they are, and signs in should one be refused with 401";
  return {
    asks: "not_at_all",
    challenge: undefined,
    findings: [note("server.open", rule, seen, { library })],
  };
}

function schemesFinding(answer: ServerAnswer): Finding {
  const field = answer.headers.get("www-authenticate");
  const rule = rfc(9110, "11.6.1");
  const { origin, pathname } = new URL(answer.question.url);
  const path = pathname === "/" ? "" : pathname;
  const fix = `send WWW-Authenticate: Bearer resource_metadata="${origin}/.well-known/oauth-protected-resource${path}"`;
  const library = "looks for the metadata at its well-known places";
  if (field === null)
    return warning("challenge.missing", rule, "The 401 has no WWW-Authenticate, which it must have.", { library, fix });
  const challenges = parseChallenges(field);
  if (challenges.length === 0 || challenges.some(({ usable }) => !usable)) {
    const seen = `The WWW-Authenticate cannot be read as a list of challenges: ${quoted(field, 120)}`;
    return warning("challenge.malformed", rule, seen, { library: "uses what of it is well formed", fix });
  }
  const schemes = challenges.map(({ scheme }) => scheme);
  if (!schemes.includes("bearer") && !schemes.includes("dpop")) {
    const seen = `WWW-Authenticate offers ${inWords(schemes)}, and neither Bearer nor DPoP.`;
    return warning("challenge.scheme", rfc(6750, "3"), seen, { library, fix });
  }
  return ok("challenge.scheme", rfc(6750, "3"), `The challenge offers ${inWords(schemes)}.`);
}

function metadataFinding({ resourceMetadata }: ResourceChallenge): Finding {
  const rule = rfc(9728, "5.1");
  if (resourceMetadata !== undefined)
    return ok("challenge.resource_metadata", rule, `The challenge names the metadata: ${quoted(resourceMetadata)}`);
  return note("challenge.resource_metadata", rule, "The challenge does not name the resource metadata.", {
    library: "looks for it at the well-known places",
    fix: "add resource_metadata to the challenge, so that clients need not guess",
  });
}

function scopeFinding({ scope }: ResourceChallenge): Finding {
  const rule = mcp("authorization");
  if (scope !== undefined) return ok("challenge.scope", rule, `The challenge asks for the scope ${quoted(scope)}.`);
  return note("challenge.scope", rule, "The challenge names no scope.", {
    library: "asks for all that the resource metadata lists",
    fix: "name the scopes that the request needs, so that users are asked for no more",
  });
}

function challengeFindings(answer: ServerAnswer): Finding[] {
  const challenge = readChallenge(answer.status, answer.headers);
  const findings = [schemesFinding(answer)];
  if (findings[0]?.id !== "challenge.missing") findings.push(metadataFinding(challenge), scopeFinding(challenge));
  if (challenge.error !== undefined) {
    const seen = `The challenge has error=${quoted(challenge.error, 60)} though no token was sent.`;
    const fix = "leave the error out where no token came, so that clients can tell the two apart";
    findings.push(note("challenge.error", rfc(6750, "3.1"), seen, { library: "ignores it", fix }));
  }
  return findings;
}

/** An expired token must be told from one that is good, or no client can know when to refresh. */
function madeUpTokenFinding({ question, status, headers, message }: ServerAnswer): Finding {
  const rule = rfc(6750, "3.1");
  const id = "token.made_up";
  if (status === 401) {
    const { error } = readChallenge(status, headers);
    if (error === "invalid_token") return ok(id, rule, "A made-up token is refused with 401 and invalid_token.");
    const seen = "A made-up token is refused with 401, but the challenge does not say invalid_token.";
    const fix = 'add error="invalid_token" where a token came and is not good';
    return note(id, rule, seen, { library: "refreshes the token all the same", fix });
  }
  if (status < 300 && (isJsonObject(message?.result) || question.method === "GET")) {
    return problem(id, rule, "A made-up token is accepted: whoever sends any token gets in.", {
      fix: "check signature, issuer, audience and expiry of every token",
    });
  }
  return warning(id, rule, `A made-up token is answered with status ${status} in place of 401.`, {
    library: "cannot know that a token has expired, so does not refresh it when it is refused",
    fix: 'answer with 401 and error="invalid_token"',
  });
}

function redirectFindings({ first, redirectedTo }: ServerAnswers): Finding[] {
  const [target] = redirectedTo;
  if (target === undefined) return [];
  const { pathname } = new URL(first.question.url);
  const seen = `Redirects to ${pathname} on the same origin.`;
  const library = "follows it with the token";
  return [warning("server.redirects", rfc(9110, "15.4"), seen, { library, fix: "give clients the final address" })];
}

/** Whether the library signs in because of an answer to a request without a token. */
function startsSignIn({ status, headers }: ServerAnswer): boolean {
  const challenge = readChallenge(status, headers);
  const nobody = { used: undefined, current: undefined, usedIsUnproven: false, requestedBefore: undefined };
  return planAfterRefusal({ challenge, ...nobody }) !== "surface";
}

function askedFinding({ status, question }: ServerAnswer): Finding {
  const rule = mcp("authorization");
  if (status === 401)
    return ok("server.asks", rule, `Asks for authorization: ${question.method} without a token gives 401.`);
  const seen = `Asks for more scopes with ${status} where no token came at all. Only a 401 asks for a token.`;
  const fix = "answer with status 401 where the token is missing";
  return warning("server.asks", rule, seen, { library: "signs in all the same", fix });
}

/** Reads the answers of an MCP server by the rules of the library. */
export function checkServer(server: string, answers: ServerAnswers): ServerCheck {
  const { first, madeUpToken } = answers;
  const before = [transportFinding(server), ...redirectFindings(answers)];
  const after = madeUpToken === undefined ? [] : [madeUpTokenFinding(madeUpToken)];
  if (startsSignIn(first)) {
    const transport = first.question.method === "GET" ? [olderTransport()] : [];
    return {
      asks: "at_once",
      challenge: readChallenge(first.status, first.headers),
      findings: [...before, askedFinding(first), ...transport, ...challengeFindings(first), ...after],
    };
  }
  const check = isUnderstood(first)
    ? openFindings(answers)
    : { asks: "not_understood" as const, challenge: undefined, findings: [otherStatus(first)] };
  return { ...check, findings: [...before, ...check.findings, ...after] };
}

function olderTransport(): Finding {
  return note("server.older_transport", mcp("transport"), "Only GET is taken: this is the older HTTP+SSE transport.", {
    library: "works with it; the token also goes to the address that the stream names for messages",
    fix: "offer Streamable HTTP, which has taken its place",
  });
}
