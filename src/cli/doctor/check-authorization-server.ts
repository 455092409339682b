import { McpOAuthError } from "../../core/errors.ts";
import { type JsonObject, textMember } from "../../core/json.ts";
import { quoted } from "../../core/text.ts";
import { parseUrl } from "../../core/url.ts";
import { authorizationServerProbes, discoverAuthorizationServer } from "../../discovery/authorization-server.ts";
import { MetadataCache } from "../../discovery/cache.ts";
import { fetchMetadata } from "../../discovery/fetch-metadata.ts";
import type { AuthorizationServerMetadata } from "../../endpoint/authorization-server.ts";
import { IssuerProfiles } from "../../endpoint/issuer-profile.ts";
import { contentFindings } from "./check-authorization-server-content.ts";
import { deliveryFindings } from "./check-delivery.ts";
import type { Finding, Rule } from "./diagnosis.ts";
import { isSilence, stopsWith, whatHappened } from "./error-words.ts";
import type { Deviation, Examination } from "./examination.ts";
import { note, ok, problem, warning } from "./findings.ts";
import { observedMetadata } from "./observed-metadata.ts";
import { mcp, mcp2025March, openidDiscovery, rfc } from "./rules.ts";

export interface AuthorizationServerCheck {
  /** What the library would use; if it would stop, what it would have used. */
  readonly metadata?: AuthorizationServerMetadata;
  readonly findings: readonly Finding[];
}

/** Metadata that the library uses, or would use behind what it stops at. */
export interface FoundServer {
  readonly metadata: AuthorizationServerMetadata;
  /** How it was found where no resource metadata names it (MCP 2025-03-26). */
  readonly legacy?: "metadata" | "default_endpoints";
}

interface FoundDocument {
  readonly url: string;
  readonly document: JsonObject;
}

const WHAT = "The authorization server metadata";

/** The places of an issuer's metadata that can be looked at; an issuer that is no secure URL has none. */
async function lookEverywhere({ http, server, signal }: Examination, issuer: string): Promise<FoundDocument[]> {
  const url = parseUrl(issuer);
  if (url === undefined) return [];
  const found: FoundDocument[] = [];
  for (const place of authorizationServerProbes(url)) {
    const answer = await fetchMetadata(http, place, WHAT, { server, issuer }, signal);
    if (answer.kind === "found") found.push({ url: place, document: answer.document });
    if (answer.kind === "failed" && isSilence(answer.error)) break;
  }
  return found;
}

/** The metadata as it would be, were what the library stops at put right. */
async function furtherOn(
  { http, server, clock, signal }: Examination,
  issuer: string,
  found: readonly FoundDocument[],
): Promise<AuthorizationServerMetadata | undefined> {
  const [first] = found;
  if (first === undefined) return undefined;
  const acceptMetadataIssuers = [textMember(first.document, "issuer") ?? ""];
  const profiles = new IssuerProfiles([{ issuer, acceptMetadataIssuers }], () => undefined);
  const query = { issuer, server, profiles, signal };
  const relaxed = await discoverAuthorizationServer(http, new MetadataCache(clock), query).catch(() => undefined);
  return relaxed ?? observedMetadata(first.document, issuer);
}

const STOP: Partial<Record<McpOAuthError["code"], { id: string; rule: Rule; fix: string }>> = {
  issuer_mismatch: {
    id: "authorization_server.issuer_mismatch",
    rule: rfc(8414, "3.3"),
    fix: "write the issuer in the same way in both documents, letter for letter, with or without the slash at its end",
  },
  resource_mismatch: {
    id: "authorization_server.resource_not_listed",
    rule: rfc(9728, "4"),
    fix: 'add the resource to "protected_resources", or leave that member out',
  },
  insecure_url: {
    id: "authorization_server.insecure",
    rule: rfc(8414, "2"),
    fix: "use https for the issuer and for every endpoint",
  },
  invalid_response: {
    id: "authorization_server.malformed",
    rule: rfc(8414, "2"),
    fix: "make the metadata what RFC 8414 section 2 describes",
  },
  address_refused: {
    id: "authorization_server.address",
    rule: mcp("security"),
    fix: "name an authorization server that the public can reach",
  },
};

function refusal(error: McpOAuthError, issuer: string, found: readonly FoundDocument[]): Finding {
  const consequence = { library: stopsWith(error), stops: true, code: error.code } as const;
  const own = textMember(found[0]?.document ?? {}, "issuer");
  const isOther = error.code === "issuer_mismatch" && own !== undefined && own !== issuer;
  const seen = isOther
    ? `Its metadata names the issuer ${quoted(own)}, the MCP server names ${quoted(issuer)}. They must be identical.`
    : whatHappened(error);
  if (error.code === "issuer_mismatch" && own === issuer) {
    const fix = "serve the endpoints at the issuer's origin, or send iss with authorization responses and announce it";
    return problem("authorization_server.other_origin", rfc(9700, "4.4"), seen, { ...consequence, fix });
  }
  const known = STOP[error.code];
  if (known !== undefined) return problem(known.id, known.rule, seen, { ...consequence, fix: known.fix });
  if (error.code === "discovery_failed" && error.status === undefined) {
    const fix = "publish the metadata at /.well-known/oauth-authorization-server, before the issuer's path";
    return problem("authorization_server.absent", rfc(8414, "3"), seen, { ...consequence, fix });
  }
  if (error.code === "discovery_failed") {
    const fix = "answer with the metadata, or with 404 where there is none";
    return problem("authorization_server.fails", rfc(8414, "3.2"), seen, { ...consequence, fix });
  }
  return problem("authorization_server.unreachable", rfc(8414, "3.1"), seen, {
    ...consequence,
    fix: "make the authorization server's metadata reachable for clients",
  });
}

function placeFindings(found: readonly FoundDocument[], issuer: string): Finding[] {
  const [first, ...others] = found;
  if (first === undefined) return [];
  const isOpenId = first.url.endsWith("/openid-configuration") || first.url.includes("/openid-configuration/");
  const rule = isOpenId ? openidDiscovery : rfc(8414, "3.1");
  const kind = isOpenId ? "OpenID Connect metadata" : "OAuth metadata";
  const findings = [
    ok("authorization_server.found", rule, `Its ${kind} is at ${quoted(new URL(first.url).pathname)}.`),
  ];
  for (const { url, document } of others) {
    const other = textMember(document, "issuer");
    if (other === issuer) continue;
    const seen = `Another place, ${quoted(url)}, names the issuer ${quoted(other ?? "(none)")}; clients that look there first go wrong.`;
    findings.push(note("authorization_server.other_place", rule, seen, { library: "does not look there" }));
  }
  return findings;
}

function legacyFinding(authorizationServer: AuthorizationServerMetadata, defaultEndpoints: boolean): Finding {
  const where = defaultEndpoints
    ? "There is no authorization server metadata either. What is left are the default addresses /authorize, /token and /register."
    : `The server is its own authorization server: ${quoted(authorizationServer.issuer)}.`;
  return warning(
    defaultEndpoints ? "authorization_server.default_endpoints" : "authorization_server.legacy",
    mcp2025March,
    where,
    { library: "goes by MCP 2025-03-26", fix: "publish protected resource metadata (RFC 9728)" },
  );
}

/** What the library lets pass on the way. */
export function deviationFinding({ rule, detail }: Deviation): Finding {
  const seen = `${detail.charAt(0).toUpperCase()}${detail.slice(1)}.`;
  if (rule === "same origin")
    return note("authorization_server.other_origin", rfc(9700, "4.4"), seen, { library: "goes there" });
  const library = `applies its profile for this issuer (${rule}), and says so by the event deviation`;
  return note("authorization_server.profile", rfc(8414, "2"), seen, { library });
}

/** Goes through the metadata of the authorization server: what the library takes of it, and what else there is. */
export async function checkAuthorizationServer(
  examination: Examination,
  outcome: FoundServer | McpOAuthError,
  namedIssuers: readonly string[],
): Promise<AuthorizationServerCheck> {
  const { server } = examination;
  const stopped = outcome instanceof McpOAuthError;
  if (!stopped && outcome.legacy !== undefined) {
    const { metadata } = outcome;
    const isGuess = outcome.legacy === "default_endpoints";
    return {
      metadata,
      findings: [legacyFinding(metadata, isGuess), ...(isGuess ? [] : contentFindings(metadata, server))],
    };
  }
  const issuer = stopped ? (outcome.issuer ?? namedIssuers[0]) : outcome.metadata.issuer;
  if (issuer === undefined) return { findings: stopped ? [refusal(outcome, new URL(server).origin, [])] : [] };
  const found = await lookEverywhere(examination, issuer);
  const metadata = stopped ? await furtherOn(examination, issuer, found) : outcome.metadata;
  const judgement = stopped
    ? refusal(outcome, issuer, found)
    : ok("authorization_server.issuer", rfc(8414, "3.3"), `Both documents name the issuer ${quoted(issuer)}.`);
  const delivery = found
    .slice(0, 1)
    .flatMap(({ url }) => deliveryFindings(examination, url, "authorization_server", rfc(8414, "3.2")));
  return {
    findings: [
      ...placeFindings(found, issuer),
      judgement,
      ...(metadata === undefined ? [] : contentFindings(metadata, server)),
      ...delivery,
    ],
    ...(metadata !== undefined && { metadata }),
  };
}
