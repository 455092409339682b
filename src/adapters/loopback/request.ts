import type { IncomingMessage } from "node:http";

/** Longer request targets are refused. Real codes and states stay far below. */
const LONGEST_TARGET = 16 * 1024;
/** Larger form_post bodies are refused. */
const LARGEST_BODY_BYTES = 64 * 1024;
const FORM_TYPE = /^application\/x-www-form-urlencoded\s*(?:;|$)/i;

/** Why a request is not looked at any further. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
}

/** What makes a request one for us. */
export interface Expected {
  readonly path: string;
  readonly hosts: ReadonlySet<string>;
}

/** The authorization response that a request carries, its parameters as they came; or why it carries none. */
export type ReadRequest = { readonly parameters: URLSearchParams } | { readonly refusal: Refusal };

function refused(status: number, reason: string): ReadRequest {
  return { refusal: { status, reason } };
}

/** Node keeps the first of several Host headers without a word, so look at what was sent. */
function hasExpectedHost(request: IncomingMessage, hosts: ReadonlySet<string>): boolean {
  const names = request.rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === "host");
  return names.length === 1 && hosts.has((request.headers.host ?? "").toLowerCase());
}

/** A browser that fetches a page ahead of time has not been sent there by the user yet. */
function isPrefetch(request: IncomingMessage): boolean {
  const purposes = [request.headers["sec-purpose"], request.headers.purpose, request.headers["x-moz"]];
  return purposes.some((purpose) => typeof purpose === "string" && purpose.toLowerCase().includes("prefetch"));
}

function refusalOf(request: IncomingMessage, expected: Expected): Refusal | undefined {
  const target = request.url ?? "";
  if (!hasExpectedHost(request, expected.hosts)) return { status: 403, reason: "This address leads here by mistake." };
  if (target.length > LONGEST_TARGET) return { status: 414, reason: "The address is too long." };
  if (target.split("?", 1)[0] !== expected.path) return { status: 404, reason: "There is nothing here." };
  if (request.method !== "GET" && request.method !== "POST") return { status: 405, reason: "Only GET and POST." };
  if (isPrefetch(request)) return { status: 503, reason: "Not ahead of time." };
  if (request.method === "GET") return undefined;
  const isForm = FORM_TYPE.test(request.headers["content-type"] ?? "");
  if (!isForm || request.headers["content-encoding"] !== undefined) return { status: 415, reason: "Not a form." };
  if (Number(request.headers["content-length"] ?? 0) > LARGEST_BODY_BYTES) return { status: 413, reason: "Too large." };
  return undefined;
}

/** The body's text, or `undefined` when it is too large. Rejects when the sender goes away. */
function readBody(request: IncomingMessage): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let byteLength = 0;
    request.on("data", (chunk: Buffer) => {
      byteLength += chunk.byteLength;
      if (byteLength <= LARGEST_BODY_BYTES) chunks.push(chunk);
      else resolve(undefined);
    });
    request.once("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
    request.once("error", reject);
    request.once("close", () => reject(new Error("The request was cut off.")));
  });
}

/**
 * Reads an authorization response from a request: the query of a GET (RFC 6749 section 4.1.2) or the form of a POST
 * (OAuth 2.0 Form Post Response Mode). The parameters are decoded and nothing more; a sign-in refuses what is wrong.
 *
 * @returns a refusal for anything that is not such a request to exactly our host and path.
 * @throws when the sender goes away in the middle.
 */
export async function readRequest(request: IncomingMessage, expected: Expected): Promise<ReadRequest> {
  const refusal = refusalOf(request, expected);
  if (refusal !== undefined) return { refusal };
  if (request.method === "GET") {
    return { parameters: new URLSearchParams((request.url ?? "").slice(expected.path.length)) };
  }
  const body = await readBody(request);
  return body === undefined ? refused(413, "Too large.") : { parameters: new URLSearchParams(body) };
}
