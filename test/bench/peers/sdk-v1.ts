// The first SDK version with its own auth.
import { UnauthorizedError } from "@modelcontextprotocol/sdk/client/auth.js";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { connectionOf, IDENTITY } from "./connection.ts";
import { Host, HostProvider } from "./host-provider.ts";
import type { Connection, Peer, PeerSettings } from "./peer.ts";

class SdkV1Peer implements Peer {
  readonly #host: Host;
  readonly #clients: Client[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  async connect(server: string): Promise<Connection> {
    const authProvider = new HostProvider(this.#host, server);
    const attempt = async (): Promise<Client> => {
      const transport = new StreamableHTTPClientTransport(new URL(server), { authProvider });
      const client = new Client(IDENTITY);
      this.#clients.push(client);
      try {
        await client.connect(transport as Transport);
        return client;
      } catch (error) {
        if (!(error instanceof UnauthorizedError)) throw error;
        await transport.finishAuth((await authProvider.response()).get("code") ?? "");
        return attempt();
      }
    };
    return connectionOf(await attempt());
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
    this.#host.close();
  }
}

export async function create({ state, openBrowser }: PeerSettings): Promise<Peer> {
  const host = new Host(state, openBrowser);
  await host.listen();
  return new SdkV1Peer(host);
}
