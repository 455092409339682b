import { basename } from "node:path";
import type { TokenStore } from "mcp-oauth-client";
import { keychainStore } from "mcp-oauth-client/keychain";

/** The keychain, by entries of its own for each folder; its locks are there. */
export function keychainIn(state: string): TokenStore {
  return keychainStore({ service: basename(state), directory: state });
}
