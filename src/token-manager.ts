import { openInBrowser } from "./adapters/browser.ts";
import { chooseStore } from "./adapters/choose-store.ts";
import { guardedFetch } from "./adapters/guarded-fetch.ts";
import { loopbackReceiver } from "./adapters/loopback/receiver.ts";
import { bearerProvider, type SdkBearerProvider } from "./attach/bearer-provider.ts";
import { authorizedFetch } from "./attach/fetch.ts";
import { oauthProvider, type SdkOAuthProvider } from "./attach/oauth-provider.ts";
import { type ExtensionSettings, extensionsOf } from "./authorization/extensions.ts";
import { grantFor, requireMachineGrants } from "./authorization/machine-grants.ts";
import { type Clock, systemClock } from "./core/clock.ts";
import { McpOAuthError } from "./core/errors.ts";
import { EventHub, type McpOAuthEvent, type McpOAuthEventName } from "./core/events.ts";
import { type Fetch, Http, platformFetch } from "./core/http.ts";
import type { Secret } from "./core/secret.ts";
import { canonicalServerUrl, requireSecureUrl } from "./core/url.ts";
import { MetadataCache } from "./discovery/cache.ts";
import type { DiscoveryPolicy } from "./discovery/discover.ts";
import { IssuerProfiles } from "./endpoint/issuer-profile.ts";
import { cachePartitionOf } from "./flow/cache-partition.ts";
import type { FlowContext } from "./flow/context.ts";
import type { ImportedSession } from "./flow/import-session.ts";
import { ServerSession } from "./flow/run.ts";
import { SignInDesk } from "./flow/sign-in-desk.ts";
import type { SignOutResult } from "./flow/sign-out.ts";
import type { SessionStatus } from "./flow/status.ts";
import type { TokenStore } from "./ports/token-store.ts";
import { ClientRegistry } from "./registration/registry.ts";
import {
  type AccountOptions,
  type GetOptions,
  type ImportSessionOptions,
  type SetTokenOptions,
  type SignInOptions,
  type SignOutOptions,
  type TokenResult,
  tokenResult,
} from "./token-manager-calls.ts";
import { requireAccount, requireOptions, type TokenManagerOptions } from "./token-manager-options.ts";
import { TokenCoordinator } from "./tokens/coordinator.ts";
import { isMachineCredential, type SessionKey } from "./tokens/credential.ts";

function discoveryPolicyOf(options: TokenManagerOptions, profiles: IssuerProfiles): DiscoveryPolicy {
  const { chooseAuthorizationServer, resourceMatch, acceptResource, acceptOrigin, legacyFallback } = options;
  return {
    profiles,
    ...(chooseAuthorizationServer !== undefined && { chooseAuthorizationServer }),
    ...(resourceMatch !== undefined && { resourceMatch }),
    ...(acceptResource !== undefined && { acceptResource }),
    ...(acceptOrigin !== undefined && { acceptOrigin }),
    ...(legacyFallback !== undefined && { legacyFallback }),
  };
}

/**
 * Signs in to protected MCP servers, keeps their tokens, refreshes each exactly once however many ask, and puts them on
 * requests.
 *
 * ```ts
 * const tokens = new TokenManager({ clientName: "Acme Agent" });
 * const transport = new StreamableHTTPClientTransport(url, { fetch: tokens.fetch(url) });
 * await client.connect(transport);
 * ```
 *
 * Everything a server asks for happens inside the request that met it: from the 401 (RFC 6750 section 3) over discovery
 * (RFC 9728, RFC 8414), a client (RFC 7591) and the user's sign-in (OAuth 2.1 with PKCE) to the answer.
 */
export class TokenManager {
  readonly #account: string;
  readonly #clientName: string;
  readonly #clock: Clock;
  readonly #fetch: Fetch;
  readonly #events: EventHub;
  readonly #store: TokenStore;
  readonly #context: FlowContext;
  readonly #desk = new SignInDesk();
  /** By account, then by URL, as given and in canonical form. */
  readonly #sessions = new Map<string, Map<string, ServerSession>>();
  #closed = false;

  /** @throws `invalid_argument` or `invalid_configuration` for options that cannot be used. */
  constructor(options: TokenManagerOptions) {
    requireOptions(options);
    requireMachineGrants(options.grants ?? []);
    this.#clientName = options.clientName;
    this.#account = options.account ?? "default";
    this.#clock = options.clock ?? systemClock;
    this.#fetch = options.fetch ?? platformFetch;
    this.#events = new EventHub(this.#clock);
    this.#store = chooseStore({
      ...options.storeOptions,
      store: options.store ?? "auto",
      onSelected: (selected) => this.#events.emit("store_selected", selected),
    });
    this.#context = this.#wire(options);
  }

  /**
   * A `fetch` for one MCP server, to be handed to any SDK transport. It adds the token to requests to that server's URL
   * and below it, and to no others; a 401 is answered by a refresh or a sign-in, a 403 `insufficient_scope` by a step-up,
   * and the request is then sent once more.
   *
   * The returned function throws {@link McpOAuthError}s; through an SDK, `findMcpOAuthError` finds them. After
   * {@link TokenManager.close} it throws `closed` where it would need a new token.
   *
   * A person who says no, or does nothing, when the stream of the older SSE transport asks for a sign-in is not asked again by
   * that stream, which reconnects by itself: it fails with the same error until the server has taken a request of this
   * function. {@link TokenManager.signIn} asks anew, and so does any other request.
   *
   * From here on the stored session is read, and refreshed where its token has ended (not under a session policy), so that
   * both are done when the first request comes. A host that calls this before it loads its SDK starts so much sooner. What
   * fails is met by that request.
   *
   * @param url the MCP server's URL.
   * @throws `invalid_argument`, `insecure_url`.
   */
  fetch(url: string | URL, options: AccountOptions = {}): Fetch {
    return authorizedFetch({ fetch: this.#fetch, session: this.#session(url, options).prepare() });
  }

  /**
   * An `OAuthClientProvider` for both MCP SDKs, for frameworks that take only that. The sign-in completes inside
   * `client.connect()`: call no `finishAuth`, build no second transport.
   *
   * Prefer {@link TokenManager.fetch} where you can: with the first SDK version a provider does not learn which scopes a
   * 403 asks for, and asks for all that the server supports; and of many calls that meet a revoked token at once, that
   * version gives up those whose 401 comes late. From the first call on, sign-ins to this server ask for bearer tokens
   * only, because an SDK sends no other kind for a provider. The stored session is read at once, as by `fetch`.
   *
   * @throws `invalid_argument`, `insecure_url`.
   */
  authProvider(url: string | URL, options: AccountOptions = {}): SdkOAuthProvider {
    return oauthProvider(this.#session(url, options).prepare(), this.#clientName, () => this.#clock.now());
  }

  /**
   * The small `AuthProvider` of the second SDK version: `token` and `onUnauthorized`. It cannot step up scopes, because the
   * SDK does not hand it 403 answers, and as with {@link TokenManager.authProvider} it is bearer tokens only.
   *
   * @throws `invalid_argument`, `insecure_url`.
   */
  bearerProvider(url: string | URL, options: AccountOptions = {}): SdkBearerProvider {
    return bearerProvider(this.#session(url, options).prepare(), () => this.#clock.now());
  }

  /**
   * A valid access token for an MCP server: from memory when it is fresh, else refreshed, else by a sign-in.
   *
   * @throws `sign_in_required` for a server that was not seen to ask for authorization, and for a session that has ended
   * where `interactive` is `false`; `refresh_failed`; and all that {@link TokenManager.signIn} throws.
   */
  async get(url: string | URL, options: GetOptions = {}): Promise<TokenResult> {
    const { minTtlSeconds = 0, signal } = options;
    const session = this.#session(url, options);
    // Most calls are for a token that is in memory and fresh; they cost no more than looking it up.
    const fresh = session.freshCredential(minTtlSeconds * 1000);
    if (fresh !== undefined) return tokenResult(fresh);
    return tokenResult(
      await session.credential({ minTtlMs: minTtlSeconds * 1000, ...(signal !== undefined && { signal }) }),
    );
  }

  /**
   * Signs in now, whether or not there is a session, and keeps the result.
   *
   * @throws `invalid_argument`, `invalid_configuration`, `interaction_required`, `discovery_failed`, `resource_mismatch`,
   * `issuer_mismatch`, `pkce_unsupported`, `dpop_unsupported`, `client_unavailable`, `client_mismatch`,
   * `registration_failed`, `redirect_unavailable`, `browser_unavailable`, `authorization_denied`, `authorization_failed`,
   * `invalid_authorization_response`, `token_request_failed`, `invalid_response`, `insecure_url`, `address_refused`,
   * `network_failed`, `timeout`, `aborted`, `store_unavailable`, `store_unreadable`, `store_failed`, `lock_timeout`,
   * `closed`.
   */
  async signIn(url: string | URL, options: SignInOptions = {}): Promise<TokenResult> {
    return tokenResult(await this.#session(url, options).signIn(options));
  }

  /**
   * Keeps a fixed API key or token for a server that does not use OAuth, in the same store; `fetch` and the providers send
   * it from then on. Nothing renews it: when the server refuses it, the error is `token_rejected`.
   *
   * @param url the MCP server's URL.
   * @param token the key.
   * @throws `invalid_argument` for a URL that is none, and for a key or header that no request can carry; `insecure_url`;
   * `invalid_configuration` for a store without its key; `store_unavailable`, `store_unreadable`, `store_failed`,
   * `lock_timeout`; `closed`.
   */
  async setToken(url: string | URL, token: string | Secret, options: SetTokenOptions = {}): Promise<void> {
    const { key } = this.#session(url, options);
    const { staticCredential } = await import("./flow/manage.ts");
    await this.#context.coordinator.save(key, staticCredential(key, token, options.header, this.#clock.now()));
  }

  /**
   * Takes over a session that another program has signed in to, with its client, so that nobody has to sign in again. The
   * server's metadata must name the authorization server that the tokens came from (RFC 9728, RFC 8414); that the tokens
   * still work shows at their first use. A refresh token is used up by whoever refreshes first: stop the other program.
   *
   * @param url the MCP server's URL.
   * @throws `issuer_mismatch` when the server names another authorization server; `invalid_argument` for a session that
   * does not say which one it is of, and when there is a session already and `replace` is not set; `store_failed`; and all
   * that discovery throws.
   */
  async importSession(
    url: string | URL,
    session: ImportedSession,
    options: ImportSessionOptions = {},
  ): Promise<TokenResult> {
    const own = this.#session(url, options);
    const { importSession } = await import("./flow/manage.ts");
    return tokenResult(await importSession(this.#context, own, session, options));
  }

  /**
   * A name for the authorization context of a session, for caches of MCP results: one that is marked `private` must not be
   * served under another name (MCP 2026-07-28, "Caching"). It outlasts refreshes and restarts and changes with each
   * sign-in. The second SDK version takes it as `cachePartition`.
   *
   * @returns `undefined` where there is no session. Such a client must share its cache with no other.
   * @throws `invalid_argument`, `insecure_url`, `store_unreadable`, `store_unavailable`.
   */
  async cachePartition(url: string | URL, options: AccountOptions = {}): Promise<string | undefined> {
    const { key } = this.#session(url, options);
    const session = await this.#context.coordinator.load(key);
    return session?.credential && cachePartitionOf(key, session.credential);
  }

  /**
   * The authorization extensions of MCP that are in use for a server, by the grant configured for it; none unless one is.
   * A client declares them in its capabilities, under `extensions` (SEP-2133).
   *
   * @throws `invalid_argument`, `insecure_url`.
   */
  extensions(url: string | URL): Record<string, ExtensionSettings> {
    return extensionsOf(grantFor(this.#context.grants, this.#session(url, {}).key.server));
  }

  /**
   * Ends sessions: revokes the refresh token, then the access token (RFC 7009), and removes the local copy in any case.
   *
   * @param url the MCP server; left out together with `all: true`, every session.
   * @returns what became of each session; with `all`, at the end also of records that cannot be read and do not tell whose
   * they are: they are left as they are.
   * @throws `invalid_argument` for a URL that is none, or without a URL and without `all`; `store_failed`, `lock_timeout`
   * when a local copy could not be removed; `store_unavailable`, `store_unreadable`; `invalid_configuration` for a store
   * without its key; `closed`. What the authorization server says is in the result.
   */
  async signOut(url?: string | URL, options: SignOutOptions = {}): Promise<SignOutResult[]> {
    this.#requireOpen();
    const unknown: McpOAuthError[] = [];
    const keys = await this.#keysToSignOut(url, options, (error) => unknown.push(error));
    const { signOutSession } = await import("./flow/manage.ts");
    const results: SignOutResult[] = [];
    for (const key of keys) results.push(await signOutSession(this.#context, key, options));
    const kept = { server: "", account: "", revocation: "unreadable" } as const;
    return [...results, ...unknown.map((error) => ({ ...kept, error }))];
  }

  /**
   * The sessions in the store, without their tokens: all of them, or with a URL the one of an account on that server. That
   * one is told of also where there is none, and whatever state the others are in. What cannot be read is told of as
   * `unreadable`, and hides nothing else; see {@link SessionStatus.server}.
   *
   * @param url the MCP server.
   * @throws `store_unreadable` when the store cannot be read at all, `store_unavailable`; `invalid_argument`,
   * `insecure_url`.
   */
  async status(url?: string | URL, options: AccountOptions = {}): Promise<SessionStatus[]> {
    this.#requireOpen();
    const unknown: McpOAuthError[] = [];
    const all = (): Promise<SessionKey[]> =>
      this.#context.coordinator.list({ onUnreadable: (error) => unknown.push(error) });
    const keys = url === undefined ? await all() : [this.#session(url, options).key];
    const { statusOf, unknownSession } = await import("./flow/manage.ts");
    const known = await Promise.all(keys.map((key) => statusOf(this.#context, key)));
    return [...known, ...unknown.map((error) => unknownSession(this.#context, error))];
  }

  /**
   * Listens to events of one name, or of all (`"*"`). No event carries a secret; a listener that throws disturbs nothing.
   *
   * @returns a function that removes the listener.
   */
  on<Name extends McpOAuthEventName>(name: Name | "*", listener: (event: McpOAuthEvent<Name>) => void): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * Ends sign-ins under way, waits for refreshes under way, and lets go of timers and of the store. Sessions stay stored.
   * What was handed out before starts neither any more: it goes on with the tokens that are in memory, and where these do not
   * do, it throws `closed`. Calling it again does nothing.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#desk.close();
    await this.#context.coordinator.close();
    await this.#store.close?.();
  }

  #session(url: string | URL, { account = this.#account }: AccountOptions): ServerSession {
    this.#requireOpen();
    const known = this.#sessions.get(account)?.get(String(url));
    if (known !== undefined) return known;
    requireAccount(account);
    const server = canonicalServerUrl(url);
    requireSecureUrl(server, "The MCP server's URL", { server });
    const sessions = this.#sessions.get(account) ?? new Map<string, ServerSession>();
    const session = sessions.get(server) ?? new ServerSession(this.#context, { server, account }, this.#desk);
    this.#sessions.set(account, sessions.set(server, session).set(String(url), session));
    return session;
  }

  async #keysToSignOut(
    url: string | URL | undefined,
    { account, all = false }: SignOutOptions,
    onUnreadable: (error: McpOAuthError) => void,
  ): Promise<SessionKey[]> {
    if (url === undefined && !all) {
      throw new McpOAuthError(
        "invalid_argument",
        "signOut needs the URL of an MCP server, or { all: true } for every session.",
      );
    }
    const server = url === undefined ? undefined : canonicalServerUrl(url);
    if (server !== undefined && !all) return [{ server, account: account ?? this.#account }];
    const keys = await this.#context.coordinator.list({ onUnreadable });
    return keys
      .filter((key) => server === undefined || key.server === server)
      .filter((key) => account === undefined || key.account === account);
  }

  #requireOpen(): void {
    if (this.#closed) throw new McpOAuthError("closed", "This token manager has been closed. Make a new one.");
  }

  /** The Node preset: which adapter stands behind which port. */
  #wire(options: TokenManagerOptions): FlowContext {
    const clock = this.#clock;
    const events = this.#events;
    const store = this.#store;
    const http = new Http({
      fetch: this.#fetch,
      clock,
      ...(options.fetch === undefined && { fetchFor: guardedFetch(options.network ?? {}, this.#fetch) }),
      ...(options.requestTimeoutMs !== undefined && { timeoutMs: options.requestTimeoutMs }),
    });
    const registry = new ClientRegistry({
      store,
      http,
      clock,
      events,
      clientName: options.clientName,
      clients: options.clients ?? [],
      ...(options.clientMetadataUrl !== undefined && { clientMetadataUrl: options.clientMetadataUrl }),
      ...(options.clientMetadataKey !== undefined && { clientMetadataKey: options.clientMetadataKey }),
    });
    const grants = options.grants ?? [];
    const profiles = new IssuerProfiles(options.issuerProfiles ?? [], ({ issuer, server, relaxation, source }) =>
      events.emit("deviation", { server, issuer, rule: relaxation, detail: source ?? "by the option issuerProfiles" }),
    );
    const coordinator = new TokenCoordinator({
      store,
      clock,
      http,
      events,
      refreshAt: options.refreshAt ?? 0.8,
      ...(options.requestTimeoutMs !== undefined && { requestTimeoutMs: options.requestTimeoutMs }),
      ...(options.sessionPolicy !== undefined && { sessionPolicy: options.sessionPolicy }),
      profiles,
      renewByGrant: (key, credential) =>
        isMachineCredential(credential)
          ? import("./flow/acquire.ts").then(({ renewByGrant }) => renewByGrant(context, key, credential))
          : undefined,
      completeClient: (client, authorizationServer) => registry.complete(client, authorizationServer),
      onClientForgotten: (client, server) => registry.forget(client, server),
    });
    const context: FlowContext = {
      clientName: options.clientName,
      clock,
      http,
      events,
      store,
      registry,
      coordinator,
      metadataCache: new MetadataCache(clock),
      profiles,
      discoveryPolicy: discoveryPolicyOf(options, profiles),
      receiver: options.redirectReceiver ?? loopbackReceiver({ clock }),
      redirect: options.redirect ?? {},
      openBrowser: options.openBrowser ?? openInBrowser,
      prompt: options.prompt,
      devicePrompt: options.devicePrompt,
      interactive: options.interactive ?? true,
      expectAuthorization: options.expectAuthorization ?? false,
      signInTimeoutMs: options.signInTimeoutMs ?? 300_000,
      narrowScope: options.narrowScope,
      dpop: options.dpop ?? "auto",
      grants,
    };
    return context;
  }
}
