// Text that is not what it should be: challenges, metadata, registrations, token responses.
// biome-ignore-all format: a table has a line for each entry
import { expect } from "vitest";
import type { ScriptedOverride } from "../../../servers/scripted-authorization-server.ts";
import type { ScriptedRoute } from "../../../servers/scripted-server.ts";
import type { Parties, Places, SignInCase } from "../support/sign-in.ts";

const METADATA = "/.well-known/oauth-protected-resource/mcp";
const BAD = "invalid_response";
const NOT_USED = "it is not used";
const planted = ["/planted"];

/** Bytes in place of the resource's metadata. */
const metadata = (bytes: string | Buffer | ((places: Places) => string | Buffer), status = 200): SignInCase["server"] => {
  const route = (places: Places): ScriptedRoute => () =>
    new Response(new Uint8Array(Buffer.from(typeof bytes === "function" ? bytes(places) : bytes)), {
      status,
      headers: { "content-type": "application/json" },
    });
  return (places) => ({ routes: { [METADATA]: route(places) } });
};

/** What the resource's metadata should be, as text, with members in front. */
const good = ({ own }: Places, front = ""): string =>
  `{${front}"resource":"${own}/mcp","authorization_servers":["${own}"]}`;

/** Text in place of an answer of an endpoint. */
const answer = (text: string, type = "application/json"): ScriptedOverride => (_request, _usual, helpers) =>
  helpers.text(text, 200, { "content-type": type });

/** Members in place of those of the token response. */
const token = (changes: Record<string, unknown>): SignInCase["server"] => ({ tokenResponse: changes });

const registered = (changes: Record<string, unknown>): SignInCase["server"] => ({
  register: async (_request, usual, { json }) => json({ ...(await (await usual()).json()), ...changes }, 201),
});

/** A challenge, and what would be found where none may look. */
const challenge = (text: (own: string) => string): SignInCase["server"] => ({ own, victim }) => ({
  challenge: text(own),
  routes: { "/planted": (_request, { json }) => json({ resource: `${own}/mcp`, authorization_servers: [victim] }) },
});

const NESTED = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;

const expectNoExpiry = async ({ host }: Parties): Promise<void> => {
  const [session] = await host.tokens.status();
  expect(session).toBeDefined();
  expect(session?.expiresAt).toBeUndefined();
};

const challenges: readonly SignInCase[] = [
  { id: "parse-challenge-twice", does: "names two places of its metadata in one challenge", must: "neither is believed", server: challenge((own) => `Bearer resource_metadata="${own}/planted", resource_metadata="${own}${METADATA}"`), untouched: planted, ends: "signed in", proves: "CHL-4" },
  { id: "parse-challenge-in-quotes", does: "has a challenge that looks like one inside a quoted text", must: "it is only text", server: challenge((own) => `Basic realm="a\\", Bearer resource_metadata=${own}/planted, b=\\""`), untouched: planted, ends: "signed in", proves: "CHL-3" },
  { id: "parse-challenge-cut-off", does: "cuts its challenge off in the middle of a URL", must: NOT_USED, server: challenge((own) => `Bearer realm="a", resource_metadata="${own}/planted`), untouched: planted, ends: "signed in", proves: "CHL-3" },
  { id: "parse-challenge-of-basic", does: "puts another scheme's metadata before Bearer's", must: "Bearer's counts", server: challenge((own) => `Basic resource_metadata="${own}/planted", Bearer resource_metadata="${own}${METADATA}"`), untouched: planted, ends: "signed in", proves: "CHL-5" },
  { id: "parse-challenge-scope-of-basic", does: "asks for scopes in the challenge of another scheme", must: "they are not asked for", server: challenge(() => 'Basic scope="everything", Bearer'), check: ({ host }) => expect(host.opened[0]?.searchParams.get("scope")).not.toContain("everything"), ends: "signed in" },
];

const documents: readonly SignInCase[] = [
  { id: "parse-metadata-array", does: "publishes a JSON array as its metadata", must: NOT_USED, server: metadata("[1]"), ends: BAD, says: /not a JSON object/, proves: "PRM-4" },
  { id: "parse-metadata-null", does: "publishes null as its metadata", must: NOT_USED, server: metadata("null"), ends: BAD, says: /not a JSON object/, proves: "PRM-4" },
  { id: "parse-metadata-cut-off", does: "cuts its metadata off", must: "half of it is nothing", server: metadata((places) => good(places).slice(0, -2)), ends: BAD, says: /not a JSON object/, proves: "PRM-4" },
  { id: "parse-metadata-two", does: "publishes two documents in one", must: "neither is used", server: metadata((places) => good(places) + good(places)), ends: BAD, says: /not a JSON object/, proves: "PRM-4" },
  { id: "parse-metadata-utf-16", does: "publishes its metadata in UTF-16", must: NOT_USED, server: metadata((places) => Buffer.from(good(places), "utf16le")), ends: BAD, says: /not a JSON object/ },
  { id: "parse-metadata-bom", does: "starts its metadata with a byte order mark", must: "the mark is skipped, as everywhere", server: metadata((places) => `\uFEFF${good(places)}`), check: ({ server }) => expect(server.log.count("GET", METADATA)).toBe(1), ends: "signed in" },
  { id: "parse-metadata-not-utf-8", does: "names a resource in bytes that are no UTF-8", must: "it is another resource", server: metadata((places) => Buffer.from(good(places).replace("/mcp", "/mcp\xff"), "latin1")), ends: "resource_mismatch", proves: "PRM-7" },
  { id: "parse-metadata-status", does: "publishes its metadata with status 500", must: NOT_USED, server: metadata(good, 500), ends: "discovery_failed", proves: "PRM-4" },
  { id: "parse-metadata-resource-list", does: "names its resource in a list of one", must: NOT_USED, server: ({ own }) => ({ protectedResource: { resource: [`${own}/mcp`] } }), ends: BAD, proves: "PRM-4" },
  { id: "parse-metadata-servers-text", does: "names its authorization servers in a text", must: NOT_USED, server: ({ own }) => ({ protectedResource: { authorization_servers: own } }), ends: BAD, proves: "PRM-4, PRM-8" },
  { id: "parse-metadata-servers-mixed", does: "has a number among its authorization servers", must: "none of them is used", server: ({ own }) => ({ protectedResource: { authorization_servers: [own, 5] } }), ends: BAD, proves: "PRM-4, PRM-8" },
  { id: "parse-metadata-scopes-text", does: "names its scopes in a text", must: NOT_USED, server: { protectedResource: { scopes_supported: "mcp:tools" } }, ends: BAD, proves: "PRM-4" },
  { id: "parse-metadata-repeated", does: "names its resource twice, another one last", must: "what counts is what is checked", server: metadata((places) => good(places).replace("}", `,"resource":"${places.victim}/mcp"}`)), ends: "resource_mismatch" },
  { id: "parse-metadata-prototype", does: "hides its members in __proto__", must: "they are not there", server: metadata((places) => `{"__proto__":${good(places)}}`), ends: BAD, says: /no resource identifier/ },
  { id: "parse-server-issuer-number", does: "publishes an issuer that is a number", must: "it is not the issuer", server: { metadata: { issuer: 5 } }, ends: "issuer_mismatch", proves: "ASM-5" },
  { id: "parse-server-issuer-absent", does: "publishes no issuer", must: "it is not the issuer", server: { metadata: { issuer: undefined } }, ends: "issuer_mismatch", proves: "ASM-5" },
  { id: "parse-server-endpoint-object", does: "publishes a token endpoint that is an object", must: NOT_USED, server: { metadata: { token_endpoint: { href: "x" } } }, ends: BAD, says: /token_endpoint that is not a text/ },
  { id: "parse-server-endpoint-relative", does: "publishes a token endpoint without an origin", must: NOT_USED, server: { metadata: { token_endpoint: "/token" } }, ends: BAD, says: /not a URL/ },
  { id: "parse-server-endpoint-http", does: "publishes a token endpoint in plain http", must: "no one is sent there to sign in", server: { metadata: { token_endpoint: "http://plain.example.com/token" } }, ends: "insecure_url", proves: "TLS-1" },
  { id: "parse-server-pkce-text", does: "publishes its methods of PKCE as a text in which S256 can be found", must: "that is no support of S256", server: { metadata: { code_challenge_methods_supported: "noS256" } }, ends: BAD, says: /list of texts/ },
  { id: "parse-server-resources-text", does: "lists its resources in a text in which this one can be found", must: "that is no list", server: ({ own }) => ({ metadata: { protected_resources: `${own}/mcp-other` } }), ends: BAD, says: /list of texts/ },
  { id: "parse-server-prototype", does: "hides its token endpoint in __proto__", must: "there is none", server: ({ victim }) => ({ metadata: (usual) => JSON.parse(`{"__proto__":{"token_endpoint":"${victim}/token"},${JSON.stringify({ ...usual, token_endpoint: undefined }).slice(1)}`) }), ends: BAD, says: /no token endpoint/, reaches: "browser" },
];

const answers: readonly SignInCase[] = [
  { id: "parse-registration-page", does: "answers a registration with a page", must: "there is no client", server: { register: answer("<p>Welcome", "text/html") }, ends: BAD, reaches: "registration" },
  { id: "parse-registration-number", does: "registers a client whose id is a number", must: "there is no client", server: registered({ client_id: 5 }), ends: BAD, reaches: "registration" },
  { id: "parse-registration-redirect", does: "registers another redirect URI than was asked for", must: "nobody is sent to sign in", server: registered({ redirect_uris: ["https://evil.example.com/callback"] }), ends: "registration_failed", reaches: "registration", proves: "RUR-2" },
  { id: "parse-token-page", does: "answers a code with a page", must: "there is no token", server: { token: answer("<p>Welcome", "text/html") }, ends: BAD, reaches: "token" },
  { id: "parse-token-absent", does: "answers without an access token", must: "there is none", server: token({ access_token: undefined }), ends: BAD, reaches: "token" },
  { id: "parse-token-list", does: "answers with an access token in a list", must: NOT_USED, server: token({ access_token: ["the-secret-token"] }), ends: BAD, reaches: "token" },
  { id: "parse-token-line-break", does: "has a line break and a header in its access token", must: "nobody ever sends it, nor sees it", server: token({ access_token: "the-secret\r\nX-Admin: token" }), ends: BAD, says: /no request header can carry/, reaches: "token" },
  { id: "parse-token-not-ascii", does: "has a character in its access token that no header can have", must: "it is not stored, to fail for ever after", server: token({ access_token: "the-secret-tokén-€" }), ends: BAD, says: /no request header can carry/, reaches: "token" },
  { id: "parse-token-type-absent", does: "does not say what kind its token is", must: NOT_USED, server: token({ token_type: undefined }), ends: BAD, reaches: "token", proves: "TOK-4" },
  { id: "parse-token-type-unknown", does: "gives a token of a kind that nobody knows", must: NOT_USED, server: token({ token_type: "mac" }), ends: BAD, reaches: "token", proves: "TOK-4" },
  { id: "parse-token-bound", does: "gives a token that is bound to a key which nobody has", must: NOT_USED, server: token({ token_type: "DPoP" }), ends: BAD, reaches: "token", proves: "DPOP-8" },
  { id: "parse-token-refresh-object", does: "gives a refresh token that is an object", must: NOT_USED, server: token({ refresh_token: { a: 1 } }), ends: BAD, reaches: "token" },
  { id: "parse-token-scope-list", does: "gives the scopes in a list", must: NOT_USED, server: token({ scope: ["mcp:tools"] }), ends: BAD, reaches: "token" },
  { id: "parse-token-error-in-success", does: "says invalid_grant with status 200 and a token beside it", must: "the error counts", server: token({ error: "invalid_grant" }), ends: "token_request_failed", reaches: "token", proves: "ERR-1" },
  { id: "parse-token-prototype", does: "hides its access token in __proto__", must: "there is none", server: { token: answer('{"__proto__":{"access_token":"x","token_type":"Bearer"}}') }, ends: BAD, reaches: "token" },
  { id: "parse-token-nested", does: "nests its answer 50,000 deep", must: "it is an error like any other", server: { token: answer(`{"access_token":"the-secret-token","token_type":"Bearer","a":${NESTED}}`) }, ends: BAD, reaches: "token" },
  { id: "parse-token-lifetime-huge", does: "gives a lifetime of 1e400 seconds", must: "the token lasts until it is refused", server: { token: answerWithLifetime("1e400") }, check: expectNoExpiry, ends: "signed in", proves: "REF-7" },
  { id: "parse-token-lifetime-negative", does: "gives a lifetime of -1 seconds", must: "the token lasts until it is refused", server: { token: answerWithLifetime("-1") }, check: expectNoExpiry, ends: "signed in", proves: "REF-7" },
  { id: "parse-token-lifetime-word", does: "gives a lifetime in words", must: "the token lasts until it is refused", server: { token: answerWithLifetime('"soon"') }, check: expectNoExpiry, ends: "signed in", proves: "REF-7" },
];

/** The usual answer with a lifetime that JSON.stringify would not write. */
function answerWithLifetime(json: string): ScriptedOverride {
  return async (_request, usual) => {
    const answered = await usual();
    const text = (await answered.text()).replace(/"expires_in":\d+/, `"expires_in":${json}`);
    return new Response(text, { status: answered.status, headers: answered.headers });
  };
}

export const parsingCases: readonly SignInCase[] = [...challenges, ...documents, ...answers];
