import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Secret } from "../../../src/core/secret.ts";
import {
  type AuthorizationServerMetadata,
  ownIssuer,
  withOwnIssuer,
} from "../../../src/endpoint/authorization-server.ts";
import {
  activeCredential,
  type Credential,
  parseStoreKey,
  type SessionRecord,
  storeKey,
} from "../../../src/tokens/credential.ts";
import { parseSession, serializeSession } from "../../../src/tokens/session-record.ts";
import { anyText } from "../../support/any-text.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { clientAt, credentialAt, metadataAt, SERVER } from "../../support/stage.ts";

const ISSUER = "https://as.example.com";

/** Secrets in the clear, so that records can be compared. */
function revealed(value: unknown): unknown {
  if (Secret.isSecret(value)) return { revealed: value.reveal() };
  if (Array.isArray(value)) return value.map(revealed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, revealed(member)]));
}

const text = fc.oneof(
  anyText(),

  fc.constantFrom("__proto__", "constructor", "toString", ""),
);
const time = fc.integer({ min: 0, max: 10 ** 14 });
const optional = <Value>(name: string, arbitrary: fc.Arbitrary<Value>) =>
  fc.oneof(
    fc.constant({}),
    arbitrary.map((value) => ({ [name]: value })),
  );
const secret = text.map((value) => new Secret(value));
const client = fc
  .tuple(
    fc.record({
      clientId: text,
      how: fc.constantFrom("pre-registered", "metadata-document", "dynamic"),
      authenticationMethod: fc.constantFrom("none", "client_secret_basic", "client_secret_post"),
    }),
    optional("clientSecret", secret),
    optional("secretExpiresAt", time),
    optional("redirectUris", fc.array(text)),
    optional("registeredScope", text),
    optional("registrationUri", text),
    optional("registrationAccessToken", secret),
  )
  .map((parts) => Object.assign({}, ...parts));
const metadata = fc
  .tuple(
    optional("token_endpoint", text),
    optional("revocation_endpoint", text),
    optional("token_endpoint_auth_methods_supported", fc.array(text)),
  )
  .map((parts) => Object.assign({}, ...parts));
const credential = fc
  .tuple(
    fc.record({
      issuer: text,
      resource: text,
      client,
      authorizationServer: metadata,
      accessToken: secret,
      tokenType: fc.constantFrom("Bearer", "DPoP"),
      issuedAt: time,
      flow: text,
      signedInAt: time,
    }),
    optional("refreshToken", secret),
    optional("dpopKey", secret),
    optional("header", text),
    optional("expiresAt", time),
    optional("scope", text),
    optional("requestedScope", text),
  )
  .map((parts): Credential => {
    const whole = Object.assign({}, ...parts) as Credential;
    const { issuer } = whole;
    return {
      ...whole,
      client: { ...whole.client, issuer },
      authorizationServer: { ...whole.authorizationServer, issuer },
    };
  });
const session = fc
  .tuple(
    fc.record({
      server: text,
      account: text,
      credentials: fc.uniqueArray(credential, { selector: ({ issuer }) => issuer, maxLength: 3 }),
    }),
    optional("activeIssuer", text),
    optional("lastIssuer", text),
    optional("requestedScope", text),
    optional("journal", fc.record({ sentAt: time, recent: fc.array(time) })),
    optional("lastUsedAt", time),
  )
  .map((parts): SessionRecord => {
    const whole = Object.assign({}, ...parts) as SessionRecord & { credentials: Credential[] };
    return { ...whole, credentials: Object.fromEntries(whole.credentials.map((each) => [each.issuer, each])) };
  });

describe("session records", () => {
  it("come back from text as they were, whatever is in them", () => {
    fc.assert(
      fc.property(session, (record) => {
        // Not toStrictEqual: it stumbles over a member that is named constructor.
        deepStrictEqual(revealed(parseSession(serializeSession(record), "memory")), revealed(record));
      }),
      { numRuns: 300 },
    );
  });

  it("keep of the metadata what a refresh or a revocation needs, and nothing beside [AZR-5]", () => {
    const authorizationServer = metadataAt(ISSUER, {
      service_documentation: "https://docs",
      revocation_endpoint_auth_methods_supported: ["none"],
    });
    const record = {
      server: SERVER,
      account: "a",
      credentials: { [ISSUER]: credentialAt(ISSUER, { authorizationServer }) },
    };
    expect(parseSession(serializeSession(record), "memory").credentials[ISSUER]?.authorizationServer).toEqual({
      issuer: ISSUER,
      token_endpoint: `${ISSUER}/token`,
      revocation_endpoint: `${ISSUER}/revoke`,
      revocation_endpoint_auth_methods_supported: ["none"],
    });
  });

  it("keep how a server names itself where that is not its issuer, and are read without that as well", () => {
    const written = (authorizationServer: AuthorizationServerMetadata): string => {
      const credentials = { [ISSUER]: credentialAt(ISSUER, { authorizationServer }) };
      return serializeSession({ server: SERVER, account: "a", credentials });
    };
    const named = written(withOwnIssuer(metadataAt(ISSUER), `${ISSUER}/`));
    const older = written(metadataAt(ISSUER));
    expect(older).not.toContain("ownIssuer");
    // Read one after the other, they do not take each other's name.
    const names = [named, older, named, older].map((text) => {
      const metadata = parseSession(text, "memory").credentials[ISSUER]?.authorizationServer;
      return metadata && [metadata.issuer, ownIssuer(metadata)];
    });
    const [own, plain] = [
      [ISSUER, `${ISSUER}/`],
      [ISSUER, ISSUER],
    ];
    expect(names).toEqual([own, plain, own, plain]);
    expect(JSON.parse(serializeSession(parseSession(named, "memory")))).toEqual(JSON.parse(named));
  });

  it("show no secret once they are read", () => {
    const planted = credentialAt(ISSUER, {
      accessToken: new Secret("planted-1"),
      refreshToken: new Secret("planted-2"),
      client: clientAt(ISSUER, { secret: "planted-3", registrationAccessToken: new Secret("planted-4") }),
    });
    const stored = serializeSession({
      server: SERVER,
      account: "a",
      activeIssuer: ISSUER,
      credentials: { [ISSUER]: planted },
    });
    expect(stored.match(/planted-\d/g)).toHaveLength(4);
    expect(shown(parseSession(stored, "memory"))).not.toContain("planted");
  });

  const good = JSON.parse(
    serializeSession({
      server: SERVER,
      account: "a",
      activeIssuer: ISSUER,
      credentials: { [ISSUER]: credentialAt(ISSUER) },
    }),
  );
  const withCredential = (changes: object): object => ({
    ...good,
    credentials: [{ ...good.credentials[0], ...changes }],
  });
  it.each<[string, unknown]>([
    ["nothing", ""],
    ["cut-off text", JSON.stringify(good).slice(0, -5)],
    ["a list", "[]"],
    ["another version", { ...good, version: 2 }],
    ["no version", { ...good, version: undefined }],
    ["no server", { ...good, server: undefined }],
    ["an account that is a number", { ...good, account: 5 }],
    ["no credentials", { ...good, credentials: undefined }],
    ["credentials by issuer", { ...good, credentials: { [ISSUER]: good.credentials[0] } }],
    ["a credential that is null", { ...good, credentials: [null] }],
    ["one good credential and one bad", { ...good, credentials: [good.credentials[0], {}] }],
    ["no access token", withCredential({ accessToken: undefined })],
    ["no resource", withCredential({ resource: undefined })],
    ["an unknown token type", withCredential({ tokenType: "mac" })],
    ["a time that is a text", withCredential({ issuedAt: "now" })],
    [
      "a client of another issuer",
      withCredential({ client: { ...good.credentials[0].client, issuer: "https://evil" } }),
    ],
    ["metadata of another issuer", withCredential({ authorizationServer: { issuer: "https://evil" } })],
    ["an endpoint that is no text", withCredential({ authorizationServer: { issuer: ISSUER, token_endpoint: 5 } })],
    ["an own name that is no text", withCredential({ authorizationServer: { issuer: ISSUER, ownIssuer: 5 } })],
    [
      "methods that are no list",
      withCredential({ authorizationServer: { issuer: ISSUER, token_endpoint_auth_methods_supported: "none" } }),
    ],
    ["no client", withCredential({ client: undefined })],
  ])("are never taken for absent: %s", async (_case, stored) => {
    const value = typeof stored === "string" ? stored : JSON.stringify(stored);
    const error = await failureOf(() => parseSession(value, "keychain"));
    expect(error.code).toBe("store_unreadable");
    expect(error.message).toContain("keychain");
    expect(shown(error)).not.toMatch(/token-1/);
  });

  it.each<[string, unknown, string]>([
    ["no JSON", "<xml/>", "is not a JSON object"],
    ["another version", { ...good, version: 2 }, "was written by another version"],
    ["no account", { ...good, account: undefined }, "lacks its server, account or credentials"],
    ["a broken credential", withCredential({ client: undefined }), "has a credential that cannot be understood"],
  ])("say why they are unreadable: %s", async (_case, stored, reason) => {
    const value = typeof stored === "string" ? stored : JSON.stringify(stored);
    expect((await failureOf(() => parseSession(value, "memory"))).message).toContain(reason);
  });

  const read = (stored: object): SessionRecord => parseSession(JSON.stringify(stored), "memory");

  it("do without what may be missing or is no number", () => {
    const { flow: _, signedInAt: __, ...older } = good.credentials[0];
    expect(read({ ...good, credentials: [older] }).credentials[ISSUER]).toMatchObject({
      flow: "unknown",
      signedInAt: older.issuedAt,
    });
    const endless = JSON.stringify(good).replace(/"expiresAt":\d+/, '"expiresAt":1e999');
    expect(parseSession(endless, "memory").credentials[ISSUER]).not.toHaveProperty("expiresAt");
  });

  it.each([
    [
      { sentAt: 5, recent: [1, "2", null, 3] },
      { sentAt: 5, recent: [1, 3] },
    ],
    [
      { sentAt: 5, recent: "never" },
      { sentAt: 5, recent: [] },
    ],
    [{ recent: [1] }, undefined],
    ["yesterday", undefined],
  ])("keep of the journal %j what can be understood", (stored, journal) => {
    expect(read({ ...good, journal: stored }).journal).toEqual(journal);
  });

  it("are a session or unreadable, whatever the store holds", async () => {
    const value = fc.jsonValue({ maxDepth: 2 });
    const members = {
      version: fc.constantFrom(1, 1, 1, 2),
      server: fc.constant("s"),
      account: fc.constant("a"),
      credentials: fc.oneof(fc.constant([]), fc.array(fc.constantFrom(good.credentials[0], {})), value),
      activeIssuer: fc.oneof(fc.constantFrom("constructor", "__proto__", "toString", ISSUER), value),
      journal: value,
      requestedScope: value,
      lastUsedAt: value,
    };
    const anything = fc.oneof(
      fc.string(),
      fc.json(),
      fc
        .record(members, { requiredKeys: ["version", "server", "account", "credentials"] })
        .map((record) => JSON.stringify(record)),
    );
    await fc.assert(
      fc.asyncProperty(anything, async (stored) => {
        try {
          const active = activeCredential(parseSession(stored, "memory"));
          if (active !== undefined) expect(Secret.isSecret(active.accessToken)).toBe(true);
        } catch (error) {
          expect((await failureOf(Promise.reject(error))).code).toBe("store_unreadable");
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("store keys of sessions", () => {
  it("come back as they were, and no two meet", () => {
    const part = fc.oneof(text, fc.constantFrom("a/b", "a%2Fb", "/", "session/", "ü"));
    fc.assert(
      fc.property(part, part, part, part, (account, server, otherAccount, otherServer) => {
        const key = storeKey({ account, server });
        expect(parseStoreKey(key)).toEqual({ account, server });
        if (account !== otherAccount || server !== otherServer)
          expect(storeKey({ account: otherAccount, server: otherServer })).not.toBe(key);
      }),
      { numRuns: 300 },
    );
  });

  it.each(["client/https://as", "session/", "session/only-account", "session/%E0%A4%A/x", ""])(
    "are not others: %j",
    (key) => {
      expect(parseStoreKey(key)).toBeUndefined();
    },
  );
});
