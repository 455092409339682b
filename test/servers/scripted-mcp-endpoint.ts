// The least an MCP client needs to connect and call one tool, behind a bearer check.
import type { ScriptedToken } from "./scripted-authorization-server.ts";
import type { ScriptedHelpers, ScriptedRequest } from "./scripted-server.ts";

export interface ScriptedMcpOptions {
  accessTokens: Map<string, ScriptedToken>;
  /** `undefined` for the usual challenge, `null` for none. */
  challenge: () => string | null | undefined;
}

interface JsonRpcRequest {
  id?: string | number;
  method?: string;
  params?: { protocolVersion?: string; name?: string; arguments?: { text?: string } };
}

export function createScriptedMcpEndpoint({
  accessTokens,
  challenge,
}: ScriptedMcpOptions): (request: ScriptedRequest, helpers: ScriptedHelpers) => Response {
  return (request, { url, json, text }) => {
    const presented = /^bearer (.+)$/i.exec(request.headers.authorization ?? "")?.[1];
    const token = presented === undefined ? undefined : accessTokens.get(presented);
    if (!token || token.expiresAt <= Date.now()) {
      const error = presented === undefined ? "" : `error="invalid_token", `;
      const usual = `Bearer ${error}resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`;
      const header = challenge() === undefined ? usual : challenge();
      return json(
        { error: "invalid_token" },
        401,
        header === null || header === undefined ? {} : { "www-authenticate": header },
      );
    }
    if (request.method !== "POST") return text("no stream here", 405);
    const message = request.json() as JsonRpcRequest;
    if (message.id === undefined) return text("", 202);
    const result = resultOf(message);
    const outcome = result === undefined ? { error: { code: -32601, message: "Method not found" } } : { result };
    return json({ jsonrpc: "2.0", id: message.id, ...outcome });
  };
}

function resultOf({ method, params }: JsonRpcRequest): unknown {
  switch (method) {
    case "initialize":
      return {
        protocolVersion: params?.protocolVersion ?? "2025-06-18",
        capabilities: { tools: {} },
        serverInfo: { name: "scripted", version: "1" },
      };
    case "ping":
      return {};
    case "tools/list":
      return { tools: [{ name: "echo", inputSchema: { type: "object", properties: { text: { type: "string" } } } }] };
    case "tools/call":
      return { content: [{ type: "text", text: params?.arguments?.text ?? "" }] };
    default:
      return undefined;
  }
}
