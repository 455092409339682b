import { McpOAuthError, type McpOAuthErrorCode } from "../../core/errors.ts";
import { type JsonObject, textMember, textsMember } from "../../core/json.ts";
import { quoted } from "../../core/text.ts";
import { fetchMetadata, type MetadataAnswer } from "../../discovery/fetch-metadata.ts";
import {
  discoverProtectedResource,
  type ProtectedResourceMetadata,
  resourceMetadataProbes,
} from "../../discovery/protected-resource.ts";
import { deliveryFindings } from "./check-delivery.ts";
import type { Finding, Rule } from "./diagnosis.ts";
import { isSilence, stopsWith, whatHappened } from "./error-words.ts";
import { acceptEverything, type Deviation, type Examination, strictPolicy } from "./examination.ts";
import { inWords, note, ok, problem, warning } from "./findings.ts";
import { mcp, rfc } from "./rules.ts";

export interface ResourceCheck {
  /** What the library would use; if it would stop, what it would have used. */
  readonly metadata?: ProtectedResourceMetadata;
  /** The issuers that the metadata names, usable or not. */
  readonly issuers: readonly string[];
  readonly findings: readonly Finding[];
  /** Whether the library would stop here. */
  readonly stopped: boolean;
  readonly deviations: readonly Deviation[];
}

/** One place where the metadata may be, and what is there. */
interface Place {
  readonly url: string;
  readonly answer: MetadataAnswer;
}

const WHAT = "The protected resource metadata";

async function lookEverywhere(examination: Examination, challengedUrl: string | undefined): Promise<Place[]> {
  const { http, server, signal } = examination;
  const places: Place[] = [];
  for (const { url } of resourceMetadataProbes(server, challengedUrl)) {
    const answer = await fetchMetadata(http, url, WHAT, { server }, signal);
    places.push({ url, answer });
    if (answer.kind === "failed" && isSilence(answer.error)) break;
  }
  return places;
}

const STOP: Partial<Record<McpOAuthErrorCode, { id: string; rule: Rule; fix: string }>> = {
  resource_mismatch: {
    id: "resource.other_origin",
    rule: mcp("security"),
    fix: "serve the metadata at the server's own origin",
  },
  invalid_response: {
    id: "resource.malformed",
    rule: rfc(9728, "3.2"),
    fix: "answer with status 200, application/json and a document of RFC 9728 section 2",
  },
  discovery_failed: {
    id: "resource.fails",
    rule: rfc(9728, "3.2"),
    fix: "answer with the document, or with 404 where there is none",
  },
  insecure_url: { id: "resource.insecure", rule: rfc(9728, "3"), fix: "serve the metadata over https" },
  address_refused: { id: "resource.address", rule: mcp("security"), fix: "name public addresses only" },
};

const UNREACHABLE = {
  id: "resource.unreachable",
  rule: rfc(9728, "3.1"),
  fix: "make the metadata reachable for clients",
};

/** What is wrong with metadata that the library does not use. */
function refusal(error: McpOAuthError, server: string, documents: readonly JsonObject[]): Finding {
  const consequence = { library: stopsWith(error), stops: true, code: error.code } as const;
  const named = documents
    .map((document) => textMember(document, "resource"))
    .find((resource) => resource !== undefined);
  if (error.code === "resource_mismatch" && named !== undefined && named !== server) {
    const seen = `The metadata is for ${quoted(named)}, but clients connect to ${quoted(server)}.`;
    const fix = `set "resource" to ${quoted(server)}, letter for letter`;
    return problem("resource.mismatch", rfc(9728, "3.3"), seen, { ...consequence, fix });
  }
  const { id, rule, fix } = STOP[error.code] ?? UNREACHABLE;
  return problem(id, rule, whatHappened(error), { ...consequence, fix });
}

/** No metadata anywhere: servers of MCP 2025-03-26 have none. */
function absence(server: string): Finding {
  const [first] = resourceMetadataProbes(server);
  return warning(
    "resource.absent",
    mcp("discovery"),
    "There is no protected resource metadata, which every server must have.",
    {
      library: "takes it for a server of MCP 2025-03-26, which is its own authorization server",
      fix: `publish {"resource": ${JSON.stringify(server)}, "authorization_servers": ["https://…"]} at ${first?.url}`,
    },
  );
}

function issuersFinding({ authorizationServers: issuers, url }: ProtectedResourceMetadata): Finding {
  const rule = rfc(9728, "2");
  if (issuers.length === 0) {
    return problem("resource.authorization_servers", rule, "The metadata names no authorization server.", {
      library: "stops with the error discovery_failed",
      fix: `list the issuer in "authorization_servers" at ${url}`,
      stops: true,
      code: "discovery_failed",
    });
  }
  const names = inWords(issuers.map((issuer) => quoted(issuer)));
  if (issuers.length === 1)
    return ok("resource.authorization_servers", rule, `Names the authorization server ${names}.`);
  const library = "takes the first that it has credentials of, else the first that can be used";
  return note("resource.authorization_servers", rule, `Names the authorization servers ${names}.`, { library });
}

function contentFindings(document: JsonObject, metadata: ProtectedResourceMetadata): Finding[] {
  const findings: Finding[] = [issuersFinding(metadata)];
  const { scopesSupported } = metadata;
  const listed = `Lists the scopes ${quoted((scopesSupported ?? []).join(" "), 120)}.`;
  findings.push(
    scopesSupported === undefined
      ? note("resource.scopes", rfc(9728, "2"), "Lists no scopes.", {
          library: "asks for those of the challenge, else for none",
          fix: 'list what clients may ask for in "scopes_supported"',
        })
      : ok("resource.scopes", rfc(9728, "2"), listed),
  );
  const methods = textsMember(document, "bearer_methods_supported");
  if (methods !== undefined && !methods.includes("header")) {
    const seen = `Takes tokens by ${inWords(methods)} only, and not by the Authorization header.`;
    const library = "sends them in the header all the same, as MCP wants it";
    const fix = 'list "header" in "bearer_methods_supported"';
    findings.push(warning("resource.bearer_methods", mcp("authorization"), seen, { library, fix }));
  }
  if (metadata.dpopBoundAccessTokensRequired) {
    const seen = "Takes only tokens that are bound to a key (DPoP).";
    findings.push(note("resource.dpop", rfc(9728, "2"), seen, { library: "binds them to a key that it makes" }));
  }
  return findings;
}

function foundText(url: string, challengedUrl: string | undefined): string {
  return url === challengedUrl
    ? "The metadata is where the challenge says."
    : `The metadata is at ${quoted(new URL(url).pathname)}.`;
}

/** Where the document was found, and whether the other places tell the same. */
function placeFindings(
  places: readonly Place[],
  metadata: ProtectedResourceMetadata,
  challengedUrl: string | undefined,
): Finding[] {
  const findings = [ok("resource.found", rfc(9728, "3.1"), foundText(metadata.url, challengedUrl))];
  for (const { url, answer } of places) {
    if (url === metadata.url || answer.kind === "absent") continue;
    const other = answer.kind === "found" ? textMember(answer.document, "resource") : undefined;
    if (other === metadata.resource) continue;
    const what = other === undefined ? "something unusable" : `metadata for ${quoted(other)}`;
    const seen = `Another place, ${quoted(url)}, has ${what}; clients that look there first go wrong.`;
    findings.push(note("resource.other_place", rfc(9728, "3.1"), seen, { library: "does not look there" }));
  }
  return findings;
}

function deviationFinding({ rule, detail }: Deviation): Finding {
  const isOrigin = rule === "same origin";
  const seen = `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`;
  return warning(
    isOrigin ? "resource.other_origin" : "resource.deviation",
    isOrigin ? mcp("security") : rfc(9728, "3.3"),
    seen,
    {
      library: isOrigin
        ? "does not look there, but at the server's own origin"
        : "accepts it, and says so by the event deviation",
      fix: isOrigin
        ? "serve the metadata at the server's own origin"
        : 'set "resource" to the URL that clients connect to',
    },
  );
}

/** Goes through the protected resource metadata: what the library takes of it, and what else there is. */
export async function checkResource(
  examination: Examination,
  challengedUrl: string | undefined,
): Promise<ResourceCheck> {
  const { http, server, signal } = examination;
  const deviations: Deviation[] = [];
  const query = { server, signal, ...(challengedUrl !== undefined && { challengedUrl }) };
  const strict = { ...query, policy: strictPolicy((deviation) => deviations.push(deviation)) };
  const outcome = await discoverProtectedResource(http, strict).catch((error: unknown) => {
    if (!(error instanceof McpOAuthError) || error.code === "aborted") throw error;
    return error;
  });
  const places = await lookEverywhere(examination, challengedUrl);
  const documents = places.flatMap(({ answer }) => (answer.kind === "found" ? [answer.document] : []));
  const delivery = places.flatMap(({ url, answer }) =>
    answer.kind === "found" ? deliveryFindings(examination, url, "resource", rfc(9728, "3.2")) : [],
  );
  const told = deviations.map(deviationFinding);
  if (outcome === undefined) return { issuers: [], findings: [absence(server), ...told], stopped: false, deviations };
  const stopped = outcome instanceof McpOAuthError;
  const metadata = stopped
    ? await discoverProtectedResource(http, { ...query, policy: acceptEverything }).catch(() => undefined)
    : outcome;
  const issuers =
    metadata?.authorizationServers ?? documents.flatMap((found) => textsMember(found, "authorization_servers") ?? []);
  const document = places.find(({ url }) => url === metadata?.url)?.answer;
  const content =
    metadata === undefined || document?.kind !== "found"
      ? []
      : [...placeFindings(places, metadata, challengedUrl), ...contentFindings(document.document, metadata)];
  const match = ok("resource.match", rfc(9728, "3.3"), `It is for ${quoted(metadata?.resource ?? "")}, as it must be.`);
  const judgement = stopped ? refusal(outcome, server, documents) : match;
  const deviates = told.some(({ id }) => id === "resource.deviation");
  return {
    issuers: [...new Set(issuers)],
    stopped: stopped || issuers.length === 0,
    deviations,
    findings: [...content.slice(0, 1), ...(deviates ? [] : [judgement]), ...told, ...content.slice(1), ...delivery],
    ...(metadata !== undefined && { metadata }),
  };
}
