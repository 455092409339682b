import { McpOAuthError } from "../core/errors.ts";
import { Secret } from "../core/secret.ts";
import { quoted } from "../core/text.ts";
import { parseUrl } from "../core/url.ts";
import type { Discovery } from "../discovery/discover.ts";
import { chooseSecretMethod } from "../endpoint/client-authentication.ts";
import type { IssuerProfiles } from "../endpoint/issuer-profile.ts";
import type { OAuthClient } from "../endpoint/oauth-client.ts";
import { isSendableToken } from "../endpoint/token-request.ts";
import { type Credential, storeKey } from "../tokens/credential.ts";
import type { FlowContext } from "./context.ts";
import type { ServerSession } from "./run.ts";

/** The client that another program signed in with; its refresh token works for no other. */
export interface ImportedClient {
  clientId: string;
  /** For confidential clients. */
  clientSecret?: string | Secret;
  /** When the secret ends, in milliseconds since the epoch. Default: it does not. */
  secretExpiresAt?: number;
  /** Default: `none` without a secret, else out of what the authorization server supports. */
  authenticationMethod?: "none" | "client_secret_basic" | "client_secret_post";
}

/** A session that another program has signed in to. At least one of `issuer` and `tokenEndpoint` is needed. */
export interface ImportedSession {
  /** The authorization server that gave the tokens, byte for byte as its metadata names it. */
  issuer?: string;
  /** Where the tokens were got, for programs that noted only that. */
  tokenEndpoint?: string;
  client: ImportedClient;
  accessToken: string | Secret;
  /** Without one, the session ends with the access token. */
  refreshToken?: string | Secret;
  /** When the access token ends, in milliseconds since the epoch. Absent: it is used until it is refused. */
  expiresAt?: number;
  /** The granted scopes, separated by spaces. */
  scope?: string;
}

function refused(message: string, discovery: Discovery): McpOAuthError {
  const { server, issuer } = discovery;
  return new McpOAuthError("issuer_mismatch", `${message} The session was not imported; sign in again.`, {
    server,
    issuer,
  });
}

/** A token is sent only to the server that gave it: what the other program noted must be what the server names today. */
function requireSameIssuer(
  { issuer, tokenEndpoint }: ImportedSession,
  discovery: Discovery,
  profiles: IssuerProfiles,
): void {
  const { server, authorizationServer } = discovery;
  if (issuer !== undefined && issuer !== discovery.issuer) {
    throw refused(`The session is of ${quoted(issuer)}, but ${server} signs in at ${discovery.issuer}.`, discovery);
  }
  const expected = authorizationServer.token_endpoint;
  if (tokenEndpoint === undefined) return;
  if (URL.canParse(tokenEndpoint) && new URL(tokenEndpoint).href === hrefOf(expected)) {
    if (issuer !== undefined || ownsItsEndpoints(discovery, profiles)) return;
    // Anybody can name another's token endpoint as their own; without an issuer nothing tells the two apart.
    throw refused(
      `${server} signs in at ${discovery.issuer}, whose endpoints are at another origin, so that the token endpoint alone does not say whose the session is; give its issuer.`,
      discovery,
    );
  }
  throw refused(
    `The session's tokens came from ${quoted(tokenEndpoint)}, but ${server} signs in at ${discovery.issuer}, whose token endpoint is ${quoted(String(expected))}.`,
    discovery,
  );
}

/** Whether what tokens are sent to is at the issuer's origin, or at one that is known to be its. */
function ownsItsEndpoints({ issuer, authorizationServer }: Discovery, profiles: IssuerProfiles): boolean {
  const { token_endpoint, revocation_endpoint } = authorizationServer;
  const isOwn = (url: string): boolean =>
    new URL(url).origin === new URL(issuer).origin || profiles.listsOrigin(issuer, new URL(url).origin);
  return [token_endpoint, revocation_endpoint].every((url) => url === undefined || isOwn(url));
}

function hrefOf(url: string | undefined): string | undefined {
  return url === undefined ? undefined : new URL(url).href;
}

function secretOf(text: string | Secret): Secret {
  return typeof text === "string" ? new Secret(text) : text;
}

function requireUsable(server: string, session: ImportedSession, bearerAllowed: boolean): void {
  const { issuer, tokenEndpoint, client, accessToken, expiresAt = 0 } = session;
  const invalid = (problem: string): McpOAuthError =>
    new McpOAuthError("invalid_argument", `importSession for ${server}: ${problem}.`, { server });
  if (issuer === undefined && tokenEndpoint === undefined)
    throw invalid("nothing says which authorization server the session is of; give its issuer or its tokenEndpoint");
  if (client.clientId === "") throw invalid("the client has no clientId");
  if (client.clientSecret === undefined && client.authenticationMethod?.startsWith("client_secret") === true)
    throw invalid(`the client authenticates by ${client.authenticationMethod}, which needs a clientSecret`);
  if (!isSendableToken(secretOf(accessToken).reveal()))
    throw invalid("the accessToken is empty, or no request header can carry it");
  if (!Number.isFinite(expiresAt) || !Number.isFinite(client.secretExpiresAt ?? 0))
    throw invalid("expiresAt and secretExpiresAt must be milliseconds since the epoch");
  if (!bearerAllowed) throw invalid('it has a bearer token, and the option dpop is "require"');
}

function clientOf({ client }: ImportedSession, { issuer, authorizationServer }: Discovery): OAuthClient {
  const { clientId, clientSecret, secretExpiresAt, authenticationMethod } = client;
  const supported = authorizationServer.token_endpoint_auth_methods_supported;
  return {
    issuer,
    clientId,
    // An https URL names a client ID metadata document; any other id was registered, by whomever.
    how: parseUrl(clientId)?.protocol === "https:" ? "metadata-document" : "dynamic",
    authenticationMethod: authenticationMethod ?? (clientSecret === undefined ? "none" : chooseSecretMethod(supported)),
    ...(clientSecret !== undefined && { clientSecret: secretOf(clientSecret) }),
    ...(secretExpiresAt !== undefined && { secretExpiresAt }),
  };
}

function credentialOf(session: ImportedSession, discovery: Discovery, nowMs: number): Credential {
  const { accessToken, refreshToken, expiresAt, scope } = session;
  const { issuer, resource, authorizationServer } = discovery;
  return {
    issuer,
    resource,
    client: clientOf(session, discovery),
    authorizationServer,
    accessToken: secretOf(accessToken),
    tokenType: "Bearer",
    issuedAt: nowMs,
    signedInAt: nowMs,
    flow: "import",
    ...(refreshToken !== undefined && { refreshToken: secretOf(refreshToken) }),
    ...(expiresAt !== undefined && { expiresAt }),
    ...(scope !== undefined && { scope, requestedScope: scope }),
  };
}

/**
 * Takes over a session of another program, bound to the authorization server that discovery finds.
 *
 * @throws as `TokenManager.importSession`.
 */
export async function importSession(
  context: FlowContext,
  session: ServerSession,
  imported: ImportedSession,
  { replace = false, signal }: { replace?: boolean; signal?: AbortSignal },
): Promise<Credential> {
  const { key } = session;
  const { store, coordinator, clock } = context;
  requireUsable(key.server, imported, context.dpop !== "require");
  const discovery = await session.discover(await session.probe(undefined, signal), signal);
  requireSameIssuer(imported, discovery, context.profiles);
  // As for a sign-in, so that neither writes over what the other has just got.
  const lock = await store.lock(`sign-in/${storeKey(key)}`, signal === undefined ? {} : { signal });
  try {
    const present = (await coordinator.reload(key))?.credential;
    if (present !== undefined && !replace) {
      const message = `There is a session at ${key.server} already (account ${quoted(key.account)}). It was left as it is; replace: true puts the imported one in its place.`;
      throw new McpOAuthError("invalid_argument", message, { server: key.server });
    }
    const credential = credentialOf(imported, discovery, clock.now());
    await coordinator.save(key, credential);
    return credential;
  } finally {
    await lock.release();
  }
}
