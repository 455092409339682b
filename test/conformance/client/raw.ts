import type { TokenManager } from "mcp-oauth-client";
import { type Run, TOOL } from "./context.ts";
import type { UseServer } from "./ways.ts";

interface RpcResponse {
  readonly result?: { readonly content?: readonly { readonly text?: string }[] };
  readonly error?: { readonly message?: string };
}

/** A request of MCP 2026-07-28: it stands alone, with no session and no `initialize` before it. */
async function send(
  request: typeof fetch,
  { url, protocolVersion }: Run,
  id: number,
  method: string,
  params: Record<string, unknown> = {},
): Promise<RpcResponse["result"]> {
  const meta = {
    "io.modelcontextprotocol/protocolVersion": protocolVersion,
    "io.modelcontextprotocol/clientInfo": { name: "conformance", version: "1.0.0" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  const response = await request(url, {
    method: "POST",
    headers: {
      accept: "application/json, text/event-stream",
      "content-type": "application/json",
      "mcp-protocol-version": protocolVersion,
      "mcp-method": method,
      ...(typeof params.name === "string" && { "mcp-name": params.name }),
    },
    body: JSON.stringify({ jsonrpc: "2.0", id, method, params: { ...params, _meta: meta } }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method}: ${response.status} ${text}`);
  const { result, error } = JSON.parse(text) as RpcResponse;
  if (error !== undefined) throw new Error(`${method}: ${error.message}`);
  return result;
}

/** Two JSON-RPC requests through `tokens.fetch`, without an SDK. */
export const useRaw: UseServer = async (tokens: TokenManager, run: Run) => {
  const request = tokens.fetch(run.url);
  await send(request, run, 1, "tools/list");
  const result = await send(request, run, 2, "tools/call", { name: TOOL, arguments: {} });
  return result?.content?.[0]?.text;
};
