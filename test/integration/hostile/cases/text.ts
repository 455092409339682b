// Words that a server chose, made to do something to whoever reads them.
// biome-ignore-all format: a table has a line for each entry
import type { ScriptedOverride } from "../../../servers/scripted-authorization-server.ts";
import { withLocationQuery } from "../../../servers/scripted-server.ts";
import type { HostileCase } from "../support/case.ts";
import type { SignInCase } from "../support/sign-in.ts";

const ESCAPE = "\u001b[2J\u001b[31mred\u0007";
/** Sets the terminal's title, and copies into its clipboard. */
const OPERATING_SYSTEM_COMMAND = "\u001b]0;title\u0007\u001b]52;c;Y2FsYw==\u0007";
const NEW_LINE = "no\n2026-01-01 INFO signed in as admin\r\u2028\u2029next";
const BIDI = "gpj\u202Eexe.tac\u2066\u200F";
/** Commands of a terminal in one character each. */
const C1 = "\u009b31m\u009d0;title\u009c";
const INVISIBLE = "pay\u200B\u200D\u2060pal\uFEFF\u{E0041}\u00AD";

const INERT = "nothing of it reaches whoever reads the message";
const SHORT = "the message stays short";

const refusal = (description: string, error = "server_error"): ScriptedOverride => (_request, _usual, { json }) =>
  json({ error, error_description: description }, 400);
const response = (description: string, error = "server_error"): ScriptedOverride => async (_request, usual) =>
  withLocationQuery(await usual(), { code: undefined, error, error_description: description });
const echo: ScriptedOverride = (request, _usual, { json }) =>
  json({ error: "invalid_grant", error_description: `you sent ${request.body} and ${[...request.form.values()].join(" ")}` }, 400);

const authorization = { reaches: "browser", ends: "authorization_failed", proves: "CHL-9" } as const;
const token = { reaches: "token", ends: "token_request_failed", proves: "ERR-1" } as const;
const registration = { reaches: "registration", ends: "registration_failed", proves: "ERR-1" } as const;

/** In each of these the error's message is one inert, short line, whatever the server says. */
export const textCases: readonly SignInCase[] = [
  { id: "text-response-escape", does: "describes a refusal in escape sequences", must: INERT, server: { authorize: response(ESCAPE) }, says: /\(" ?\[2J \[31mred"\)/, ...authorization },
  { id: "text-response-lines", does: "describes a refusal in lines that look like a log's", must: "they stay in the one line of the message", server: { authorize: response(NEW_LINE) }, says: /"no 2026-01-01 INFO signed in as admin next"/, ...authorization },
  { id: "text-response-direction", does: "describes a refusal in text that turns its direction", must: INERT, server: { authorize: response(BIDI) }, says: /"gpjexe\.tac"/, ...authorization },
  { id: "text-response-quote", does: "ends the quotes around its description, to go on in our words", must: "the quotes end where it ends", server: { authorize: response('no"). All is well. ("') }, says: /"no'\)\. All is well\. \('"/, ...authorization },
  { id: "text-response-code", does: "has escape sequences in its error code", must: INERT, server: { authorize: response("", `bad${OPERATING_SYSTEM_COMMAND}`) }, ...authorization },
  { id: "text-token-c1", does: "describes a refused code in C1 controls", must: INERT, server: { token: refusal(C1) }, ...token },
  { id: "text-token-invisible", does: "describes a refused code in characters that nobody sees", must: INERT, server: { token: refusal(INVISIBLE) }, says: /"paypal"/, ...token },
  { id: "text-token-code", does: "has escape sequences in the error code of a refusal", must: INERT, server: { token: refusal("", `bad${ESCAPE}`) }, ...token },
  { id: "text-token-long", does: "describes a refused code in 100 KiB", must: SHORT, server: { token: refusal("a".repeat(100 * 1024)) }, says: /a{200}…"/, ...token },
  { id: "text-token-echo", does: "repeats the code and the verifier that it refuses", must: "neither shows", server: { token: echo }, says: /\[redacted\]/, ...token },
  { id: "text-registration", does: "describes a refused registration in operating system commands", must: INERT, server: { register: refusal(OPERATING_SYSTEM_COMMAND) }, ...registration },
  { id: "text-registration-redirect", does: "registers a redirect URI with escape sequences in it", must: INERT, server: { register: async (_request, usual, { json }) => json({ ...(await (await usual()).json()), redirect_uris: [`https://x/${ESCAPE}`] }, 201) }, ...registration },
  { id: "text-resource", does: "names a resource in escape sequences", must: INERT, server: { protectedResource: { resource: `https://evil.example.com/${ESCAPE}${BIDI}` } }, ends: "resource_mismatch" },
  { id: "text-resource-end", does: "ends its resource in an escape that URL parsers drop", must: "it is another resource, and is not sent anywhere", server: ({ own }) => ({ protectedResource: { resource: `${own}/mcp\u001b` } }), ends: "resource_mismatch", proves: "PRM-7" },
  { id: "text-metadata-issuer", does: "publishes an issuer in escape sequences", must: INERT, server: { metadata: { issuer: `https://evil.example.com/${ESCAPE}${C1}` } }, ends: "issuer_mismatch" },
  { id: "text-issuer-lines", does: "names an issuer with a line break that URL parsers drop", must: "it is no issuer, and its line is in no message", server: ({ own }) => ({ protectedResource: { authorization_servers: [`${own}/\n2026-01-01 INFO signed in`] } }), ends: "invalid_response", proves: "ASM-7" },
  { id: "text-issuer-direction", does: "names an issuer that is read from right to left", must: "it is no issuer, and shows nowhere", server: ({ own }) => ({ protectedResource: { authorization_servers: [`${own}/${BIDI}`] } }), ends: "invalid_response", proves: "ASM-7" },
  { id: "text-pkce-methods", does: "lists methods of PKCE in escape sequences", must: INERT, server: { metadata: { code_challenge_methods_supported: [ESCAPE, NEW_LINE] } }, ends: "pkce_unsupported" },
  { id: "text-challenge-url", does: "names its metadata elsewhere, by a URL with C1 controls in it", must: INERT, server: { challenge: 'Bearer resource_metadata="https://other.example.com/\u009b31mm"', routes: { "/.well-known/oauth-protected-resource/mcp": (_request, { text }) => text("", 404) } }, ends: "resource_mismatch", says: /names its metadata at/ },
];

/** Words in other places than an error's message. */
export interface ShownTextCase extends HostileCase {
  readonly where: "step-up" | "device code" | "terminal" | "device terminal" | "page";
  readonly text: string;
}

export const shownTextCases: readonly ShownTextCase[] = [
  { id: "text-step-up-scope", does: "wants scopes with C1 controls in their names, again and again", must: INERT, where: "step-up", text: "\u009b31mmore" },
  { id: "text-device-code", does: "gives a code to type with escape sequences in it", must: "it is shown without them", where: "device code", text: `ABCD${ESCAPE}${OPERATING_SYSTEM_COMMAND}${BIDI}`, proves: "DEV-2" },
  { id: "text-terminal", does: "has a name with escape sequences in it", must: "the terminal shows it without them", where: "terminal", text: `mcp${ESCAPE}${C1}${BIDI}` },
  { id: "text-terminal-lines", does: "has a name with line breaks in it", must: "the terminal shows it in one line", where: "terminal", text: `mcp${NEW_LINE}` },
  { id: "text-device-terminal", does: "has a code to type with escape sequences in it, past a host's own checks", must: "the terminal shows it without them", where: "device terminal", text: `ABCD${OPERATING_SYSTEM_COMMAND}${C1}` },
  { id: "text-page", does: "describes a refusal in HTML", must: "the person's page has none of it", where: "page", text: "<img src=x onerror=alert(1)>refused</p>", proves: "RUR-3" },
];
