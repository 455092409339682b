// The same over the keychain of the operating system.
import { basename } from "node:path";
import type { TokenStore } from "mcp-oauth-client";
import { keychainStore } from "mcp-oauth-client/keychain";
import { TokenManagerPeer } from "./ours.ts";
import type { Peer, PeerSettings } from "./peer.ts";

/** The keychain, by entries of its own for each folder; its locks are there. */
export function keychainIn(state: string): TokenStore {
  return keychainStore({ service: basename(state), directory: state });
}

export async function create(settings: PeerSettings): Promise<Peer> {
  const { state } = settings;
  if (state === undefined) throw new Error("a keychain needs a folder for its locks");
  return new TokenManagerPeer(keychainIn(state), settings);
}
