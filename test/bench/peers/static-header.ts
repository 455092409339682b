// No OAuth at all: the bare transport with a token that it is handed. What every other contestant is measured against where
// nothing but a valid token is needed.
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { connectionOf, IDENTITY } from "./connection.ts";
import { Host } from "./host-provider.ts";
import type { Connection, Peer, PeerSettings } from "./peer.ts";

class StaticHeaderPeer implements Peer {
  readonly #host: Host;
  readonly #client = new Client(IDENTITY);

  constructor(host: Host) {
    this.#host = host;
  }

  async connect(server: string): Promise<Connection> {
    const headers = { authorization: `Bearer ${this.#host.kept.tokens[server]?.access_token}` };
    const transport = new StreamableHTTPClientTransport(new URL(server), { requestInit: { headers } });
    await this.#client.connect(transport as Transport);
    return connectionOf(this.#client);
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

export async function create({ state, openBrowser }: PeerSettings): Promise<Peer> {
  return new StaticHeaderPeer(new Host(state, openBrowser));
}
