import { systemClock } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import { type Fetch, Http, type HttpAnswer, platformFetch } from "../core/http.ts";
import { lintClientMetadataDocument, type MetadataDocumentFinding } from "./metadata-document-tools.ts";

/** Options of {@link checkClientMetadataUrl}. */
export interface CheckClientMetadataUrlOptions {
  /** Default: the global `fetch`. */
  fetch?: Fetch;
}

function lintDelivery({ status, headers }: HttpAnswer): MetadataDocumentFinding[] {
  const findings: MetadataDocumentFinding[] = [];
  const type = headers.get("content-type") ?? "";
  if (status !== 200)
    findings.push({
      level: "error",
      member: "document",
      message: `is served with status ${status}; only 200 is taken`,
    });
  if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
    const message = `is served as ${type === "" ? "no type" : type}; it should be application/json`;
    findings.push({ level: "error", member: "document", message });
  }
  return findings;
}

/**
 * Fetches a client ID metadata document as authorization servers do - directly, following no redirect - and checks how it
 * is served and what it says (draft-ietf-oauth-client-id-metadata-document sections 4 and 6).
 *
 * @returns what is wrong with it; an empty list is a good document in its place.
 */
export async function checkClientMetadataUrl(
  url: string,
  { fetch = platformFetch }: CheckClientMetadataUrlOptions = {},
): Promise<MetadataDocumentFinding[]> {
  const http = new Http({ fetch, clock: systemClock });
  try {
    const answer = await http.send({
      method: "GET",
      url,
      headers: { accept: "application/json" },
      what: "The client metadata document",
    });
    const delivery = lintDelivery(answer);
    return answer.status === 200 ? [...delivery, ...lintClientMetadataDocument(answer.text, url)] : delivery;
  } catch (error) {
    if (!(error instanceof McpOAuthError)) throw error;
    return [{ level: "error", member: "document", message: error.message }];
  }
}
