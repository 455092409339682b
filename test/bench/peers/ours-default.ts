// This package with nothing set that need not be set.
import { memoryStore } from "mcp-oauth-client";
import type { Peer, PeerSettings } from "./peer.ts";
import { TokenManagerPeer } from "./token-manager-peer.ts";

export async function create(settings: PeerSettings): Promise<Peer> {
  return new TokenManagerPeer(memoryStore(), settings, { expectAuthorization: false });
}
