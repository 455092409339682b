import type { OAuthClient } from "../../endpoint/oauth-client.ts";
import { exitCodes } from "../exit-codes.ts";
import { shellWord } from "../shell-word.ts";
import { opensBrowser } from "./check-authorization-server-content.ts";
import type { AsksForAuthorization } from "./check-server.ts";
import type { Finding, Verdict } from "./diagnosis.ts";
import { isSilence } from "./error-words.ts";
import type { Evidence } from "./examination.ts";

export interface VerdictQuestion {
  readonly server: string;
  readonly asks: AsksForAuthorization;
  readonly evidence: Evidence;
  /** How the client would be had. */
  readonly how: OAuthClient["how"] | undefined;
  /** All findings, in the order in which a sign-in would meet them. */
  readonly findings: readonly Finding[];
}

const NAME = "mcp-oauth-client";

const CLIENTS: Record<OAuthClient["how"], string> = {
  "pre-registered": "with the client that was given",
  "metadata-document": "with the client's metadata document",
  dynamic: "with a client that it registers itself",
};

function isUnreachable({ code }: Finding): boolean {
  return code !== undefined && isSilence({ code });
}

function canSignIn({ server, asks, evidence, how, findings }: VerdictQuestion): Verdict {
  const byBrowser = evidence.discovery !== undefined && opensBrowser(evidence.discovery);
  const byDevice = evidence.authorizationServer?.device_authorization_endpoint !== undefined;
  const ways = [...(byBrowser ? ["in a browser"] : []), ...(byDevice ? ["on another device"] : [])].join(" or ");
  const client = how === undefined ? "" : `, ${CLIENTS[how]}`;
  const later = asks === "later" ? " The server asks for it only when a request needs it." : "";
  const flow = byBrowser ? "" : " --device";
  const toRepair = findings.filter(({ level }) => level === "problem" || level === "warning").length;
  return {
    id: "can_sign_in",
    summary: `${NAME} can sign in here: ${ways}${client}.${later}`,
    because: [],
    next: [
      `Sign in: mcp-oauth login ${shellWord(server)}${flow}`,
      ...(toRepair > 0
        ? [`For the server's developers: ${toRepair} ${toRepair === 1 ? "thing" : "things"} above should be put right.`]
        : []),
    ],
  };
}

/** What came of it all, in plain words. */
export function verdictOf(question: VerdictQuestion): Verdict {
  const { server, asks, findings, evidence } = question;
  const stops = findings.filter((finding) => finding.stops === true);
  const [first] = stops;
  const because = stops.map(({ id }) => id);
  if (asks === "not_at_all") {
    const isReady = evidence.discovery?.protectedResource !== undefined;
    const later = isReady
      ? ` It publishes what a sign-in needs, though; one would ${first === undefined ? "work" : "fail"}.`
      : "";
    return {
      id: "no_sign_in_needed",
      summary: `${new URL(server).host} lets requests pass without a sign-in.${later}`,
      because: [],
      next: isReady ? repairs(stops, false) : [],
    };
  }
  if (first === undefined) return canSignIn(question);
  if (isUnreachable(first)) {
    const next = ["Check the address and the network, then try again."];
    return { id: "unreachable", summary: `${NAME} cannot sign in here. ${first.seen}`, because, next };
  }
  const more = stops.length - 1;
  const rest = more > 0 ? ` Behind that ${more === 1 ? "is one more problem" : `are ${more} more problems`}.` : "";
  return {
    id: "cannot_sign_in",
    summary: `${NAME} cannot sign in here. ${first.seen}${rest}`,
    because,
    next: [...repairs(stops, evidence.discovery?.defaultEndpoints === true), ...byHand(question)],
  };
}

/** What belongs to the authorization server; all else is the MCP server's. */
const AUTHORIZATION_SERVER_FINDINGS = /^(?:authorization_server|client|sign_in)\./;

/** What its operators have to do, each thing once. */
function repairs(stops: readonly Finding[], defaultEndpoints: boolean): string[] {
  const lines = stops.flatMap(({ id, fix }) => {
    // Where nothing names an authorization server, there is nobody else to ask.
    const isOther = AUTHORIZATION_SERVER_FINDINGS.test(id) && !defaultEndpoints;
    return fix === undefined ? [] : [`${isOther ? "Authorization server" : "MCP server"}: ${fix}.`];
  });
  return [...new Set(lines)];
}

/** A server that says no where it should ask for a sign-in lets one succeed that a person starts. */
function byHand({ server, evidence, findings }: VerdictQuestion): string[] {
  const isOnlyForbidden = findings.every(({ id, stops }) => stops !== true || id === "server.forbids");
  if (!isOnlyForbidden || evidence.discovery?.protectedResource === undefined) return [];
  return [`Until then a sign-in can only be started by hand: mcp-oauth login ${shellWord(server)}`];
}

const EXIT_CODES: Record<Verdict["id"], number> = {
  can_sign_in: exitCodes.ok,
  no_sign_in_needed: exitCodes.ok,
  cannot_sign_in: exitCodes.serverFault,
  unreachable: exitCodes.network,
};

export function exitCodeOf({ id }: Verdict): number {
  return EXIT_CODES[id];
}
