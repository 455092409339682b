import type { McpOAuthError, McpOAuthErrorDetails } from "../core/errors.ts";
import { McpOAuthError as OAuthError } from "../core/errors.ts";
import type { Http } from "../core/http.ts";
import { type JsonObject, parseJsonObject } from "../core/json.ts";
import { cacheLifetimeMs } from "./cache.ts";

/** The revision that this library follows, sent on discovery (MCP 2025-03-26 authorization, "metadata discovery headers"). */
const PROTOCOL_VERSION = "2026-07-28";

/**
 * What is at a well-known URL. `absent` means that the server says so; `failed` means that nobody knows: only the former
 * lets a caller look elsewhere for another kind of server.
 */
export type MetadataAnswer =
  | { readonly kind: "found"; readonly document: JsonObject; readonly lifetimeMs: number }
  | { readonly kind: "absent" }
  | { readonly kind: "failed"; readonly error: McpOAuthError };

/** Statuses that say "try again", not "there is nothing". */
const TRANSIENT_STATUSES = new Set([408, 425, 429]);

/**
 * Fetches a metadata document: GET, up to three redirects within the origin, 200 with a JSON object or nothing.
 *
 * Answers of 4xx are absence, and so is a page in HTML with status 200: many sites answer unknown paths that way.
 */
export async function fetchMetadata(
  http: Http,
  url: string,
  what: string,
  details: McpOAuthErrorDetails,
  signal?: AbortSignal,
): Promise<MetadataAnswer> {
  try {
    const answer = await http.send({
      method: "GET",
      url,
      what,
      details,
      redirects: 3,
      headers: { accept: "application/json", "mcp-protocol-version": PROTOCOL_VERSION },
      ...(signal !== undefined && { signal }),
    });
    const { status } = answer;
    if (status >= 400 && status < 500 && !TRANSIENT_STATUSES.has(status)) return { kind: "absent" };
    if (status !== 200) {
      const message = `${what} at ${url} answered with status ${status}. Try again later, or report it to the server's operator.`;
      return { kind: "failed", error: new OAuthError("discovery_failed", message, { ...details, status }) };
    }
    const document = parseJsonObject(answer.text);
    if (document === undefined) {
      if ((answer.headers.get("content-type") ?? "").toLowerCase().startsWith("text/html")) return { kind: "absent" };
      const message = `${what} at ${url} is not a JSON object. Report it to the server's operator.`;
      return { kind: "failed", error: new OAuthError("invalid_response", message, { ...details, status }) };
    }
    return { kind: "found", document, lifetimeMs: cacheLifetimeMs(answer.headers) };
  } catch (error) {
    if (error instanceof OAuthError && error.code !== "aborted") return { kind: "failed", error };
    throw error;
  }
}
