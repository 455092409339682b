import { McpOAuthError } from "../core/errors.ts";
import type { TokenStore } from "../ports/token-store.ts";
import { parseStoreKey, type SessionRecord } from "./credential.ts";
import { parseSession } from "./session-record.ts";

/**
 * Reads a session from a store; `undefined` only when there is none.
 *
 * @throws `store_unreadable` when something else is in its place, be it another session; and what the store throws.
 */
export async function readSession(store: TokenStore, name: string): Promise<SessionRecord | undefined> {
  const stored = await store.get(name);
  if (stored === undefined) return undefined;
  const record = parseSession(stored.value, store.kind);
  const key = parseStoreKey(name);
  if (record.server === key?.server && record.account === key.account) return record;
  // Tokens must never be sent to another server than the one that they were put away for.
  throw new McpOAuthError(
    "store_unreadable",
    `The ${store.kind} store answered with the session of another server or account. It was left as it is; sign out of the server to remove it.`,
  );
}
