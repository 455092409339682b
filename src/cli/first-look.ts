import { findMcpOAuthError } from "../core/errors.ts";
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

/** Whether a server answers requests that carry no token. */
export async function answersAnybody({ tokens, signal }: CommandContext, server: string): Promise<boolean> {
  const manager = await tokens({ store: "memory", interactive: false });
  try {
    const response = await manager.fetch(server)(server, { ...ping, signal });
    await response.body?.cancel();
    return response.ok || response.status === 400;
  } catch {
    return false;
  }
}
