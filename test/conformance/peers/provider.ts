import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { browse } from "../client/browser.ts";
import { CLIENT_METADATA_URL, type Run } from "../client/context.ts";

/** What both SDKs store about a client and about tokens, as far as it matters here. */
interface StoredClient {
  client_id: string;
  client_secret?: string;
  issuer?: string;
}

interface StoredTokens {
  access_token: string;
  token_type: string;
}

/** The `OAuthClientProvider` that a host writes in an hour after the SDK's documentation: all in memory, one loopback port. */
export class InMemoryProvider {
  readonly redirectUrl: string;
  readonly clientMetadataUrl = CLIENT_METADATA_URL;
  readonly #server: Server;
  readonly #received: URLSearchParams[] = [];
  #client: StoredClient | undefined;
  #tokens: StoredTokens | undefined;
  #codeVerifier = "";
  #state = "";

  private constructor(server: Server, { context }: Run) {
    this.#server = server;
    this.redirectUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`;
    const { issuer, client_id, client_secret } = context;
    if (issuer !== undefined && client_id !== undefined && client_secret !== undefined) {
      this.#client = { issuer, client_id, client_secret };
    }
    server.on("request", ({ url }, response) => {
      const { searchParams } = new URL(url ?? "", this.redirectUrl);
      // The SDKs leave the state to their hosts.
      if (searchParams.get("state") === this.#state) this.#received.push(searchParams);
      response.end();
    });
  }

  static async start(run: Run): Promise<InMemoryProvider> {
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return new InMemoryProvider(server, run);
  }

  get clientMetadata() {
    return {
      client_name: "Conformance",
      application_type: "native",
      redirect_uris: [this.redirectUrl],
      grant_types: ["authorization_code", "refresh_token"],
      response_types: ["code"],
    };
  }

  state(): string {
    this.#state = randomBytes(32).toString("base64url");
    return this.#state;
  }

  clientInformation(): StoredClient | undefined {
    return this.#client;
  }

  saveClientInformation(client: StoredClient): void {
    this.#client = client;
  }

  tokens(): StoredTokens | undefined {
    return this.#tokens;
  }

  saveTokens(tokens: StoredTokens): void {
    this.#tokens = tokens;
  }

  saveCodeVerifier(codeVerifier: string): void {
    this.#codeVerifier = codeVerifier;
  }

  codeVerifier(): string {
    return this.#codeVerifier;
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    await browse(url, { hostile: false });
  }

  /** The last authorization response. */
  received(): URLSearchParams | undefined {
    return this.#received.pop();
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** The rest of a provider that gets its tokens by an assertion and asks nobody. */
export function assertionProvider({ context }: Run) {
  const { client_id = "", valid_jwt: assertion = "" } = context;
  let tokens: StoredTokens | undefined;
  return {
    redirectUrl: undefined,
    clientMetadata: { redirect_uris: [], token_endpoint_auth_method: "none" },
    clientInformation: () => ({ client_id }),
    tokens: () => tokens,
    saveTokens: (issued: StoredTokens) => {
      tokens = issued;
    },
    redirectToAuthorization: () => undefined,
    saveCodeVerifier: () => undefined,
    codeVerifier: () => "",
    prepareTokenRequest: () =>
      new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion }),
  };
}
