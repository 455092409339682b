import type { Clock } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import type { EventHub } from "../core/events.ts";
import type { Http } from "../core/http.ts";
import { parseJsonObject } from "../core/json.ts";
import { coversScope, unionOfScopes } from "../core/scope.ts";
import type { AuthorizationServerMetadata } from "../endpoint/authorization-server.ts";
import { clientFromRecord, clientToRecord, type OAuthClient } from "../endpoint/oauth-client.ts";
import type { PrivateKeyInput } from "../endpoint/private-key.ts";
import type { TokenStore } from "../ports/token-store.ts";
import { metadataDocumentClient, requireClientMetadataUrl } from "./client-metadata-document.ts";
import { type PreRegisteredClient, preRegisteredClient, requirePreRegisteredClients } from "./pre-registered.ts";

export interface ClientRegistryOptions {
  readonly store: TokenStore;
  readonly http: Http;
  readonly clock: Clock;
  readonly events: EventHub;
  readonly clientName: string;
  readonly clients: readonly PreRegisteredClient[];
  readonly clientMetadataUrl?: string;
  readonly clientMetadataKey?: PrivateKeyInput;
}

export interface ClientQuery {
  readonly server: string;
  readonly authorizationServer: AuthorizationServerMetadata;
  /** Absent for a sign-in on another device. */
  readonly redirectUri?: string;
  /** What the authorization request will ask for. */
  readonly scope?: string;
  /** What a registration should cover beside that, for later step-ups. */
  readonly laterScope?: string;
  readonly signal?: AbortSignal;
}

/** How long a server that knew a client is trusted to know it still, where a person would meet its error page. */
const PROOF_LASTS_MS = 10 * 60_000;

/** What a dynamic client was registered for; few servers let one client do both. */
type Purpose = "redirect" | "device";

/** Where the dynamic clients of an issuer are stored: credentials belong to the issuer that gave them. */
function keyOf(issuer: string, purpose: Purpose): string {
  return `${purpose === "device" ? "device-client" : "client"}/${issuer}`;
}

function purposeOf({ redirectUri }: ClientQuery): Purpose {
  return redirectUri === undefined ? "device" : "redirect";
}

/**
 * Obtains clients, in the order of the MCP specification: pre-registered, client ID metadata document, dynamic
 * registration, and otherwise an error that says what the user can do. Dynamic clients are stored by issuer and shared
 * by all servers of that issuer.
 */
export class ClientRegistry {
  readonly #options: ClientRegistryOptions;
  /** When the servers of clients were last seen to know them. */
  readonly #provenAt = new Map<string, number>();
  /** Issuers that advertise metadata documents and have refused ours. */
  readonly #refusedDocumentAt = new Set<string>();

  constructor(options: ClientRegistryOptions) {
    requirePreRegisteredClients(options.clients);
    if (options.clientMetadataUrl !== undefined) requireClientMetadataUrl(options.clientMetadataUrl);
    this.#options = options;
  }

  /** The client that can be used without asking anybody, if there is one. */
  async known(
    authorizationServer: AuthorizationServerMetadata,
    purpose: Purpose = "redirect",
  ): Promise<OAuthClient | undefined> {
    return this.#configured(authorizationServer) ?? (await this.#stored(authorizationServer.issuer, purpose));
  }

  /**
   * A client as it should be used now: what the host configures (a key, which is never stored, or a secret that has been
   * changed) takes the place of what was stored with a session.
   */
  complete(client: OAuthClient, authorizationServer: AuthorizationServerMetadata): OAuthClient {
    if (client.how === "dynamic") return client;
    const configured =
      client.how === "pre-registered"
        ? preRegisteredClient(this.#options.clients, authorizationServer)
        : metadataDocumentClient(
            this.#options.clientMetadataUrl,
            { ...authorizationServer, client_id_metadata_document_supported: true },
            this.#options.clientMetadataKey,
          );
    return configured?.clientId === client.clientId ? configured : client;
  }

  /**
   * The client for an authorization request with this redirect URI; registers one where that is needed and possible.
   *
   * @throws `client_unavailable`, `client_mismatch`, `registration_failed`, and what the store throws.
   */
  async obtain(query: ClientQuery): Promise<OAuthClient> {
    const known = await this.known(query.authorizationServer, purposeOf(query));
    const client = known !== undefined && this.#serves(known, query) ? known : await this.#register(query);
    this.#options.events.emit("client_obtained", {
      server: query.server,
      issuer: client.issuer,
      how: client.how,
      clientId: client.clientId,
    });
    return client;
  }

  /**
   * Whether the server has accepted the client of late, or there is nothing that could take its place: only what registers
   * itself can be registered again, or in place of a metadata document.
   */
  isProven(client: OAuthClient, authorizationServer: AuthorizationServerMetadata): boolean {
    if (!this.isReplaceable(client, authorizationServer)) return true;
    const provenAt = this.#provenAt.get(`${client.issuer} ${client.clientId}`) ?? Number.NEGATIVE_INFINITY;
    return this.#options.clock.now() - provenAt < PROOF_LASTS_MS;
  }

  /** Whether another client can be obtained in the place of one that its server refuses. */
  isReplaceable({ how }: OAuthClient, { registration_endpoint }: AuthorizationServerMetadata): boolean {
    return how === "dynamic" || (how === "metadata-document" && registration_endpoint !== undefined);
  }

  /** Notes that the server has accepted the client. */
  prove(client: OAuthClient): void {
    this.#provenAt.set(`${client.issuer} ${client.clientId}`, this.#options.clock.now());
  }

  /**
   * Drops a dynamic client that its server no longer knows, unless another has taken its place, and tells so. A metadata
   * document that its server refuses is not shown to it again by this token manager, and a client is registered instead.
   */
  async forget(client: OAuthClient, server: string): Promise<void> {
    if (client.how === "metadata-document") this.#refusedDocumentAt.add(client.issuer);
    else await this.drop(client);
    this.#options.events.emit("client_forgotten", { server, issuer: client.issuer, clientId: client.clientId });
  }

  /** Drops a dynamic client, unless another has taken its place. */
  async drop(client: OAuthClient): Promise<void> {
    const { store } = this.#options;
    this.#provenAt.delete(`${client.issuer} ${client.clientId}`);
    for (const purpose of ["redirect", "device"] as const) {
      const key = keyOf(client.issuer, purpose);
      const lock = await store.lock(key);
      try {
        const stored = await this.#stored(client.issuer, purpose);
        if (stored?.clientId === client.clientId) await store.delete(key, lock);
      } finally {
        await lock.release();
      }
    }
  }

  #configured(authorizationServer: AuthorizationServerMetadata): OAuthClient | undefined {
    const { clients, clientMetadataUrl, clientMetadataKey } = this.#options;
    const documentUrl = this.#refusedDocumentAt.has(authorizationServer.issuer) ? undefined : clientMetadataUrl;
    return (
      preRegisteredClient(clients, authorizationServer) ??
      metadataDocumentClient(documentUrl, authorizationServer, clientMetadataKey)
    );
  }

  async #stored(issuer: string, purpose: Purpose): Promise<OAuthClient | undefined> {
    const client = await this.#recorded(issuer, purpose);
    return client === undefined || this.#hasEnded(client) ? undefined : client;
  }

  async #recorded(issuer: string, purpose: Purpose): Promise<OAuthClient | undefined> {
    const record = await this.#options.store.get(keyOf(issuer, purpose));
    const client = record === undefined ? undefined : clientFromRecord(parseJsonObject(record.value) ?? {});
    return client?.issuer === issuer ? client : undefined;
  }

  #hasEnded({ secretExpiresAt }: OAuthClient): boolean {
    return secretExpiresAt !== undefined && secretExpiresAt <= this.#options.clock.now();
  }

  /**
   * Dynamic clients are used only with the very redirect URI they registered, since many servers compare the port too, and
   * only for scopes that they registered.
   */
  #serves({ how, redirectUris, registeredScope }: OAuthClient, { redirectUri, scope }: ClientQuery): boolean {
    if (how !== "dynamic") return true;
    return (
      (redirectUri === undefined || redirectUris?.includes(redirectUri) === true) &&
      (registeredScope === undefined || coversScope(registeredScope, scope))
    );
  }

  async #register(query: ClientQuery): Promise<OAuthClient> {
    const { store, http, clock, clientName, events } = this.#options;
    const { authorizationServer, server, redirectUri, signal } = query;
    const { issuer } = authorizationServer;
    if (authorizationServer.registration_endpoint === undefined) throw this.#unavailable(query);
    const withSignal = signal === undefined ? {} : { signal };
    const key = keyOf(issuer, purposeOf(query));
    const lock = await store.lock(key, withSignal);
    try {
      const stored = await this.#recorded(issuer, purposeOf(query));
      const ended = stored !== undefined && this.#hasEnded(stored);
      if (stored !== undefined && !ended && this.#serves(stored, query)) return stored;
      if (ended) events.emit("client_forgotten", { server, issuer, clientId: stored.clientId });
      const scope = unionOfScopes(stored?.registeredScope, query.laterScope, query.scope);
      const { registerDynamically } = await import("./dynamic.ts");
      const client = await registerDynamically(
        { http, clock, server, authorizationServer, ...withSignal },
        { clientName, ...(redirectUri !== undefined && { redirectUri }), ...(scope !== undefined && { scope }) },
      );
      await store.set(key, JSON.stringify(clientToRecord(client)), lock);
      this.prove(client);
      return client;
    } finally {
      await lock.release();
    }
  }

  #unavailable({ authorizationServer, server }: ClientQuery): McpOAuthError {
    const { issuer } = authorizationServer;
    const { clients } = this.#options;
    const details = { server, issuer };
    const advice = `Register a client with the operator of ${issuer} and pass it: clients: [{ issuer: "${issuer}", clientId: "…" }].`;
    if (clients.length === 0) {
      return new McpOAuthError(
        "client_unavailable",
        `${server} signs in at ${issuer}, which offers no way to register a client by itself. ${advice}`,
        details,
      );
    }
    const configured = clients.map((client) => client.issuer).join(", ");
    return new McpOAuthError(
      "client_mismatch",
      `${server} signs in at ${issuer}, but the configured clients belong to ${configured}, and they are not tried elsewhere. ${advice}`,
      details,
    );
  }
}
