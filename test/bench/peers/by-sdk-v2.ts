import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import type { SdkConnection } from "./begun-first.ts";
import { connectionOf, IDENTITY } from "./connection.ts";

export async function connectBy(server: string, fetch: typeof globalThis.fetch): Promise<SdkConnection> {
  // The servers of the benches speak the older wire; to ask first would cost a request.
  const client = new Client(IDENTITY, { versionNegotiation: { mode: "legacy" } });
  await client.connect(new StreamableHTTPClientTransport(new URL(server), { fetch }));
  return { connection: connectionOf(client), close: () => client.close() };
}
