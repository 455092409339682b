// The proxy that hosts start to reach a server that they cannot sign in to themselves: it speaks stdio with them.
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import { connectionOf, IDENTITY } from "./connection.ts";
import type { Connection, Peer, PeerSettings } from "./peer.ts";

const program = join(dirname(createRequire(import.meta.url).resolve("mcp-remote/package.json")), "dist/proxy.js");

class McpRemotePeer implements Peer {
  readonly #settings: PeerSettings;
  readonly #clients: Client[] = [];

  constructor(settings: PeerSettings) {
    this.#settings = settings;
  }

  async connect(server: string): Promise<Connection> {
    const { state = "", openBrowser } = this.#settings;
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [program, server, "--transport", "http-only"],
      // Without the programs that would open a real browser.
      env: { MCP_REMOTE_CONFIG_DIR: state, PATH: "/nowhere", HOME: state },
      stderr: "pipe",
    });
    let told = "";
    transport.stderr?.on("data", (chunk) => {
      told += String(chunk);
      const [text, address] = /Please authorize this client by visiting:\s+(\S+)\s/.exec(told) ?? [];
      if (text === undefined || address === undefined) return;
      told = told.slice(told.indexOf(text) + text.length);
      openBrowser(new URL(address));
    });
    const client = new Client(IDENTITY);
    this.#clients.push(client);
    await client.connect(transport as Transport);
    return connectionOf(client);
  }

  async close(): Promise<void> {
    for (const client of this.#clients) await client.close();
  }
}

export async function create(settings: PeerSettings): Promise<Peer> {
  return new McpRemotePeer(settings);
}
