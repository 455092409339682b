import { findMcpOAuthError } from "../core/errors.ts";
import { parseJsonObject } from "../core/json.ts";
import type { CommandContext } from "./command-context.ts";

/** Changes nothing on a server; one that wants a session first answers 400. */
const ping = {
  method: "POST",
  headers: { accept: "application/json, text/event-stream", "content-type": "application/json" },
  body: JSON.stringify({ jsonrpc: "2.0", id: "first-look", method: "ping" }),
};

/** The issuer that a sign-in to a server would go to, found out without a person. @throws what discovery throws. */
export async function findIssuer({ tokens, signal }: CommandContext, server: string): Promise<string> {
  const manager = await tokens({ store: "memory", interactive: false });
  try {
    return (await manager.signIn(server, { signal })).issuer;
  } catch (error) {
    const known = findMcpOAuthError(error);
    if (known?.code !== "interaction_required" || known.issuer === undefined) throw error;
    return known.issuer;
  }
}

/** What a page that is no MCP server answers mostly shows within this. */
const MOST_BYTES = 65_536;

/** A body as text; no more of it than is needed to tell what it is. */
async function headOf({ body }: Response): Promise<string> {
  if (body === null) return "";
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    if (text.length > MOST_BYTES) break;
  }
  return text;
}

/** Whether an answer is one that an MCP server gives to a ping, rather than some page. */
async function isOfMcpServer(response: Response): Promise<boolean> {
  const type = response.headers.get("content-type") ?? "";
  if (response.ok && /^text\/event-stream\b/i.test(type)) {
    await response.body?.cancel();
    return true;
  }
  const answer = parseJsonObject(await headOf(response));
  return response.ok ? answer?.jsonrpc === "2.0" : response.status === 400 && answer !== undefined;
}

/** Whether a server answers requests that carry no token, as MCP servers do. */
export async function answersAnybody({ tokens, signal }: CommandContext, server: string): Promise<boolean> {
  const manager = await tokens({ store: "memory", interactive: false });
  try {
    return await isOfMcpServer(await manager.fetch(server)(server, { ...ping, signal }));
  } catch {
    return false;
  }
}
