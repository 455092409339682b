// This package as a host uses it: the fetch of a token manager under the first SDK version's transport.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { TokenManager, type TokenManagerOptions, type TokenStore } from "mcp-oauth-client";
import { connectionOf, IDENTITY } from "./connection.ts";
import type { Connection, Peer, PeerSettings } from "./peer.ts";

/** Connects by a token manager over any store. */
export class TokenManagerPeer implements Peer {
  readonly #tokens: TokenManager;
  readonly #clients: Client[] = [];

  constructor(store: TokenStore, { openBrowser }: PeerSettings, options: Partial<TokenManagerOptions> = {}) {
    // All servers here ask for authorization, and a host that knows that says so.
    const expectation = { expectAuthorization: true };
    this.#tokens = new TokenManager({ clientName: IDENTITY.name, store, openBrowser, ...expectation, ...options });
  }

  async connect(server: string): Promise<Connection> {
    const client = new Client(IDENTITY);
    this.#clients.push(client);
    const transport = new StreamableHTTPClientTransport(new URL(server), { fetch: this.#tokens.fetch(server) });
    await client.connect(transport as Transport);
    return connectionOf(client);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.#tokens.close();
  }
}
