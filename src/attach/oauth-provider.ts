import { McpOAuthError } from "../core/errors.ts";
import { coversScope } from "../core/scope.ts";
import type { Discovery } from "../discovery/discover.ts";
import type { ServerSession } from "../flow/run.ts";
import type { Credential } from "../tokens/credential.ts";

/** What the SDKs take for stored tokens. */
export interface SdkTokens {
  access_token: string;
  token_type: string;
  expires_in?: number;
  scope?: string;
  issuer: string;
}

/** What the SDKs take for a verified discovery. */
export interface SdkDiscoveryState {
  authorizationServerUrl: string;
  resourceMetadata?: { resource: string; authorization_servers?: string[]; scopes_supported?: string[] };
  // The SDKs' own types differ between their versions; the document has been validated.
  // biome-ignore lint/suspicious/noExplicitAny: structurally typed by two SDKs
  authorizationServerMetadata?: any;
}

/**
 * One object that both MCP SDKs take as their `OAuthClientProvider`. The types are structural, so that no SDK has to be
 * installed.
 */
export interface SdkOAuthProvider {
  readonly redirectUrl: undefined;
  readonly clientMetadata: { client_name: string; redirect_uris: string[] };
  clientInformation(): { client_id: string; issuer?: string };
  tokens(): Promise<SdkTokens | undefined>;
  saveTokens(): void;
  redirectToAuthorization(): void;
  saveCodeVerifier(): void;
  codeVerifier(): string;
  validateResourceURL(): Promise<undefined>;
  discoveryState(): Promise<SdkDiscoveryState>;
  prepareTokenRequest(scope?: string): Promise<URLSearchParams>;
  addClientAuthentication(headers: Headers, parameters: URLSearchParams, url: string | URL): void;
}

/** Stands for the client while the real one may not exist yet; it never leaves the process. */
const CLIENT_ID = "kept-by-the-token-manager";

/** A token response that says nothing: what counts has been stored already. */
const EMPTY_TOKEN_RESPONSE = `data:application/json,${encodeURIComponent(JSON.stringify({ access_token: "kept-by-the-token-manager", token_type: "Bearer" }))}`;

function discoveryStateOf({ issuer, authorizationServer, protectedResource }: Discovery): SdkDiscoveryState {
  return {
    authorizationServerUrl: issuer,
    authorizationServerMetadata: authorizationServer,
    ...(protectedResource !== undefined && {
      resourceMetadata: {
        resource: protectedResource.resource,
        authorization_servers: [...protectedResource.authorizationServers],
        ...(protectedResource.scopesSupported !== undefined && {
          scopes_supported: [...protectedResource.scopesSupported],
        }),
      },
    }),
  };
}

class OAuthProvider {
  readonly #session: ServerSession;
  readonly #now: () => number;
  #used: Credential | undefined;
  #issuer: string | undefined;
  /** Whether the server has been asked for its challenge while there was no session. */
  #asked = false;

  constructor(session: ServerSession, now: () => number) {
    this.#session = session;
    this.#now = now;
  }

  get issuer(): string | undefined {
    return this.#issuer;
  }

  async tokens(): Promise<SdkTokens | undefined> {
    let credential = await this.#session.credentialForRequest();
    if (credential === undefined && !this.#asked) {
      // Asking here, before the SDK's first request, saves the round trip of having that one refused.
      this.#asked = true;
      credential = await this.#session.signInIfAsked();
    }
    // A request is prepared only after the one before was not refused.
    if (this.#used !== undefined && this.#used === credential) this.#session.accepted(this.#used);
    this.#used = credential;
    if (credential === undefined) return undefined;
    this.#asked = false;
    const { accessToken, tokenType, expiresAt, scope, issuer } = credential;
    return {
      access_token: accessToken.reveal(),
      token_type: tokenType,
      issuer,
      ...(expiresAt !== undefined && { expires_in: Math.max(Math.floor((expiresAt - this.#now()) / 1000), 0) }),
      ...(scope !== undefined && { scope }),
    };
  }

  async discoveryState(): Promise<SdkDiscoveryState> {
    const discovery = await this.#session.discover(undefined);
    this.#issuer = discovery.issuer;
    return discoveryStateOf(discovery);
  }

  /**
   * The SDK has met a refusal and does not tell which: the server is asked again. If it refuses us there as well, the
   * credential is renewed; if not, the refusal was about scopes.
   */
  async answerRefusal(scope: string | undefined): Promise<void> {
    const used = this.#used;
    const challenge = await this.#session.probe(used);
    if (challenge !== undefined) {
      await this.#session.afterRefusal(challenge, used);
      return;
    }
    if (used === undefined) {
      await this.#session.afterRefusal({ status: 401, schemes: [] }, used);
      return;
    }
    const added = scope !== undefined && !coversScope(used.requestedScope, scope) ? { scope } : {};
    const stepped = await this.#session.afterRefusal(
      { status: 403, error: "insufficient_scope", schemes: [], ...added },
      used,
    );
    if (stepped === undefined) throw this.#nothingToAskFor();
  }

  #nothingToAskFor(): McpOAuthError {
    const { server } = this.#session.key;
    const message = `${server} refuses the request although every scope that it names has been granted. Ask its operator which permission is missing.`;
    return new McpOAuthError("insufficient_scope", message, { server, status: 403 });
  }
}

/**
 * Makes an object that both MCP SDKs take as `authProvider`, whose sign-in completes inside `client.connect()`.
 *
 * Both SDKs insist on sending the token request themselves, one for each caller that met a 401. Here that request has
 * been made before they ask, once for all callers and with all checks; with no `redirectUrl` the SDKs take their grant
 * from `prepareTokenRequest`, so that is where the work is waited for, and `addClientAuthentication` then points the SDK's
 * own request at an empty `data:` document: nothing is sent, and nothing secret passes through it.
 */
export function oauthProvider(session: ServerSession, clientName: string, now: () => number): SdkOAuthProvider {
  const provider = new OAuthProvider(session, now);
  const neverCalled = (): never => {
    throw new McpOAuthError(
      "invalid_configuration",
      "The SDK tried to sign in by itself; this auth provider does that. Do not call finishAuth.",
    );
  };
  return {
    redirectUrl: undefined,
    clientMetadata: { client_name: clientName, redirect_uris: [] },
    clientInformation: () => ({
      client_id: CLIENT_ID,
      ...(provider.issuer !== undefined && { issuer: provider.issuer }),
    }),
    tokens: () => provider.tokens(),
    saveTokens: () => undefined,
    redirectToAuthorization: neverCalled,
    saveCodeVerifier: neverCalled,
    codeVerifier: neverCalled,
    validateResourceURL: async () => undefined,
    discoveryState: () => provider.discoveryState(),
    async prepareTokenRequest(scope) {
      await provider.answerRefusal(scope);
      return new URLSearchParams({ grant_type: "urn:mcp-oauth-client:already-done" });
    },
    addClientAuthentication(_headers, _parameters, url) {
      if (url instanceof URL) url.href = EMPTY_TOKEN_RESPONSE;
    },
  };
}
