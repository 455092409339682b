// Encrypted files where something has to last, else memory.
import { memoryStore } from "mcp-oauth-client";
import { storeIn } from "./file-store.ts";
import type { Peer, PeerSettings } from "./peer.ts";
import { TokenManagerPeer } from "./token-manager-peer.ts";

export async function create(settings: PeerSettings): Promise<Peer> {
  const { state } = settings;
  return new TokenManagerPeer(state === undefined ? memoryStore() : storeIn(state), settings);
}
