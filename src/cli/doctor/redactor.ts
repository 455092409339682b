import { isJsonObject, parseJsonObject } from "../../core/json.ts";
import { Secret } from "../../core/secret.ts";
import { inertText } from "../../core/text.ts";
import { parseUrl } from "../../core/url.ts";
import { withoutSecrets } from "../../endpoint/oauth-error.ts";

const REDACTED = "[redacted]";
const LONGEST_TEXT = 2000;
const MOST_ITEMS = 200;
/** Deeper than any metadata goes; whoever nests deeper wants to exhaust the stack. */
const DEEPEST = 20;

/** What headers may say in public. Of all others only the names are shown. */
const PUBLIC_HEADERS = new Set([
  "accept",
  "access-control-allow-origin",
  "age",
  "allow",
  "cache-control",
  "connection",
  "content-encoding",
  "content-length",
  "content-type",
  "date",
  "expires",
  "keep-alive",
  "location",
  "mcp-protocol-version",
  "retry-after",
  "server",
  "strict-transport-security",
  "transfer-encoding",
  "vary",
  "www-authenticate",
]);

/** Names of members that hold a secret; `token_endpoint` and `code_challenge_methods_supported` do not. */
const SECRET_NAME =
  /(?:^|[_-])(?:token|secret|password|passphrase|code|verifier|assertion|session_?id|cookie|api_?key|private_key|jwt|d)$/i;
/** What such a member may hold that is no secret: `"code": "invalid_token"`. */
const PLAIN_WORDS = /^[a-z]+(?:[_ -][a-z]+)*$/i;
/** Where the query of a URL has values. */
const QUERY_VALUE = /([?&][\w.~%[\]-]+=)[^&#\s"'<>)]+/g;
const JSON_WEB_TOKEN = /\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*){0,3}/g;
/** Credentials behind their scheme, but not the parameters of a challenge. */
const CREDENTIALS = /\b(bearer|dpop)\s+(?![\w-]+\s*=\s*")[\w.~+/-]{8,}=*/gi;
/** Long runs that no word is: keys in a page. In metadata they are names of tenants, and are kept. */
const LONG_RUN = /(?=[\w-]*\d)(?=[\w-]*[a-z])[\w-]{24,}/gi;

/** Whether a member holds a secret, in `snake_case` or in `camelCase`. */
function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name.replace(/([a-z])([A-Z])/g, "$1_$2"));
}

/** What of a URL that a person typed may be a key: long values of its query, and parts of its path that no word is. */
function keysIn(typed: string): string[] {
  const url = parseUrl(typed);
  if (url === undefined) return [];
  const values = [...url.searchParams.values(), url.username, url.password].filter((value) => value.length >= 8);
  const segments = url.pathname.split("/").filter((segment) => /^(?=.*\d)(?=.*[a-z])[\w.~-]{20,}$/i.test(segment));
  return [...values, ...segments];
}

/**
 * Takes out of a diagnosis what must not leave the machine: keys in the URL that was typed, values in the queries of all
 * URLs, tokens, session ids, cookies, and the members of answers that hold secrets.
 */
export class Redactor {
  readonly #secrets = new Map<string, Secret>();

  constructor(typedUrl: string) {
    for (const key of keysIn(typedUrl)) this.learn(key);
  }

  /** From now on this value is a secret wherever it stands. */
  learn(value: string): void {
    if (value.length >= 8) this.#secrets.set(value, new Secret(value));
  }

  /** Learns what an answer holds that is secret. */
  learnFrom(headers: Headers, text: string): void {
    const sessionId = headers.get("mcp-session-id");
    if (sessionId !== null) this.learn(sessionId);
    for (const cookie of headers.getSetCookie()) this.learn(/=([^;]*)/.exec(cookie)?.[1] ?? "");
    this.#learnMembers(parseJsonObject(text));
  }

  #learnMembers(value: unknown, depth = 0): void {
    if (typeof value !== "object" || value === null || depth > DEEPEST) return;
    for (const [name, member] of Object.entries(value)) {
      if (!isSecretName(name) || typeof member !== "string") this.#learnMembers(member, depth + 1);
      else if (!PLAIN_WORDS.test(member)) this.learn(member);
    }
  }

  headers(headers: Headers): Record<string, string> {
    const shown = [...headers].map(([name, value]) => [name, PUBLIC_HEADERS.has(name) ? value : REDACTED]);
    return Object.fromEntries(shown) as Record<string, string>;
  }

  /** A body: out of JSON its value, of a text its beginning. */
  body(text: string): unknown {
    const value = parseJsonObject(text);
    if (value !== undefined) return this.#clean(value, true);
    return text.trim() === "" ? undefined : text.slice(0, LONGEST_TEXT).replace(LONG_RUN, REDACTED);
  }

  /** The same value with every text in it redacted and made inert. */
  everywhere<Value>(value: Value): Value {
    return this.#clean(value, false) as Value;
  }

  /** A body may hold secrets under names of its own; what the doctor itself names `code` is none. */
  #clean(value: unknown, isBody: boolean, depth = 0): unknown {
    if (typeof value === "string") return this.#text(value);
    if (depth > DEEPEST) return "…";
    if (Array.isArray(value)) return value.slice(0, MOST_ITEMS).map((item) => this.#clean(item, isBody, depth + 1));
    if (!isJsonObject(value)) return value;
    const shown = Object.entries(value)
      .slice(0, MOST_ITEMS)
      .map(([name, item]) => {
        const isSecret = isBody && typeof item === "string" && isSecretName(name);
        return [this.#text(name), isSecret ? REDACTED : this.#clean(item, isBody, depth + 1)];
      });
    return Object.fromEntries(shown) as unknown;
  }

  #text(text: string): string {
    // What lies far behind the part that is shown need not be searched. Made inert first: an invisible character inside a
    // secret would hide it from us, but not from a reader.
    const plain = withoutSecrets(inertText(text, 4 * LONGEST_TEXT), [...this.#secrets.values()])
      .replace(QUERY_VALUE, `$1${REDACTED}`)
      .replace(JSON_WEB_TOKEN, REDACTED)
      .replace(CREDENTIALS, `$1 ${REDACTED}`);
    return inertText(plain, LONGEST_TEXT);
  }
}
