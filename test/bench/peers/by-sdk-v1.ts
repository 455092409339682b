import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import type { SdkConnection } from "./begun-first.ts";
import { connectionOf, IDENTITY } from "./connection.ts";

export async function connectBy(server: string, fetch: typeof globalThis.fetch): Promise<SdkConnection> {
  const client = new Client(IDENTITY);
  await client.connect(new StreamableHTTPClientTransport(new URL(server), { fetch }) as Transport);
  return { connection: connectionOf(client), close: () => client.close() };
}
