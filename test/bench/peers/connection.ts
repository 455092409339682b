import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { Connection } from "./peer.ts";

/** What all contestants call themselves, to servers and on consent pages. */
export const IDENTITY: { name: string; version: string } = { name: "bench", version: "1.0.0" };

export function connectionOf(client: Client): Connection {
  return {
    async call(text) {
      const { content } = await client.callTool({ name: "echo", arguments: { text } });
      return (content as { text?: string }[])[0]?.text ?? "";
    },
  };
}
