// The second SDK version with its own auth.
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { connectionOf, IDENTITY } from "./connection.ts";
import { Host, HostProvider } from "./host-provider.ts";
import type { Connection, Peer, PeerSettings } from "./peer.ts";

class SdkV2Peer implements Peer {
  readonly #host: Host;
  readonly #clients: Client[] = [];

  constructor(host: Host) {
    this.#host = host;
  }

  async connect(server: string): Promise<Connection> {
    const authProvider = new HostProvider(this.#host, server);
    const attempt = async (): Promise<Client> => {
      const transport = new StreamableHTTPClientTransport(new URL(server), { authProvider });
      // The servers of the benches speak the older wire; to ask first would cost this version a request.
      const client = new Client(IDENTITY, { versionNegotiation: { mode: "legacy" } });
      this.#clients.push(client);
      try {
        await client.connect(transport);
        return client;
      } catch (error) {
        if (!(error instanceof UnauthorizedError)) throw error;
        await transport.finishAuth(await authProvider.response());
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
  return new SdkV2Peer(host);
}
