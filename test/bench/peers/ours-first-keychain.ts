import { BegunFirst, stateOf } from "./begun-first.ts";
import { keychainIn } from "./keychain.ts";
import type { Peer, PeerSettings } from "./peer.ts";

export async function create(settings: PeerSettings): Promise<Peer> {
  return new BegunFirst(keychainIn(stateOf(settings)), settings, () => import("./by-sdk-v1.ts"));
}
