import type { TokenStore } from "../ports/token-store.ts";
import { memoryStore } from "./memory-store.ts";

export function chooseStore(options: {
  store: "auto" | "keychain" | "encrypted-file" | "memory" | TokenStore;
  onSelected: (selected: { store: string; reason: string }) => void;
}): TokenStore {
  return typeof options.store === "object" ? options.store : memoryStore();
}
