// Servers that pass themselves off as another, or what they give as another's.
// biome-ignore-all format: a table has a line for each entry
import { expect } from "vitest";
import type { ScriptedOverride } from "../../../servers/scripted-authorization-server.ts";
import { withLocationQuery } from "../../../servers/scripted-server.ts";
import type { Places, SignInCase } from "../support/sign-in.ts";

const SERVER_METADATA = "/.well-known/oauth-authorization-server";
const OTHER = "https://other.example.com";
const NOT_USED = "the code is not sent to anybody";
const NOT_THIS = "it is metadata of somebody else";

/** Changes the query that the browser comes back with. */
const response = (changes: Record<string, string | undefined>): ScriptedOverride => async (_request, usual) =>
  withLocationQuery(await usual(), changes);

const issuer = (change: (own: string) => string | undefined): SignInCase["server"] => ({ own }) => ({
  authorize: response({ iss: change(own) }),
});

const twice = (text: (own: string) => string): SignInCase["server"] => ({ own }) => ({
  authorize: async (_request, usual) => {
    const location = (await usual()).headers.get("location");
    return new Response(null, { status: 302, headers: { location: `${location}&${text(own)}` } });
  },
});

const resource = (change: (places: Places) => string): SignInCase["server"] => (places) => ({
  protectedResource: { resource: change(places) },
});

const responses: readonly SignInCase[] = [
  { id: "mix-up-iss-other", does: "sends the answer of another issuer", must: NOT_USED, server: issuer(() => OTHER), ends: "issuer_mismatch", reaches: "browser", proves: "ISS-2" },
  { id: "mix-up-iss-absent", does: "leaves iss out though it says that it sends it", must: NOT_USED, server: issuer(() => undefined), ends: "issuer_mismatch", reaches: "browser", proves: "ISS-3" },
  { id: "mix-up-iss-empty", does: "sends an empty iss", must: NOT_USED, server: issuer(() => ""), ends: "issuer_mismatch", reaches: "browser", proves: "ISS-2" },
  { id: "mix-up-iss-slash", does: "sends its iss with a slash more", must: NOT_USED, server: issuer((own) => `${own}/`), ends: "issuer_mismatch", reaches: "browser", proves: "ISS-6" },
  { id: "mix-up-iss-capitals", does: "sends its iss in capitals", must: NOT_USED, server: issuer((own) => own.toUpperCase()), ends: "issuer_mismatch", reaches: "browser", proves: "ISS-6" },
  { id: "mix-up-iss-unadvertised", does: "sends another issuer's iss without having said that it sends any", must: NOT_USED, server: { metadata: { authorization_response_iss_parameter_supported: undefined }, authorize: response({ iss: OTHER }) }, ends: "issuer_mismatch", reaches: "browser", proves: "ISS-4" },
  { id: "mix-up-iss-twice", does: "sends two issuers, the right one first", must: NOT_USED, server: twice(() => `iss=${OTHER}`), ends: "invalid_authorization_response", reaches: "browser", proves: "ISS-2" },
  { id: "mix-up-iss-error", does: "sends another issuer's error with words to lure somebody", must: "the words are shown nowhere", server: { authorize: response({ code: undefined, iss: OTHER, error: "access_denied", error_description: "call-0800-phish" }) }, check: async ({ host }, error) => expect(`${error?.stack} ${error?.oauthError} ${(await host.pages[0])?.body}`).not.toMatch(/phish|access_denied/), ends: "issuer_mismatch", reaches: "browser", proves: "ISS-8" },
];

const documents: readonly SignInCase[] = [
  { id: "mix-up-metadata-issuer", does: "publishes metadata of another issuer", must: NOT_THIS, server: ({ victim }) => ({ metadata: { issuer: victim } }), ends: "issuer_mismatch", proves: "ASM-5" },
  { id: "mix-up-metadata-slash", does: "publishes its issuer with a slash more", must: NOT_THIS, server: ({ own }) => ({ metadata: { issuer: `${own}/` } }), ends: "issuer_mismatch", proves: "ASM-6" },
  { id: "mix-up-metadata-tenant", does: "publishes one tenant's metadata for another tenant", must: NOT_THIS, server: ({ own }) => ({ protectedResource: { authorization_servers: [`${own}/tenant-b`] }, routes: { [`${SERVER_METADATA}/tenant-b`]: (_request, { json }) => json({ issuer: `${own}/tenant-a`, authorization_endpoint: `${own}/authorize`, token_endpoint: `${own}/token`, registration_endpoint: `${own}/register`, code_challenge_methods_supported: ["S256"] }) } }), ends: "issuer_mismatch", proves: "ASM-5" },
  { id: "mix-up-metadata-legacy", does: "has no resource metadata, and authorization server metadata of another issuer", must: NOT_THIS, server: ({ victim }) => ({ challenge: null, routes: { "/.well-known/oauth-protected-resource/mcp": (_request, { text }) => text("", 404) }, metadata: { issuer: victim } }), ends: "issuer_mismatch", proves: "ASM-5" },
  { id: "mix-up-issuer-query", does: "names an issuer with a query", must: "nothing is looked for there", server: ({ own }) => ({ protectedResource: { authorization_servers: [`${own}?issuer=1`] } }), ends: "invalid_response", untouched: [SERVER_METADATA], proves: "ASM-7" },
  { id: "mix-up-issuer-fragment", does: "names an issuer with a fragment", must: "nothing is looked for there", server: ({ own }) => ({ protectedResource: { authorization_servers: [`${own}#issuer`] } }), ends: "invalid_response", untouched: [SERVER_METADATA], proves: "ASM-7" },
  { id: "mix-up-resource-origin", does: "publishes metadata of another origin's resource", must: NOT_THIS, server: resource(({ victim }) => `${victim}/mcp`), ends: "resource_mismatch", untouched: [SERVER_METADATA], proves: "PRM-6" },
  { id: "mix-up-resource-scheme", does: "publishes metadata of its resource by another scheme", must: NOT_THIS, server: resource(({ own }) => `${own.replace("http:", "https:")}/mcp`), ends: "resource_mismatch", proves: "PRM-6" },
  { id: "mix-up-resource-below", does: "publishes metadata of a resource below its own", must: NOT_THIS, server: resource(({ own }) => `${own}/mcp/admin`), ends: "resource_mismatch", proves: "PRM-6" },
  { id: "mix-up-resource-beginning", does: "publishes metadata of a resource whose path begins like its own", must: NOT_THIS, server: resource(({ own }) => `${own}/mc`), ends: "resource_mismatch", proves: "PRM-6" },
  { id: "mix-up-resource-query", does: "publishes metadata of a resource with another query", must: NOT_THIS, server: resource(({ own }) => `${own}/mcp?tenant=b`), ends: "resource_mismatch", proves: "PRM-6" },
  { id: "mix-up-resource-fragment", does: "publishes metadata of a resource with a fragment", must: NOT_THIS, server: resource(({ own }) => `${own}/mcp#b`), ends: "resource_mismatch", proves: "PRM-6" },
  { id: "mix-up-resource-user", does: "publishes metadata of a resource with a user name", must: NOT_THIS, server: resource(({ own }) => `${own.replace("//", "//alice@")}/mcp`), ends: "resource_mismatch", proves: "PRM-6" },
  { id: "mix-up-resource-parent", does: "publishes metadata of its parent to a host that wants it exact", must: NOT_THIS, server: resource(({ own }) => own), host: { resourceMatch: "exact" }, ends: "resource_mismatch", proves: "PRM-6" },
  { id: "mix-up-resource-unlisted", does: "names an authorization server that does not list it among its resources", must: "nobody signs in there for it", server: ({ victim }) => ({ metadata: { protected_resources: [`${victim}/mcp`] } }), ends: "resource_mismatch", proves: "PRM-11" },
  { id: "mix-up-client", does: "names another authorization server than the one that the host has a secret for", must: "the secret is not tried there", server: { metadata: { registration_endpoint: undefined } }, host: { clients: [{ issuer: OTHER, clientId: "client", clientSecret: "the-secret" }] }, ends: "client_mismatch", proves: "ASS-3" },
];

const SILENT = { authorization_response_iss_parameter_supported: undefined };
const strangeEndpoint = (name: string, metadata: Record<string, unknown> = SILENT): SignInCase["server"] => ({ victim }) => ({
  metadata: { ...metadata, [name]: `${victim}/elsewhere` },
});
const NOT_THERE = "nothing is sent there, and nothing is opened";

const elsewhere: readonly SignInCase[] = [
  { id: "mix-up-authorization-endpoint", does: "names another server's authorization endpoint as its own", must: NOT_THERE, server: strangeEndpoint("authorization_endpoint"), ends: "issuer_mismatch" },
  { id: "mix-up-token-endpoint", does: "names another server's token endpoint as its own", must: NOT_THERE, server: strangeEndpoint("token_endpoint"), ends: "issuer_mismatch" },
  { id: "mix-up-registration-endpoint", does: "names another server's registration endpoint as its own", must: NOT_THERE, server: strangeEndpoint("registration_endpoint"), ends: "issuer_mismatch" },
  { id: "mix-up-revocation-endpoint", does: "names another server's revocation endpoint as its own", must: NOT_THERE, server: strangeEndpoint("revocation_endpoint"), ends: "issuer_mismatch" },
  { id: "mix-up-device-endpoint", does: "names another server's device endpoint as its own, and promises iss, which no device flow has", must: NOT_THERE, server: strangeEndpoint("device_authorization_endpoint", { authorization_response_iss_parameter_supported: true }), ends: "issuer_mismatch" },
  { id: "mix-up-metadata-elsewhere", does: "has its challenge lead to metadata at another server, and none of its own", must: "it is not fetched", server: ({ victim }) => ({ challenge: `Bearer resource_metadata="${victim}/.well-known/oauth-protected-resource"`, routes: { "/.well-known/oauth-protected-resource/mcp": () => new Response(null, { status: 404 }), "/.well-known/oauth-protected-resource": () => new Response(null, { status: 404 }) } }), ends: "resource_mismatch", proves: "SSRF-1" },
];

export const mixUpCases: readonly SignInCase[] = [...responses, ...documents, ...elsewhere];
