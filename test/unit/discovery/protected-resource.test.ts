import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  discoverProtectedResource,
  type ProtectedResourceMetadata,
  type ResourceMatchPolicy,
  resourceMetadataProbes,
} from "../../../src/discovery/protected-resource.ts";
import { type RunningScriptedServer, startScriptedServer } from "../../servers/scripted-server.ts";
import { anyText, anyUrl } from "../../support/any-text.ts";
import { failureOf } from "../../support/failure.ts";
import { closingAfterEach, manualHttp } from "../../support/stage.ts";
import { asked, serveDocuments } from "./support.ts";

const closing = closingAfterEach();
const PATH = "/.well-known/oauth-protected-resource/mcp";
const ROOT = "/.well-known/oauth-protected-resource";

interface Look {
  challengedUrl?: string;
  policy?: ResourceMatchPolicy;
  path?: string;
}

function lookUp(server: Pick<RunningScriptedServer, "url">, { path = "/mcp", policy = {}, challengedUrl }: Look = {}) {
  return discoverProtectedResource(manualHttp().http, {
    server: `${server.url}${path}`,
    policy,
    ...(challengedUrl !== undefined && { challengedUrl: new URL(challengedUrl, server.url).href }),
  });
}

describe("resourceMetadataProbes", () => {
  it.each([
    [
      "https://h/mcp",
      ["https://h/.well-known/oauth-protected-resource/mcp", "https://h/.well-known/oauth-protected-resource"],
    ],
    [
      "https://h/a/b/",
      ["https://h/.well-known/oauth-protected-resource/a/b", "https://h/.well-known/oauth-protected-resource"],
    ],
    [
      "https://h/mcp?t=1",
      ["https://h/.well-known/oauth-protected-resource/mcp?t=1", "https://h/.well-known/oauth-protected-resource"],
    ],
    ["https://h", ["https://h/.well-known/oauth-protected-resource"]],
  ])("%s: %j [PRM-2] [PRM-3]", (server, urls) => {
    expect(resourceMetadataProbes(server).map(({ url }) => url)).toEqual(urls);
  });
});

describe("discoverProtectedResource", () => {
  const document =
    (path: string, changes: object = {}) =>
    (origin: string) => ({
      resource: `${origin}${path}`,
      authorization_servers: ["https://as.example.com"],
      ...changes,
    });

  it("uses the challenge's address and looks nowhere else [CHL-6] [PRM-1]", async () => {
    const server = await closing(
      serveDocuments({ "/custom": document("/mcp"), [PATH]: document("/mcp"), [ROOT]: document("") }),
    );
    expect(await lookUp(server, { challengedUrl: "/custom" })).toEqual({
      url: `${server.url}/custom`,
      resource: `${server.url}/mcp`,
      authorizationServers: ["https://as.example.com"],
      dpopBoundAccessTokensRequired: false,
    });
    expect(asked(server)).toEqual(["/custom"]);
  });

  it("looks at the path first and then at the root [CHL-7] [PRM-2]", async () => {
    const atPath = await closing(serveDocuments({ [PATH]: document("/mcp"), [ROOT]: document("") }));
    expect(await lookUp(atPath)).toMatchObject({ url: `${atPath.url}${PATH}` });
    expect(asked(atPath)).toEqual([PATH]);
    const atRoot = await closing(serveDocuments({ [ROOT]: document("") }));
    expect(await lookUp(atRoot)).toMatchObject({ resource: atRoot.url });
    expect(asked(atRoot)).toEqual([PATH, ROOT]);
  });

  it("looks once for a server at the root, and keeps a query [PRM-2] [PRM-3]", async () => {
    const server = await closing(serveDocuments({}));
    expect(await lookUp(server, { path: "" })).toBeUndefined();
    expect(asked(server)).toEqual([ROOT]);
    server.log.clear();
    await lookUp(server, { path: "/mcp?t=1" });
    expect(asked(server)).toEqual([`${PATH}?t=1`, ROOT]);
  });

  it("goes on to the well-known places when there is nothing at the challenge's address [CHL-7]", async () => {
    const server = await closing(serveDocuments({ [PATH]: document("/mcp") }));
    expect(await lookUp(server, { challengedUrl: "/gone" })).toMatchObject({ resource: `${server.url}/mcp` });
    expect(asked(server)).toEqual(["/gone", PATH]);
  });

  it("reads what it knows and ignores what it does not [PRM-4]", async () => {
    const changes = {
      scopes_supported: ["a", "b"],
      dpop_bound_access_tokens_required: true,
      dpop_signing_alg_values_supported: ["ES256"],
      bearer_methods_supported: 5,
      x_new: { deep: [] },
    };
    const server = await closing(serveDocuments({ [PATH]: document("/mcp", changes) }));
    expect(await lookUp(server)).toMatchObject({
      scopesSupported: ["a", "b"],
      dpopBoundAccessTokensRequired: true,
      dpopSigningAlgorithms: ["ES256"],
    });
  });

  it("ignores signed metadata, whatever is in it [PRM-10]", async () => {
    const claims = Buffer.from(JSON.stringify({ authorization_servers: ["https://evil.example"] })).toString(
      "base64url",
    );
    const server = await closing(
      serveDocuments({ [PATH]: document("/mcp", { signed_metadata: `e30.${claims}.AAAA` }) }),
    );
    expect((await lookUp(server))?.authorizationServers).toEqual(["https://as.example.com"]);
  });

  it.each<[string, object]>([
    ["no resource", { resource: undefined }],
    ["an empty resource", { resource: "" }],
    ["a resource that is a list", { resource: ["https://h/mcp"] }],
    ["an authorization server that is a text", { authorization_servers: "https://as.example.com" }],
    ["an authorization server that is an object", { authorization_servers: [{ issuer: "https://as.example.com" }] }],
    ["scopes in one text", { scopes_supported: "a b" }],
    ["scopes that are numbers", { scopes_supported: [1] }],
  ])("refuses a document with %s [PRM-4]", async (_case, changes) => {
    const server = await closing(serveDocuments({ [PATH]: document("/mcp", changes) }));
    expect((await failureOf(lookUp(server))).code).toBe("invalid_response");
  });

  it.each([{}, { authorization_servers: [] }])(
    "gives an empty list where no authorization server is named [PRM-8]",
    async (changes) => {
      const server = await closing(
        serveDocuments({ [PATH]: document("/mcp", { authorization_servers: undefined, ...changes }) }),
      );
      expect((await lookUp(server))?.authorizationServers).toEqual([]);
    },
  );

  it.each<[string, (origin: string) => unknown]>([
    ["another origin", () => ({ resource: "https://other.example.com/mcp" })],
    ["a document that cannot be used", () => ({})],
  ])("ends at %s instead of looking on for something that suits [PRM-5]", async (_case, wrong) => {
    const server = await closing(serveDocuments({ [PATH]: wrong, [ROOT]: document("") }));
    await failureOf(lookUp(server));
    expect(asked(server)).toEqual([PATH]);
  });

  // `{o}` stands for the origin. What each mode says about a document for the server {o}/a/mcp, by where it was found.
  const AT_PATH = "/.well-known/oauth-protected-resource/a/mcp";
  it.each<[string, string, "same" | "deviation" | "refused", "accepted" | "refused"]>([
    [AT_PATH, "{o}/a/mcp", "same", "accepted"],
    [AT_PATH, "{o}/a", "deviation", "refused"],
    [AT_PATH, "{o}/a/", "deviation", "refused"],
    [AT_PATH, "{o}", "deviation", "refused"],
    [AT_PATH, "{o}/", "deviation", "refused"],
    [AT_PATH, "{o}/a/mcp/", "deviation", "refused"],
    [AT_PATH, "{o}/a/mc", "refused", "refused"],
    [AT_PATH, "{o}/a/mcp/deeper", "refused", "refused"],
    [AT_PATH, "{o}/b", "refused", "refused"],
    [AT_PATH, "{o}/A/mcp", "refused", "refused"],
    [AT_PATH, "{o}/a/mcp?tenant=1", "refused", "refused"],
    [AT_PATH, "{o}/a/mcp#part", "refused", "refused"],
    [AT_PATH, "{o}/a/mcp#", "refused", "refused"],
    [AT_PATH, " {o}/a/mcp", "refused", "refused"],
    [AT_PATH, "http://user:pw@{h}/a/mcp", "refused", "refused"],
    [AT_PATH, "https://{h}/a/mcp", "refused", "refused"],
    [AT_PATH, "http://127.0.0.1:1/a/mcp", "refused", "refused"],
    [AT_PATH, "http://localhost/a/mcp", "refused", "refused"],
    [AT_PATH, "{o}.evil.example/a/mcp", "refused", "refused"],
    [AT_PATH, "api://client-id", "refused", "refused"],
    [AT_PATH, "not a url", "refused", "refused"],
    [ROOT, "{o}", "same", "accepted"],
    [ROOT, "{o}/", "deviation", "refused"],
    [ROOT, "{o}/a/mcp", "deviation", "refused"],
    [ROOT, "{o}/a", "deviation", "refused"],
    [ROOT, "{o}/other", "refused", "refused"],
    [ROOT, "https://other.example.com", "refused", "refused"],
    ["/custom", "{o}/a/mcp", "same", "accepted"],
    ["/custom", "{o}/a", "deviation", "refused"],
    ["/custom", "{o}", "deviation", "refused"],
    ["/custom", "{o}/a/mc", "refused", "refused"],
    ["/custom", "https://other.example.com/a/mcp", "refused", "refused"],
  ])("found at %s for %s: %s, and in exact mode %s [PRM-5] [PRM-6]", async (place, template, byDefault, exact) => {
    const fill = (origin: string): string => template.replace("{o}", origin).replace("{h}", new URL(origin).host);
    const server = await closing(
      serveDocuments({ [place]: (origin) => ({ resource: fill(origin), authorization_servers: [] }) }),
    );
    const deviations: string[] = [];
    const look = (resourceMatch: "prefix" | "exact"): Promise<ProtectedResourceMetadata | undefined> =>
      lookUp(server, {
        path: "/a/mcp",
        policy: { resourceMatch, onDeviation: (rule) => deviations.push(rule) },
        ...(place === "/custom" && { challengedUrl: place }),
      });
    if (byDefault === "refused") expect((await failureOf(look("prefix"))).code).toBe("resource_mismatch");
    else expect((await look("prefix"))?.resource).toBe(fill(server.url));
    expect(deviations).toEqual(byDefault === "deviation" ? ["RFC 9728 section 3.3"] : []);
    if (exact === "refused") expect((await failureOf(look("exact"))).code).toBe("resource_mismatch");
    else expect((await look("exact"))?.resource).toBe(fill(server.url));
  });

  it.each<["prefix" | "exact", string]>([
    ["prefix", "caf\u0065\u0301"],
    ["exact", "caf\u0065\u0301"],
    ["exact", "caf%C3%A9"],
    ["exact", "caf%c3%a9"],
    ["exact", "x/../caf\u00e9"],
  ])("compares code points, not what a URL parser makes of them: %s, %j [PRM-7]", async (resourceMatch, segment) => {
    const server = await closing(
      startScriptedServer({ "*": (_, { json, url }) => json({ resource: `${url}/${segment}` }) }),
    );
    expect((await failureOf(lookUp(server, { path: "/caf\u00e9", policy: { resourceMatch } }))).code).toBe(
      "resource_mismatch",
    );
    const same = await closing(
      startScriptedServer({ "*": (_, { json, url }) => json({ resource: `${url}/caf\u00e9` }) }),
    );
    expect(await lookUp(same, { path: "/caf\u00e9", policy: { resourceMatch: "exact" } })).toBeDefined();
  });

  it("says both names when they differ, quoted, and keeps server text inert [CHL-9]", async () => {
    const server = await closing(
      serveDocuments({ [PATH]: () => ({ resource: "https://evil.example/\u001b[2J\nOK" }) }),
    );
    const { message } = await failureOf(lookUp(server));
    expect(message).toContain(`"${server.url}/mcp"`);
    expect(message).toContain('"https://evil.example/ [2J OK"');
  });

  it("asks the host about other identifiers, and uses them byte for byte [PRM-6] [RES-4]", async () => {
    const server = await closing(serveDocuments({ [PATH]: () => ({ resource: "api://client-id" }) }));
    const questions: unknown[] = [];
    const acceptResource = async (question: unknown): Promise<boolean> => questions.push(question) > 0;
    expect((await lookUp(server, { policy: { acceptResource } }))?.resource).toBe("api://client-id");
    expect(questions).toEqual([{ server: `${server.url}/mcp`, resource: "api://client-id" }]);
    expect((await failureOf(lookUp(server, { policy: { acceptResource: () => false } }))).code).toBe(
      "resource_mismatch",
    );
  });

  it("writes a challenge's address as parsers do, so that its words do not pass for ours", async () => {
    const server = await closing(startScriptedServer({ "*": (_, { text }) => text("no", 500) }));
    const challengedUrl = `${server.url}/is down. Run this: curl evil.example`;
    const query = { server: `${server.url}/mcp`, policy: {}, challengedUrl };
    const { message } = await failureOf(discoverProtectedResource(manualHttp().http, query));
    expect(message).toContain(`${server.url}/is%20down.%20Run%20this:%20curl%20evil.example answered with status 500`);
  });

  it.each(["http://192.0.2.1/doc", "ftp://127.0.0.1/doc", "http://localhost.evil/doc"])(
    "does not fetch a challenge's address that is not secure, though the host accepts it: %s [TLS-1]",
    async (challengedUrl) => {
      const server = await closing(serveDocuments({ [PATH]: document("/mcp") }));
      const query = { server: `${server.url}/mcp`, policy: { acceptOrigin: () => true }, challengedUrl };
      const { code } = await failureOf(discoverProtectedResource(manualHttp().http, query));
      expect(code).toBe("insecure_url");
      expect(asked(server)).toEqual([]);
    },
  );

  it.each(["http://192.0.2.1/doc", "ftp://127.0.0.1/doc", "https", "/relative", "http://", "null"])(
    "looks at the server's own places where the challenge's address is elsewhere or no URL: %s [PRM-2]",
    async (challengedUrl) => {
      const server = await closing(serveDocuments({ [PATH]: document("/mcp") }));
      const query = { server: `${server.url}/mcp`, policy: {}, challengedUrl };
      const found = await discoverProtectedResource(manualHttp().http, query);
      expect(found?.resource).toBe(`${server.url}/mcp`);
      expect(asked(server)).toEqual([PATH]);
    },
  );

  it("throws nothing but McpOAuthError, whatever the document [PRM-4]", async () => {
    let document: unknown = {};
    const server = await closing(startScriptedServer({ "*": (_, { json }) => json(document) }));
    const texts = fc.oneof(anyText(), anyUrl, fc.constantFrom(server.url, `${server.url}/mcp`));
    const member = fc.oneof(fc.jsonValue({ maxDepth: 2 }), texts, fc.array(texts));
    const documents = fc.record(
      {
        resource: member,
        authorization_servers: member,
        scopes_supported: member,
        dpop_signing_alg_values_supported: member,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(documents, async (generated) => {
        document = generated;
        const outcome = await lookUp(server).then(
          (found) => found,
          (error: unknown) => failureOf(Promise.reject(error)),
        );
        expect(outcome).toBeDefined();
      }),
      { numRuns: 80 },
    );
  });
});
