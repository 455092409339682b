import { handOver, McpOAuthError } from "../core/errors.ts";
import type { ServerSession } from "../flow/run.ts";
import { SdkSession } from "./sdk-session.ts";

/** What the SDKs take for stored tokens. */
export interface SdkTokens {
  access_token: string;
  token_type: string;
  expires_in?: number;
  scope?: string;
  issuer: string;
}

/** What the SDKs take for the result of a discovery. It names nobody: the discovery that counts is made elsewhere. */
export interface SdkDiscoveryState {
  authorizationServerUrl: string;
  // Type literals and no interfaces: the first SDK version wants members that it does not know to be allowed.
  resourceMetadata: { resource: string };
  authorizationServerMetadata: {
    issuer: string;
    authorization_endpoint: string;
    token_endpoint: string;
    response_types_supported: string[];
  };
}

/**
 * One object that both MCP SDKs take as their `OAuthClientProvider`. The types are structural, so that no SDK has to be
 * installed.
 */
export interface SdkOAuthProvider {
  readonly redirectUrl: undefined;
  readonly clientMetadata: { client_name: string; redirect_uris: string[] };
  /** A stand-in: the real client stays with the token manager. */
  clientInformation(context?: { issuer: string }): { client_id: string; issuer: string };
  /** A valid token; signs in where the server asks for that. */
  tokens(): Promise<SdkTokens | undefined>;
  /** Does nothing: tokens have been written before. */
  saveTokens(): void;
  /** Not called; throws. */
  redirectToAuthorization(): void;
  /** Not called; throws. */
  saveCodeVerifier(): void;
  /** Not called; throws. */
  codeVerifier(): string;
  /** Leaves the resource to the token manager, which has checked it. */
  validateResourceURL(): Promise<undefined>;
  /** The metadata that has been verified. */
  discoveryState(): SdkDiscoveryState;
  /** Where the refresh or the sign-in happens. */
  prepareTokenRequest(scope?: string): Promise<URLSearchParams>;
  /** Points the SDK's own token request at an empty `data:` document. */
  addClientAuthentication(headers: Headers, parameters: URLSearchParams, url: string | URL): void;
}

/** Stands for the client while the real one may not exist yet; it never leaves the process. */
const CLIENT_ID = "kept-by-the-token-manager";

/** Stands for the authorization server. It is nobody's (RFC 2606), so what is sent there reaches nobody. */
const NOBODY = "https://kept-by-the-token-manager.invalid";

/** A token response that says nothing: what counts has been stored already. */
const NOTHING = JSON.stringify({ access_token: "kept-by-the-token-manager", token_type: "Bearer" });
const EMPTY_TOKEN_RESPONSE = `data:application/json,${encodeURIComponent(NOTHING)}`;

function discoveryStateOf(resource: string): SdkDiscoveryState {
  return {
    authorizationServerUrl: NOBODY,
    resourceMetadata: { resource },
    authorizationServerMetadata: {
      issuer: NOBODY,
      authorization_endpoint: `${NOBODY}/authorize`,
      token_endpoint: `${NOBODY}/token`,
      response_types_supported: ["code"],
    },
  };
}

async function sdkTokens(session: SdkSession, now: () => number): Promise<SdkTokens | undefined> {
  const credential = await session.credential();
  if (credential === undefined) return undefined;
  const { accessToken, tokenType, expiresAt, scope, issuer } = credential;
  return {
    access_token: accessToken.reveal(),
    token_type: tokenType,
    issuer,
    ...(expiresAt !== undefined && { expires_in: Math.max(Math.floor((expiresAt - now()) / 1000), 0) }),
    ...(scope !== undefined && { scope }),
  };
}

/** Turns the SDK's own token request into one that goes nowhere. */
function redirectToNothing(url: string | URL): void {
  if (typeof url === "object") {
    // Both SDKs hand over the very URL that they fetch next; of another realm's, instanceof would know nothing.
    url.href = EMPTY_TOKEN_RESPONSE;
    return;
  }
  throw new McpOAuthError(
    "invalid_configuration",
    "This version of the MCP SDK does not let an auth provider answer its token request. Use the token manager's fetch instead.",
  );
}

/**
 * Makes an object that both MCP SDKs take as `authProvider`, whose sign-in completes inside `client.connect()`.
 *
 * Both SDKs insist on sending a token request themselves, one for each caller that met a refusal. Here that work is done
 * before they ask, once for all callers and with all checks. With no `redirectUrl` the SDKs take their grant from
 * `prepareTokenRequest`, so that is where the work is waited for. What they know of the authorization server is a name
 * that belongs to nobody, and `addClientAuthentication` points their own request at an empty `data:` document: nothing is
 * sent, nothing secret passes through it, and a version that ignored the changed address would reach no one.
 *
 * @param now milliseconds since the epoch.
 */
export function oauthProvider(session: ServerSession, clientName: string, now: () => number): SdkOAuthProvider {
  const sdkSession = new SdkSession(session, now);
  let tellsScope = false;
  const neverCalled = (): never => {
    throw handOver(
      new McpOAuthError(
        "invalid_configuration",
        "The SDK tried to sign in by itself; this auth provider does that. Do not call finishAuth, and update the SDK " +
          "where it is older than 1.24.0, or use the token manager's fetch.",
      ),
    );
  };
  const rethrow = (error: unknown): never => {
    throw handOver(error);
  };
  return {
    redirectUrl: undefined,
    clientMetadata: { client_name: clientName, redirect_uris: [] },
    clientInformation: (context) => {
      // The second SDK version says for which issuer; it is the one that also hands on the scope of a 403.
      tellsScope = context !== undefined;
      return { client_id: CLIENT_ID, issuer: NOBODY };
    },
    tokens: () => sdkTokens(sdkSession, now).catch(rethrow),
    saveTokens: () => undefined,
    redirectToAuthorization: neverCalled,
    saveCodeVerifier: neverCalled,
    codeVerifier: neverCalled,
    validateResourceURL: async () => undefined,
    discoveryState: () => discoveryStateOf(session.key.server),
    prepareTokenRequest: async (scope) => {
      await sdkSession.answerRefusal({ tellsScope, ...(scope !== undefined && { scope }) }).catch(rethrow);
      return new URLSearchParams({ grant_type: "urn:mcp-oauth-client:already-done" });
    },
    addClientAuthentication: (_headers, _parameters, url) => redirectToNothing(url),
  };
}
