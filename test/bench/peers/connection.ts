import type { Connection } from "./peer.ts";

/** What all contestants call themselves, to servers and on consent pages. */
export const IDENTITY: { name: string; version: string } = { name: "bench", version: "1.0.0" };

/** What the clients of both SDK versions have. */
interface ToolCaller {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<object>;
}

interface ToolAnswer {
  readonly content?: readonly { readonly text?: string }[];
}

export function connectionOf(client: ToolCaller): Connection {
  return {
    async call(text) {
      const { content } = (await client.callTool({ name: "echo", arguments: { text } })) as ToolAnswer;
      return content?.[0]?.text ?? "";
    },
  };
}
