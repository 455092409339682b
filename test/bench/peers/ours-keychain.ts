// The same over the keychain of the operating system.
import { keychainIn } from "./keychain.ts";
import type { Peer, PeerSettings } from "./peer.ts";
import { TokenManagerPeer } from "./token-manager-peer.ts";

export async function create(settings: PeerSettings): Promise<Peer> {
  const { state } = settings;
  if (state === undefined) throw new Error("a keychain needs a folder for its locks");
  return new TokenManagerPeer(keychainIn(state), settings);
}
