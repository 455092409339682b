import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { type Run, TOOL } from "./context.ts";

type TransportOptions = ConstructorParameters<typeof StreamableHTTPClientTransport>[1];

/** What a host does with the second SDK version, on the wire that the server speaks. */
export async function callToolWithV2({ url, protocolVersion }: Run, options: TransportOptions): Promise<unknown> {
  const client = new Client(
    { name: "conformance", version: "1.0.0" },
    { versionNegotiation: { mode: protocolVersion === "2026-07-28" ? { pin: protocolVersion } : "legacy" } },
  );
  try {
    await client.connect(new StreamableHTTPClientTransport(url, options));
    await client.listTools();
    const { content } = await client.callTool({ name: TOOL, arguments: {} });
    const [first] = content;
    return first?.type === "text" ? first.text : undefined;
  } finally {
    await client.close();
  }
}
