import { McpOAuthError, type McpOAuthErrorCode, type McpOAuthErrorDetails } from "../core/errors.ts";
import type { HttpAnswer } from "../core/http.ts";
import { parseJsonObject, textMember } from "../core/json.ts";
import { parseRetryAfter } from "../core/retry-after.ts";
import type { Secret } from "../core/secret.ts";
import { inertText, quoted } from "../core/text.ts";
import { formEncoded } from "../core/url.ts";

export interface RefusalContext {
  readonly code: McpOAuthErrorCode;
  /** Names the endpoint in the message, for example "The token endpoint". */
  readonly what: string;
  readonly details: McpOAuthErrorDetails;
  /** What the message must not contain, though the server may have echoed it. */
  readonly secrets: readonly Secret[];
  readonly nowMs: number;
  /** Ends the message: what the reader can do. */
  readonly advice: string;
}

/** A value as a server may have it in its text: as it is, or out of the URL, the form or the JSON that carried it. */
function spellingsOf(value: string): string[] {
  return [value, encodeURIComponent(value), formEncoded(value), JSON.stringify(value).slice(1, -1)];
}

/** HTTP Basic credentials: base64 with a colon in it. */
function redactBasic(text: string): string {
  return text.replace(/(?<=\bbasic +)[a-z0-9+/]{4,}=*/gi, (data) =>
    Buffer.from(data, "base64").includes(":") ? "[redacted]" : data,
  );
}

/** Base64 in which a secret hides, whatever stands before it without a gap ("Basic%20" does). */
function redactBase64(text: string, spellings: readonly string[]): string {
  const hides = (data: string): boolean => {
    const bytes = Buffer.from(data, "base64");
    return spellings.some((spelling) => bytes.includes(spelling));
  };
  return text.replace(/[a-z0-9+/_-]{6,}=*/gi, (run) =>
    [0, 1, 2, 3].some((before) => hides(run.slice(before))) ? "[redacted]" : run,
  );
}

/** Server text without the secrets that we sent it. */
export function withoutSecrets(text: string, secrets: readonly Secret[]): string {
  const spellings = secrets
    .map((secret) => secret.reveal())
    .filter((value) => value.length >= 4)
    .flatMap(spellingsOf)
    // Longest first, since one may be part of another.
    .sort((left, right) => right.length - left.length);
  const inTheClear = spellings.reduce((rest, spelling) => rest.replaceAll(spelling, "[redacted]"), redactBasic(text));
  return redactBase64(inTheClear, spellings);
}

/**
 * The typed error for an endpoint's refusal (RFC 6749 section 5.2, RFC 7591 section 3.2.2): an error status, or an
 * `error` member under status 200. Unknown codes are kept; the body never is.
 *
 * @returns the error, or `undefined` when the answer is no refusal.
 */
export function refusalOf(answer: HttpAnswer, context: RefusalContext): McpOAuthError | undefined {
  const body = parseJsonObject(answer.text);
  const oauthError = body === undefined ? undefined : textMember(body, "error");
  if (answer.status < 400 && oauthError === undefined) return undefined;
  const description = body === undefined ? undefined : textMember(body, "error_description");
  // What is not shown goes first: an invisible character inside a secret would hide it from us, but not from a reader.
  const shown = (text: string): string => withoutSecrets(inertText(text, text.length), context.secrets);
  const said = oauthError === undefined ? "" : `: ${quoted(shown(oauthError), 80)}`;
  const explained = description === undefined ? "" : ` (${quoted(shown(description))})`;
  const retryAfterMs = parseRetryAfter(answer.headers, context.nowMs);
  return new McpOAuthError(
    context.code,
    `${context.what} refused with status ${answer.status}${said}${explained}. ${context.advice}`,
    {
      ...context.details,
      status: answer.status,
      ...(oauthError !== undefined && { oauthError: inertText(shown(oauthError), 80) }),
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    },
  );
}

/**
 * Turns what oauth4webapi throws into an `invalid_response`. Its `cause` may hold a whole token response, so only its
 * name, message and code go along.
 */
export function invalidResponse(error: unknown, what: string, details: McpOAuthErrorDetails): McpOAuthError {
  if (error instanceof McpOAuthError) return error;
  const foreign = error instanceof Error ? error : new Error(String(error));
  const cause = new Error(foreign.message);
  cause.name = foreign.name;
  const message = `${what} answered against its specification: ${foreign.message}. Report it to the authorization server's operator.`;
  return new McpOAuthError("invalid_response", message, { ...details, cause });
}
