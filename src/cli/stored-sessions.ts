import type { SessionStatus } from "../index.ts";
import type { TokenManager } from "../token-manager.ts";
import { CommandFailed } from "./command-failed.ts";
import { exitCodes } from "./exit-codes.ts";

/** The sessions of this machine, and why they are where they are. */
export interface StoredSessions {
  readonly sessions: readonly SessionStatus[];
  /** The kind of store. */
  readonly store: string;
  /** One or more sentences. */
  readonly reason: string;
}

/**
 * Reads all sessions, or only one, whatever state the others are in. Call it before anything else is done with the token
 * manager: the store is then chosen.
 */
export async function readSessions(
  tokens: TokenManager,
  only?: { readonly server: string; readonly account: string },
): Promise<StoredSessions> {
  let chosen = { store: "unknown", reason: "" };
  const stop = tokens.on("store_selected", ({ store, reason }) => {
    chosen = { store, reason };
  });
  try {
    return { sessions: await tokens.status(only?.server, only), ...chosen };
  } finally {
    stop();
  }
}

/** Refuses a store that forgets everything when the program ends: a person would sign in for nothing. */
export function requireLastingStore({ store, reason }: StoredSessions): void {
  if (store !== "memory") return;
  throw new CommandFailed(`A sign-in could not be kept here. ${reason}`, exitCodes.store, {
    code: "store_unavailable",
    hint: "A key for the encrypted file, to be kept like a password: export MCP_OAUTH_CLIENT_KEY=$(openssl rand -base64 32)",
  });
}
