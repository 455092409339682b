// What looks at answers before anything is done with them: parsing, size and time.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: code is quoted here
import { defence } from "./defence.mjs";

const CHALLENGE = "challenge/parse.ts";
const JSON_TEXT = "core/json.ts";
const HTTP = "core/http.ts";
const RESOURCE = "discovery/protected-resource.ts";
const SERVER = "discovery/authorization-server.ts";
const TOKEN = "endpoint/token-request.ts";
const object = "return isJsonObject(value) ? value : undefined;";
const unusable = "if (!parameter.complete || parameters.has(parameter.name)) usable = false;";

export const answerDefences = [
  defence("a parameter that comes twice makes a challenge unusable", "parse-challenge-twice", [
    CHALLENGE,
    unusable,
    "if (!parameter.complete) usable = false;",
  ]),
  defence("a text without its closing quote makes a challenge unusable", "parse-challenge-cut-off", [
    CHALLENGE,
    unusable,
    "if (parameters.has(parameter.name)) usable = false;",
  ]),
  defence("quotes in a quoted text are text", "parse-challenge-in-quotes", [
    CHALLENGE,
    String.raw`const QUOTED_STRING = /"((?:[^"\\]|\\[\s\S])*)"/y;`,
    'const QUOTED_STRING = /"([^"]*)"/y;',
  ]),
  defence("challenges of token schemes come first", "parse-challenge-of-basic", [
    "challenge/read.ts",
    ".sort((left, right) => rank(left) - rank(right))",
  ]),
  defence("scopes come from token schemes only", "parse-challenge-scope-of-basic", [
    "challenge/read.ts",
    "usable.filter((challenge) => rank(challenge) < SCHEME_ORDER.length)",
    "usable",
  ]),
  defence("JSON is an object", "parse-metadata-array parse-metadata-null", [
    JSON_TEXT,
    object,
    "return value as JsonObject;",
  ]),
  defence("text that is no JSON is nothing", "parse-metadata-cut-off parse-metadata-two parse-metadata-utf-16", [
    JSON_TEXT,
    "} catch {\n    return undefined;",
    "} catch {\n    return {};",
  ]),
  defence(
    "a member named __proto__ is a member like any other",
    "parse-metadata-prototype parse-server-prototype parse-token-prototype store-record-prototype",
    [JSON_TEXT, object, "return isJsonObject(value) ? { ...(value.__proto__ as object), ...value } : undefined;"],
  ),
  defence("members are texts", "parse-metadata-resource-list", [
    JSON_TEXT,
    'return typeof value === "string" && value !== "" ? value : undefined;',
    "return value as string;",
  ]),
  defence("a byte order mark is skipped", "parse-metadata-bom", [
    HTTP,
    "new TextDecoder()",
    'new TextDecoder("utf-8", { ignoreBOM: true })',
  ]),
  defence("metadata comes with status 200", "parse-metadata-status", [
    "discovery/fetch-metadata.ts",
    "if (status !== 200) {",
    "if (status === 0) {",
  ]),
  defence("authorization servers are a list of texts", "parse-metadata-servers-*", [
    RESOURCE,
    "document.authorization_servers !== undefined && authorizationServers === undefined",
    "document === undefined",
  ]),
  defence("scopes are a list of texts", "parse-metadata-scopes-text", [
    RESOURCE,
    "document.scopes_supported !== undefined && scopesSupported === undefined",
    "document === undefined",
  ]),
  defence("endpoints are texts", "parse-server-endpoint-object", [
    SERVER,
    'if (typeof value !== "string") throw invalid(member, "a text");',
    'if (typeof value !== "string") continue;',
  ]),
  defence(
    "endpoints are URLs that credentials may go to, before anybody is sent to sign in",
    "parse-server-endpoint-relative parse-server-endpoint-http",
    [SERVER, "requireSecureUrl(value, `The ${member} of ${issuer}`, details);"],
  ),
  defence("what servers list is a list", "parse-server-pkce-text parse-server-resources-text", [
    SERVER,
    "if (value !== undefined && textsMember(document, member) === undefined) {",
    "if (value === document) {",
  ]),
  defence("a registration gives a client id", "parse-registration-page parse-registration-number", [
    "endpoint/registration-request.ts",
    "await oauth.processDynamicClientRegistrationResponse(response)",
    "await response.json().catch(() => ({}))",
  ]),
  defence("only our own redirect URI is used", "parse-registration-redirect text-registration-redirect", [
    "registration/dynamic.ts",
    "requireRegisteredRedirect(answer, request, authorizationServer.issuer);",
  ]),
  defence(
    "a token response has its members, of their types",
    `parse-token-page parse-token-absent parse-token-list parse-token-type-* parse-token-refresh-object
      parse-token-scope-list`,
    [
      TOKEN,
      "await oauth.processGenericTokenEndpointResponse(authorizationServer, wireClient(client), response)",
      "((await response.json().catch(() => ({}))) as never as { access_token: string; token_type: string })",
    ],
  ),
  defence("a token can be sent", "parse-token-line-break parse-token-not-ascii", [
    TOKEN,
    "if (!isSendableToken(answer.access_token)) {",
    "if (answer.access_token === undefined) {",
  ]),
  defence("a bound token has its key", "parse-token-bound", [
    TOKEN,
    'if (outcome.tokens.tokenType === "DPoP" && dpopKey === undefined) {',
    "if (outcome === undefined) {",
  ]),
  defence("an error is an error with any status", "parse-token-error-in-success", [
    "endpoint/oauth-error.ts",
    "if (answer.status < 400 && oauthError === undefined) return undefined;",
    "if (answer.status < 400) return undefined;",
  ]),
  defence("whatever breaks while an answer is read is an error of this library", "parse-token-nested", [
    TOKEN,
    "throw invalidResponse(error, what, details);",
    "throw error;",
  ]),
  defence(
    "lifetimes are positive numbers within reason",
    "parse-token-lifetime-*",
    [TOKEN, 'if (typeof seconds !== "number" || !Number.isFinite(seconds) || seconds <= 0) return undefined;'],
    [TOKEN, "return seconds > LONGEST_LIFETIME_SECONDS ? undefined : seconds;", "return seconds as number;"],
  ),
  defence(
    "bodies end at a limit, counted as they come out",
    "size-metadata size-metadata-compressed size-server-metadata size-registration size-token size-refusal",
    [HTTP, "if (bytes > limit) {", "if (bytes < 0) {"],
  ),
  defence("half an answer is none", "size-cut-off", [
    HTTP,
    "await reader.read()",
    "await reader.read().catch(() => ({ done: true as const, value: undefined }))",
  ]),
  defence("URLs are short enough for a command line", "size-scopes open-long", [
    "core/openable-url.ts",
    "if (text.length > LONGEST_OPENABLE_URL)",
    'if (text === "")',
  ]),
  defence("nobody waits longer than a day", "time-retry-after", [
    "core/retry-after.ts",
    "Math.min(Math.max(waitMs, 0), 86_400_000)",
    "waitMs",
  ]),
  defence("a nonce is asked for once", "time-nonce-loop", [
    TOKEN,
    "if (nonceWanted) outcome =",
    "for (let again = 0; nonceWanted && again < 3; again++) outcome =",
  ]),
  defence("polls are a second apart", "time-poll-interval", [
    "endpoint/device-authorization-request.ts",
    "Math.max(answer.interval ?? DEFAULT_INTERVAL_SECONDS, SHORTEST_INTERVAL_SECONDS)",
    "answer.interval ?? DEFAULT_INTERVAL_SECONDS",
  ]),
  defence(
    "requests have a deadline, up to the last byte of the answer",
    `time-stall-server time-stall-metadata time-stall-metadata-body time-stall-server-metadata
      time-stall-registration time-stall-token time-stall-token-body`,
    [HTTP, "clock.schedule(() => deadline.abort(), timeoutMs)", "clock.schedule(() => undefined, timeoutMs)"],
  ),
  defence("sign-ins have a deadline", "time-nobody-returns", [
    "flow/deadline.ts",
    "deadline.abort(nobodyFinished(message, { server }));",
    "message.at(0);",
  ]),
  defence("sign-outs have a deadline", "time-stall-revocation", [
    "flow/sign-out.ts",
    "cancel = clock.schedule(() => deadline.abort(), REVOCATION_TIMEOUT_MS);",
  ]),
  defence("a fresh token that is refused ends it", "time-refusal-loop", [
    "flow/plan.ts",
    'used !== undefined && usedIsUnproven ? "reject" : "renew"',
    '"renew"',
  ]),
  defence("step-ups are counted", "time-step-up-loop", [
    "attach/fetch.ts",
    "stepUps++ >= MOST_STEP_UPS",
    "stepUps++ >= MOST_STEP_UPS + 3",
  ]),
];
