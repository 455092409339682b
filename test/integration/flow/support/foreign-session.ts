import { type ImportedSession, memoryStore } from "mcp-oauth-client";
import { startHost } from "./harness.ts";
import type { Pair } from "./real-servers.ts";

export interface ForeignSession extends ImportedSession {
  issuer: string;
  accessToken: string;
  refreshToken: string;
  expiresAt: number;
  scope: string;
}

/** What another program holds after its sign-in. */
export async function signInElsewhere({ mcp }: Pair): Promise<ForeignSession> {
  const store = memoryStore();
  const { tokens } = startHost({ store });
  await tokens.signIn(mcp.url);
  const stored = JSON.parse((await store.get(`session/default/${mcp.url}`))?.value ?? "{}");
  const { issuer, client, accessToken, refreshToken, expiresAt, scope } = stored.credentials[0];
  return { issuer, client: { clientId: client.clientId }, accessToken, refreshToken, expiresAt, scope };
}
