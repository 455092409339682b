// What looks at authorization responses, and at whose they are: mix-up, code injection, callback.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: code is quoted here
import { defence } from "./defence.mjs";

const RESPONSE = "endpoint/authorization-response.ts";
const URLS = "core/url.ts";
const RESOURCE = "discovery/protected-resource.ts";
const ORIGINS = "discovery/origins.ts";
const SERVER = "discovery/authorization-server.ts";
const ROUTER = "adapters/loopback/state-router.ts";
const REQUEST = "adapters/loopback/request.ts";

/** @type {[string, string, string]} oauth4webapi looks at the response as well */
const secondLook = [RESPONSE, "oauth.validateAuthResponse(", "((..._: unknown[]) => undefined)("];
/** @type {[string, string]} */
const stateOfResponse = [
  RESPONSE,
  'if (state.length !== 1 || state[0] !== expected.state)\n    throw invalid("does not carry the state that was sent", expected);',
];
/** @type {[string, string, string]} */
const anyState = [ROUTER, "if (equalInConstantTime(candidate, state)) found = candidate;", "found = candidate;"];

export const responseDefences = [
  defence(
    "a response names its issuer before anything in it counts",
    `mix-up-iss-other mix-up-iss-absent mix-up-iss-empty mix-up-iss-slash mix-up-iss-capitals
      mix-up-iss-unadvertised mix-up-iss-error paste-other-issuer`,
    [RESPONSE, "  requireIssuerParameter(parameters, expected);"],
  ),
  defence(
    "a response names one issuer",
    "mix-up-iss-twice",
    [RESPONSE, 'if (found.length > 1) throw invalid("has the parameter iss more than once", expected);'],
    secondLook,
  ),
  defence(
    "metadata is the issuer's own",
    "mix-up-metadata-issuer mix-up-metadata-slash mix-up-metadata-tenant text-metadata-issuer parse-server-issuer-*",
    [SERVER, "    requireSameIssuer(answer.document, url, query);"],
  ),
  defence("a server without resource metadata is its own authorization server", "mix-up-metadata-legacy", [
    "discovery/legacy.ts",
    "if (issuer !== origin && issuer !== `${origin}/`) {",
    "if (issuer === undefined) {",
  ]),
  defence("issuers are plain URLs", "mix-up-issuer-* text-issuer-*", [
    SERVER,
    String.raw`if (/[?#]|[^\x21-\x7e]/.test(issuer)) {`,
    'if (issuer === "") {',
  ]),
  defence(
    "resource metadata is the resource's own",
    `mix-up-resource-origin mix-up-resource-scheme mix-up-resource-below mix-up-resource-beginning
      mix-up-resource-query mix-up-resource-fragment mix-up-resource-user mix-up-resource-parent
      parse-metadata-not-utf-8 parse-metadata-repeated text-resource text-resource-end`,
    [RESOURCE, "    await checkResource(metadata.resource, probe, query);"],
  ),
  defence("a resource is one of its origin", "mix-up-resource-origin mix-up-resource-scheme", [
    URLS,
    "if (base.origin !== target.origin) return false;",
  ]),
  defence("a resource is one of its path", "mix-up-resource-below mix-up-resource-beginning", [
    URLS,
    "segmentsOf(base.pathname).every((segment, index) => segment === inner[index])",
    "inner.length >= 0",
  ]),
  defence("a resource is one of its query", "mix-up-resource-query", [
    URLS,
    'if (base.search !== "" && base.search !== target.search) return false;',
  ]),
  defence("a resource is written as it is read", "mix-up-resource-fragment mix-up-resource-user text-resource-end", [
    RESOURCE,
    "isPlain(resource, url) &&",
  ]),
  defence("hosts can have it exact", "mix-up-resource-parent", [RESOURCE, 'policy.resourceMatch !== "exact" &&']),
  defence(
    "endpoints are at their issuer's origin",
    `mix-up-authorization-endpoint mix-up-token-endpoint mix-up-registration-endpoint mix-up-revocation-endpoint
      mix-up-device-endpoint`,
    [ORIGINS, "throw strangeEndpoint(question, issuer, origin);", "accepted.add(origin);"],
  ),
  defence("a challenge leads to the server's own origin", "mix-up-metadata-elsewhere", [
    ORIGINS,
    "  if (origin === expected) return true;",
    "  if (origin !== undefined) return true;",
  ]),
  defence("an authorization server lists the resource, if any", "mix-up-resource-unlisted", [
    "discovery/discover.ts",
    "  requireResourceListed(authorizationServer, protectedResource, server);",
  ]),
  defence("clients belong to their issuers", "mix-up-client", [
    "registration/pre-registered.ts",
    "clients.find((client) => client.issuer === issuer)",
    "clients[0]",
  ]),
  defence(
    "a response has one code",
    "code-absent code-empty code-twice paste-two-codes",
    [
      RESPONSE,
      'if (codes.length !== 1 || code === undefined || code === "")\n    throw invalid("does not carry exactly one code", expected);\n  return code;',
      'return code ?? "";',
    ],
    secondLook,
  ),
  defence("a response has the state that was sent, once", "code-state-*", stateOfResponse, secondLook),
  defence("a response has one error", "code-error-twice", [
    RESPONSE,
    'if (moreErrors.length > 0) throw invalid("has the parameter error more than once", expected);',
  ]),
  defence(
    "an error counts more than a code",
    "code-and-error",
    [RESPONSE, 'if (error !== undefined && error !== "") throw errorResponse(error, parameters, expected);'],
    secondLook,
  ),
  defence("a response is of the kind that was asked for", "code-in-jwt", secondLook),
  defence("PKCE is supported, or no sign-in is started", "code-pkce-* text-pkce-methods", [
    "flow/browser-sign-in.ts",
    "if (!defaultEndpoints) requirePkceSupport(authorizationServer, server, context.profiles);",
  ]),
  defence("each code is asked for with a challenge of its own verifier", "code-of-another-session", [
    "authorization/pkce.ts",
    "challenge: sha256(verifier)",
    'challenge: sha256("")',
  ]),
  defence("our parameters take the place of an endpoint's own", "code-parameters-planted", [
    "authorization/request.ts",
    "url.searchParams.set(name, value);",
    "url.searchParams.append(name, value);",
  ]),
  defence(
    "the listener takes only the state that is waited for",
    `code-forged-state code-forged-error code-forged-form callback-state-other callback-state-beginning
      callback-state-capitals callback-state-prototype`,
    anyState,
  ),
  defence(
    "the listener takes nothing without a state",
    "code-forged-stateless callback-state-absent",
    [ROUTER, 'if (state === null) return { kind: "unknown" };'],
    [ROUTER, "if (equalInConstantTime(used, state)) wasUsed = true;"],
    anyState,
  ),
  defence(
    "what is pasted has the state of this sign-in",
    "paste-other-state paste-no-state",
    [
      "flow/pasted-redirect.ts",
      'parameters !== undefined && parameters.get("state") === request.state',
      "parameters !== undefined",
    ],
    ["flow/pasted-redirect.ts", 'parameters.has("state") && (parameters.has("code")', '(parameters.has("code")'],
    stateOfResponse,
    secondLook,
    [RESPONSE, "  requireIssuerParameter(parameters, expected);"],
  ),
  defence("what is pasted is not long", "paste-long", [
    "flow/pasted-redirect.ts",
    'text === "" || text.length > LONGEST_TEXT',
    'text === ""',
  ]),
  defence("a form's parameters are in the form", "callback-state-elsewhere", [
    REQUEST,
    "{ parameters: new URLSearchParams(body) }",
    '{ parameters: new URLSearchParams(`${body}&${request.url?.split("?")[1]}`) }',
  ]),
  defence("the listener answers to its own name only", "callback-host-*", [
    REQUEST,
    'if (!hasExpectedHost(request, expected.hosts)) return { status: 403, reason: "This address leads here by mistake." };',
  ]),
  defence("the listener answers on one path only", "callback-path-*", [
    REQUEST,
    'if (target.split("?", 1)[0] !== expected.path) return { status: 404, reason: "There is nothing here." };',
  ]),
  defence("the listener takes GET and POST only", "callback-method-*", [
    REQUEST,
    'if (request.method !== "GET" && request.method !== "POST") return { status: 405, reason: "Only GET and POST." };',
  ]),
  defence("nothing counts ahead of time", "callback-prefetch", [
    REQUEST,
    'if (isPrefetch(request)) return { status: 503, reason: "Not ahead of time." };',
  ]),
  defence("what is posted is a form", "callback-type-*", [
    REQUEST,
    'if (!isForm || request.headers["content-encoding"] !== undefined) return { status: 415, reason: "Not a form." };',
  ]),
  defence("the listener reads no long address", "callback-size-query", [
    REQUEST,
    'if (target.length > LONGEST_TARGET) return { status: 414, reason: "The address is too long." };',
  ]),
  defence("the listener reads no long header", "callback-size-head", [
    "adapters/loopback/bind.ts",
    "maxHeaderSize: LARGEST_HEAD_BYTES,",
    "maxHeaderSize: 2 ** 20,",
  ]),
  defence("the listener waits for no long form", "callback-size-form", [
    REQUEST,
    'if (Number(request.headers["content-length"] ?? 0) > LARGEST_BODY_BYTES) return { status: 413, reason: "Too large." };',
  ]),
  defence("the listener reads no long form", "callback-size-chunks", [
    REQUEST,
    "if (byteLength <= LARGEST_BODY_BYTES) chunks.push(chunk);",
    "if (byteLength > 0) chunks.push(chunk);",
  ]),
  defence("a crowd does not keep the browser out", "callback-crowd", [
    "adapters/loopback/listener.ts",
    "if (this.#sockets.size > MOST_CONNECTIONS) this.#makeRoom();",
  ]),
  defence("the page runs and loads nothing but its own", "callback-page-*", [
    "adapters/loopback/result-page.ts",
    "\"default-src 'none'\",",
  ]),
  defence("the page tells no other site its address", "callback-page-code", [
    "adapters/loopback/answer.ts",
    '"Referrer-Policy": "no-referrer",',
  ]),
  defence("names on the page are text", "callback-page-client callback-page-attribute", [
    "adapters/loopback/result-page.ts",
    "escapeHtml(shown)",
    "shown",
  ]),
  defence("names on the page are inert", "callback-page-direction", [
    "adapters/loopback/result-page.ts",
    "const shown = inertText(name, maxLength);",
    "const shown = name.slice(0, maxLength);",
  ]),
  defence("the page says nothing of the response", "text-page callback-page-description", [
    "adapters/loopback/pending.ts",
    "respond: (page) => answer(",
    'respond: (page) => ((parameters.get("error_description") ?? "") === "" ? 0 : (page = { ...page, serverName: `${parameters.get("error_description")}` }), answer)(',
  ]),
];
