import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { isJsonObject } from "../../../src/core/json.ts";
import { Secret } from "../../../src/core/secret.ts";
import { clientFromRecord, clientToRecord } from "../../../src/endpoint/oauth-client.ts";
import { parseStoreKey, type SessionRecord, storeKey } from "../../../src/tokens/credential.ts";
import { parseSession, serializeSession } from "../../../src/tokens/session-record.ts";
import { clientAt, credentialAt, SERVER } from "../../support/stage.ts";
import { mutatedJson } from "../generate-json.ts";
import { mutatedText } from "../generate-text.ts";
import { keepsToItsMembers } from "../planted.ts";
import { fuzzTarget, requireNoSecret } from "../target.ts";

const ISSUER = "https://as.example.com";
const OTHER = "https://other.example.com";
const SECRETS = ["planted-access", "planted-refresh", "planted-client-secret"];

const full = credentialAt(ISSUER, {
  accessToken: new Secret("planted-access"),
  refreshToken: new Secret("planted-refresh"),
  client: clientAt(ISSUER, { secret: "planted-client-secret", redirectUris: ["http://127.0.0.1/callback"] }),
  scope: "a b",
  requestedScope: "a b c",
});
const records: readonly SessionRecord[] = [
  { server: SERVER, account: "default", activeIssuer: ISSUER, credentials: { [ISSUER]: full } },
  {
    server: SERVER,
    account: "wörk/1",
    activeIssuer: OTHER,
    credentials: { [ISSUER]: full, [OTHER]: credentialAt(OTHER) },
    requestedScope: "a",
    journal: { sentAt: 5, recent: [1, 2, 5] },
    lastUsedAt: 7,
  },
];
const stored = fc.constantFrom(...records.map((record): unknown => JSON.parse(serializeSession(record))));
const names = [
  ...["version", "server", "account", "credentials", "activeIssuer", "requestedScope", "journal", "lastUsedAt"],
  ...["issuer", "resource", "client", "authorizationServer", "accessToken", "tokenType", "refreshToken", "dpopKey"],
  ...["header", "issuedAt", "expiresAt", "scope", "flow", "signedInAt", "sentAt", "recent", "how", "clientId"],
  ...["token_endpoint", "revocation_endpoint", "token_endpoint_auth_methods_supported", "clientSecret"],
];

/** As a record is, with its secrets laid open so that two can be compared. JSON has no negative zero. */
function revealed(value: unknown): unknown {
  if (Secret.isSecret(value)) return `secret ${value.reveal()}`;
  if (Array.isArray(value)) return value.map(revealed);
  if (!isJsonObject(value)) return value === 0 ? 0 : value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, revealed(member)]));
}

const isTextOrAbsent = (value: unknown): boolean => value === undefined || typeof value === "string";
const isNumberOrAbsent = (value: unknown): boolean => value === undefined || Number.isFinite(value);
const areTextsOrAbsent = (value: unknown): boolean =>
  value === undefined || (Array.isArray(value) && value.every((item) => typeof item === "string"));

function requireTypes({ credentials, activeIssuer, journal, lastUsedAt, server, account }: SessionRecord): void {
  assert.ok([server, account].every((value) => typeof value === "string"));
  assert.ok(isTextOrAbsent(activeIssuer) && isNumberOrAbsent(lastUsedAt));
  assert.ok((journal?.recent ?? []).every(Number.isFinite) && isNumberOrAbsent(journal?.sentAt));
  for (const [issuer, credential] of Object.entries(credentials)) {
    const { client, authorizationServer, expiresAt, issuedAt, signedInAt } = credential;
    assert.deepEqual([credential.issuer, client.issuer, authorizationServer.issuer], [issuer, issuer, issuer]);
    assert.ok([credential.accessToken, credential.refreshToken ?? credential.accessToken].every(Secret.isSecret));
    assert.ok([expiresAt, issuedAt, signedInAt, client.secretExpiresAt].every(isNumberOrAbsent));
    assert.ok([credential.scope, credential.header, credential.flow, client.clientId].every(isTextOrAbsent));
    const { token_endpoint, revocation_endpoint, token_endpoint_auth_methods_supported } = authorizationServer;
    assert.ok([token_endpoint, revocation_endpoint].every(isTextOrAbsent), "an endpoint is no text");
    assert.ok([token_endpoint_auth_methods_supported, client.redirectUris].every(areTextsOrAbsent), "no list of texts");
  }
}

export const sessionRecord = fuzzTarget<string>(
  "session record",
  mutatedJson(stored, { names, pieces: [ISSUER] }),
  () => ({
    read(text) {
      const record = parseSession(text, "fuzzed");
      requireTypes(record);
      const again = parseSession(serializeSession(record), "fuzzed");
      assert.ok(isDeepStrictEqual(revealed(again), revealed(record)), "what is written and read again is another");
      if (keepsToItsMembers(text)) requireNoSecret(record, SECRETS);
      return record;
    },
    secretsIn: () => SECRETS,
  }),
);

const storedClient = fc.constantFrom(
  ...[clientAt(ISSUER), clientAt(ISSUER, { secret: "planted-client-secret", redirectUris: ["http://127.0.0.1/"] })].map(
    (client): unknown => JSON.parse(JSON.stringify(clientToRecord(client))),
  ),
);

export const clientRecord = fuzzTarget<string>(
  "client record",
  mutatedJson(storedClient, { names: [...names, "redirectUris", "secretExpiresAt", "registrationUri"] }),
  () => ({
    read(text) {
      const record = safeParse(text);
      const client = record && clientFromRecord(record);
      if (client === undefined) return undefined;
      assert.ok(isNumberOrAbsent(client.secretExpiresAt) && areTextsOrAbsent(client.redirectUris));
      const again = clientFromRecord(JSON.parse(JSON.stringify(clientToRecord(client))));
      assert.deepEqual(revealed(again), revealed(client));
      if (keepsToItsMembers(text)) requireNoSecret(client, SECRETS);
      return client;
    },
  }),
);

function safeParse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const key = fc.record(
  {
    account: fc.oneof(fc.constantFrom("default", "", "a/b", "%2F", "__proto__"), fc.string({ unit: "grapheme" })),
    server: fc.oneof(fc.constantFrom(SERVER, "/", "", "session/x/y"), fc.string({ unit: "grapheme" })),
  },
  { noNullPrototype: true },
);

export const sessionKey = fuzzTarget<string | { account: string; server: string }>(
  "session key",
  fc.oneof(key, mutatedText(fc.constant(storeKey({ account: "a b", server: SERVER })))),
  () => ({
    read(input) {
      if (typeof input === "string") return parseStoreKey(input);
      const parsed = parseStoreKey(storeKey(input));
      assert.deepEqual(parsed, input);
      return parsed;
    },
  }),
);
