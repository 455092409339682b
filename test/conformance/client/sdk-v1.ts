import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { type Run, TOOL } from "./context.ts";

type TransportOptions = ConstructorParameters<typeof StreamableHTTPClientTransport>[1];

/** What a host does with the first SDK version: connect, list the tools, call one. */
export async function callToolWithV1({ url }: Run, options: TransportOptions): Promise<unknown> {
  const client = new Client({ name: "conformance", version: "1.0.0" });
  try {
    await client.connect(new StreamableHTTPClientTransport(url, options));
    await client.listTools();
    const { content } = await client.callTool({ name: TOOL, arguments: {} });
    return (content as { text?: string }[])[0]?.text;
  } finally {
    await client.close();
  }
}
