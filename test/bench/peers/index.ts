import type { CreatePeer } from "./peer.ts";

/** A contestant: what the tables call it, and its module, which is loaded where it is measured and nowhere else. */
interface Contestant {
  readonly title: string;
  readonly load: () => Promise<{ create: CreatePeer }>;
  /** Whose stored state it starts with; its own by default. */
  readonly preparedBy?: PeerName;
}

export type PeerName =
  | "ours"
  | "ours-default"
  | "ours-keychain"
  | "ours-first"
  | "ours-first-v2"
  | "ours-first-keychain"
  | "sdk-v1"
  | "sdk-v2"
  | "mcp-remote"
  | "static-header";

export const peers: Readonly<Record<PeerName, Contestant>> = {
  ours: { title: "mcp-oauth-client", load: () => import("./ours.ts") },
  "ours-default": { title: "mcp-oauth-client, as it is", load: () => import("./ours-default.ts") },
  "ours-keychain": { title: "mcp-oauth-client, keychain", load: () => import("./ours-keychain.ts") },
  "ours-first": {
    title: "mcp-oauth-client, begun first",
    load: () => import("./ours-first.ts"),
    preparedBy: "ours",
  },
  "ours-first-v2": {
    title: "mcp-oauth-client, begun first, under SDK v2",
    load: () => import("./ours-first-v2.ts"),
    preparedBy: "ours",
  },
  "ours-first-keychain": {
    title: "mcp-oauth-client, begun first, keychain",
    load: () => import("./ours-first-keychain.ts"),
    preparedBy: "ours-keychain",
  },
  "sdk-v1": { title: "SDK v1", load: () => import("./sdk-v1.ts") },
  "sdk-v2": { title: "SDK v2", load: () => import("./sdk-v2.ts") },
  "mcp-remote": { title: "mcp-remote", load: () => import("./mcp-remote.ts") },
  "static-header": { title: "static header", load: () => import("./static-header.ts"), preparedBy: "sdk-v1" },
};
