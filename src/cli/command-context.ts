import type { StoreOptions, TokenManagerOptions } from "../index.ts";
import type { TokenManager } from "../token-manager.ts";
import type { Output } from "./output.ts";

/** The options that every command has. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly store?: "auto" | "keychain" | "encrypted-file";
  readonly profile?: string;
}

/** What a command works with. */
export interface CommandContext {
  readonly output: Output;
  /** Fires at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /**
   * A token manager on the sessions of this machine; closed when the command ends. `interactive` is false unless the
   * command says otherwise, so that no command opens a browser by surprise.
   */
  tokens(options?: Partial<TokenManagerOptions>): Promise<TokenManager>;
}

/** The name on consent pages, unless `--client-name` says another. */
export const CLIENT_NAME = "mcp-oauth";

/** From the command line's options to those of the stores. */
export function storeOptionsOf({ store, profile }: CommonOptions): Pick<TokenManagerOptions, "store" | "storeOptions"> {
  const storeOptions: StoreOptions = { ...(profile !== undefined && { profile }) };
  return { store: store ?? "auto", storeOptions };
}
