import { compact } from "../core/compact.ts";
import { McpOAuthError, mcpOAuthErrorCodes } from "../core/errors.ts";
import { isJsonObject, type JsonObject, parseJsonObject, textsMember } from "../core/json.ts";
import { Secret } from "../core/secret.ts";
import { type AuthorizationServerMetadata, ownIssuer, withOwnIssuer } from "../endpoint/authorization-server.ts";
import { clientFromRecord, clientToRecord, type OAuthClient } from "../endpoint/oauth-client.ts";
import type { Credential, RefreshJournal, SessionRecord } from "./credential.ts";
import { SharedParts } from "./shared-parts.ts";

const VERSION = 1;

/** The members of authorization server metadata that a refresh, a revocation or a later sign-in needs. */
const KEPT_TEXTS = ["issuer", "token_endpoint", "revocation_endpoint"] as const;
const KEPT_LISTS = [
  "token_endpoint_auth_methods_supported",
  "token_endpoint_auth_signing_alg_values_supported",
  "revocation_endpoint_auth_methods_supported",
  "dpop_signing_alg_values_supported",
] as const;

/** How a server names itself, where that is not its issuer: assertions are addressed to that name. */
const OWN_ISSUER = "ownIssuer";

function metadataToRecord(metadata: AuthorizationServerMetadata): JsonObject {
  const own = ownIssuer(metadata);
  const members: [string, unknown][] = [...KEPT_TEXTS, ...KEPT_LISTS].map((name) => [name, metadata[name]]);
  members.push([OWN_ISSUER, own === metadata.issuer ? undefined : own]);
  return Object.fromEntries(members.filter(([, value]) => value !== undefined));
}

/** The reverse; `undefined` when a member is of another type, since requests are made of them unseen. */
function metadataFromRecord(record: JsonObject): AuthorizationServerMetadata | undefined {
  const isUsable =
    [...KEPT_TEXTS, OWN_ISSUER].every((name) => record[name] === undefined || typeof record[name] === "string") &&
    KEPT_LISTS.every((name) => record[name] === undefined || textsMember(record, name) !== undefined);
  if (!isUsable) return undefined;
  const metadata = metadataToRecord(record as never) as unknown as AuthorizationServerMetadata;
  return withOwnIssuer(metadata, record[OWN_ISSUER]);
}

/** A session as text, for a {@link TokenStore} only: it has secrets in the clear. */
export function serializeSession(record: SessionRecord): string {
  const credentials = Object.values(record.credentials).map((credential) => ({
    ...credential,
    client: clientToRecord(credential.client),
    authorizationServer: metadataToRecord(credential.authorizationServer),
    accessToken: credential.accessToken.reveal(),
    refreshToken: credential.refreshToken?.reveal(),
    dpopKey: credential.dpopKey?.reveal(),
  }));
  return JSON.stringify({ ...record, version: VERSION, credentials });
}

const sharedClients = new SharedParts<OAuthClient>((client) => JSON.stringify(clientToRecord(client)));
const sharedMetadata = new SharedParts<AuthorizationServerMetadata>((each) => JSON.stringify(metadataToRecord(each)));

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** A text that is mostly the same as another, which is then kept once. */
function sharedText(value: unknown, ...others: readonly (string | undefined)[]): string | undefined {
  return others.find((other) => other === value) ?? text(value);
}

function finite(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}

function parseCredential(value: unknown, server: string): Credential | undefined {
  if (!isJsonObject(value)) return undefined;
  const client = isJsonObject(value.client) ? clientFromRecord(value.client) : undefined;
  const stored = value.authorizationServer;
  const authorizationServer = isJsonObject(stored) ? metadataFromRecord(stored) : undefined;
  const issuer = text(value.issuer);
  const resource = sharedText(value.resource, server);
  const accessToken = text(value.accessToken);
  const issuedAt = finite(value.issuedAt);
  const tokenType = value.tokenType;
  if (client === undefined || authorizationServer === undefined || resource === undefined) return undefined;
  if (issuer === undefined || client.issuer !== issuer || authorizationServer.issuer !== issuer) return undefined;
  if (accessToken === undefined || issuedAt === undefined) return undefined;
  if (tokenType !== "Bearer" && tokenType !== "DPoP") return undefined;
  const refreshToken = text(value.refreshToken);
  const dpopKey = text(value.dpopKey);
  const header = text(value.header);
  const expiresAt = finite(value.expiresAt);
  const requestedScope = text(value.requestedScope);
  const scope = sharedText(value.scope, requestedScope);
  const shared = sharedMetadata.of(authorizationServer);
  return compact<Credential>({
    issuer: shared.issuer,
    resource,
    client: sharedClients.of(client),
    authorizationServer: shared,
    accessToken: new Secret(accessToken),
    tokenType,
    issuedAt,
    flow: text(value.flow) ?? "unknown",
    signedInAt: finite(value.signedInAt) ?? issuedAt,
    ...(refreshToken !== undefined && { refreshToken: new Secret(refreshToken) }),
    ...(dpopKey !== undefined && { dpopKey: new Secret(dpopKey) }),
    ...(header !== undefined && { header }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(scope !== undefined && { scope }),
    ...(requestedScope !== undefined && { requestedScope }),
  });
}

function parseFailure(value: unknown): RefreshJournal["failure"] {
  if (!isJsonObject(value)) return undefined;
  const code = mcpOAuthErrorCodes.find((each) => each === value.code);
  const message = text(value.message);
  return code === undefined || message === undefined ? undefined : { code, message };
}

function parseJournal(value: unknown): RefreshJournal | undefined {
  if (!isJsonObject(value)) return undefined;
  const sentAt = finite(value.sentAt);
  const recent = Array.isArray(value.recent) ? value.recent.filter((each) => finite(each) !== undefined) : [];
  const failure = parseFailure(value.failure);
  return sentAt === undefined ? undefined : { sentAt, recent, ...(failure !== undefined && { failure }) };
}

/**
 * Reads a stored session.
 *
 * @throws `store_unreadable` when the text is not a session of this version: it is never taken for absent.
 */
export function parseSession(value: string, store: string): SessionRecord {
  const unreadable = (problem: string): McpOAuthError =>
    new McpOAuthError(
      "store_unreadable",
      `A session in the ${store} store ${problem}. It was left as it is; sign out of the server to remove it, or update this package.`,
    );
  const record = parseJsonObject(value);
  if (record === undefined) throw unreadable("is not a JSON object");
  if (record.version !== VERSION) throw unreadable("was written by another version of this package");
  const server = text(record.server);
  const account = text(record.account);
  const stored = record.credentials;
  if (server === undefined || account === undefined || !Array.isArray(stored))
    throw unreadable("lacks its server, account or credentials");
  const parsed = stored.map((each) => parseCredential(each, server));
  if (parsed.includes(undefined)) throw unreadable("has a credential that cannot be understood");
  const credentials = parsed.filter((credential) => credential !== undefined);
  const issuers = credentials.map(({ issuer }) => issuer);
  const activeIssuer = sharedText(record.activeIssuer, ...issuers);
  const lastIssuer = sharedText(record.lastIssuer, ...issuers);
  const requestedScope = sharedText(record.requestedScope, ...credentials.map((each) => each.requestedScope));
  const journal = parseJournal(record.journal);
  const lastUsedAt = finite(record.lastUsedAt);
  return {
    server,
    account,
    credentials: Object.fromEntries(credentials.map((credential) => [credential.issuer, credential])),
    ...(activeIssuer !== undefined && { activeIssuer }),
    ...(lastIssuer !== undefined && { lastIssuer }),
    ...(requestedScope !== undefined && { requestedScope }),
    ...(journal !== undefined && { journal }),
    ...(lastUsedAt !== undefined && { lastUsedAt }),
  };
}
