// This package with nothing set that need not be set.
import { memoryStore } from "mcp-oauth-client";
import { TokenManagerPeer } from "./ours.ts";
import type { Peer, PeerSettings } from "./peer.ts";

export async function create(settings: PeerSettings): Promise<Peer> {
  return new TokenManagerPeer(memoryStore(), settings, { expectAuthorization: false });
}
