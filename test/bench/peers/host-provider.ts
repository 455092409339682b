// The best `OAuthClientProvider` that a host writes in an hour after the SDKs' documentation: discovery state is kept, one
// callback server serves all sign-ins, the client that an issuer has registered is used for all servers of that issuer, and
// everything survives in one JSON file where a folder is given.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { IDENTITY } from "./connection.ts";

interface StoredClient {
  client_id: string;
  client_secret?: string;
  issuer?: string;
}

interface StoredTokens {
  access_token: string;
  token_type: string;
  refresh_token?: string;
}

interface DiscoveryState {
  authorizationServerUrl: string;
}

/** What is kept: clients by issuer, the rest by server. */
interface Kept {
  port: number;
  clients: Record<string, StoredClient>;
  tokens: Record<string, StoredTokens>;
  discoveries: Record<string, DiscoveryState>;
}

/** What the providers of one host share. */
export class Host {
  readonly #path: string | undefined;
  #kept: Kept;
  readonly #server: Server = createServer();
  readonly #waiting = new Map<string, (response: URLSearchParams) => void>();
  readonly openBrowser: (url: URL) => void;

  constructor(state: string | undefined, openBrowser: (url: URL) => void) {
    this.openBrowser = openBrowser;
    this.#path = state && join(state, "host.json");
    this.#kept = { port: 0, clients: {}, tokens: {}, discoveries: {}, ...read(this.#path) };
    this.#server.on("request", ({ url }, response) => {
      const { searchParams } = new URL(url ?? "", "http://127.0.0.1");
      this.#waiting.get(searchParams.get("state") ?? "")?.(searchParams);
      response.end("You can close this page.");
    });
  }

  /** Listens for the answers of sign-ins, at the port that the clients have registered. */
  async listen(): Promise<void> {
    if (this.#server.listening) return;
    this.#server.listen(this.#kept.port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#kept.port = (this.#server.address() as AddressInfo).port;
  }

  get redirectUrl(): string {
    return `http://127.0.0.1:${this.#kept.port}/callback`;
  }

  /** Waits for the answer to a sign-in. */
  response(state: string): Promise<URLSearchParams> {
    return new Promise((resolve) => this.#waiting.set(state, resolve));
  }

  /** What is kept now: another process may have written since. */
  get kept(): Kept {
    this.#kept = { ...this.#kept, ...read(this.#path) };
    return this.#kept;
  }

  /** Changes what is kept, and writes it. */
  change(change: (kept: Kept) => void): void {
    const { kept } = this;
    change(kept);
    if (this.#path !== undefined) writeFileSync(this.#path, JSON.stringify(kept), { mode: 0o600 });
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

function read(path: string | undefined): Partial<Kept> {
  try {
    return path === undefined ? {} : JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return {};
  }
}

/** One server's provider. It fits both SDK versions. */
export class HostProvider {
  readonly #host: Host;
  readonly #server: string;
  #codeVerifier = "";
  #state = "";
  #response: Promise<URLSearchParams> | undefined;

  constructor(host: Host, server: string) {
    this.#host = host;
    this.#server = server;
  }

  get redirectUrl(): string {
    return this.#host.redirectUrl;
  }

  get clientMetadata() {
    return {
      client_name: IDENTITY.name,
      application_type: "native",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
      token_endpoint_auth_method: "none",
    };
  }

  state(): string {
    this.#state = randomBytes(32).toString("base64url");
    return this.#state;
  }

  clientInformation(): StoredClient | undefined {
    return this.#host.kept.clients[this.#issuer];
  }

  saveClientInformation(client: StoredClient): void {
    const issuer = this.#issuer;
    this.#host.change(({ clients }) => {
      clients[issuer] = client;
    });
  }

  tokens(): StoredTokens | undefined {
    return this.#host.kept.tokens[this.#server];
  }

  saveTokens(tokens: StoredTokens): void {
    this.#host.change((kept) => {
      kept.tokens[this.#server] = tokens;
    });
  }

  saveCodeVerifier(codeVerifier: string): void {
    this.#codeVerifier = codeVerifier;
  }

  codeVerifier(): string {
    return this.#codeVerifier;
  }

  discoveryState(): DiscoveryState | undefined {
    return this.#host.kept.discoveries[this.#server];
  }

  saveDiscoveryState(discovery: DiscoveryState): void {
    this.#host.change(({ discoveries }) => {
      discoveries[this.#server] = discovery;
    });
  }

  invalidateCredentials(scope: "all" | "client" | "tokens" | "verifier" | "discovery"): void {
    const issuer = this.#issuer;
    this.#host.change(({ clients, tokens, discoveries }) => {
      if (scope === "all" || scope === "client") delete clients[issuer];
      if (scope === "all" || scope === "tokens") delete tokens[this.#server];
      if (scope === "all" || scope === "discovery") delete discoveries[this.#server];
    });
  }

  redirectToAuthorization(url: URL): void {
    this.#response = this.#host.response(this.#state);
    this.#host.openBrowser(url);
  }

  /** The answer to the sign-in under way. */
  async response(): Promise<URLSearchParams> {
    if (this.#response === undefined) throw new Error("no sign-in is under way");
    return this.#response;
  }

  get #issuer(): string {
    return this.discoveryState()?.authorizationServerUrl ?? "";
  }
}
