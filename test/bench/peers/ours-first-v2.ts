import { BegunFirst, stateOf } from "./begun-first.ts";
import { storeIn } from "./file-store.ts";
import type { Peer, PeerSettings } from "./peer.ts";

export async function create(settings: PeerSettings): Promise<Peer> {
  return new BegunFirst(storeIn(stateOf(settings)), settings, () => import("./by-sdk-v2.ts"));
}
