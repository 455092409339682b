import { createHash } from "node:crypto";
import type { TokenStore } from "mcp-oauth-client";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";

/** Encrypted files in a folder; each folder has a key of its own. */
export function storeIn(state: string): TokenStore {
  return encryptedFileStore({ directory: state, key: createHash("sha256").update(state).digest() });
}
