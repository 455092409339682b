// The same for a host that is in a hurry: it says which server it will need before it loads the SDK, so that the stored
// session is read, and refreshed where it has ended, meanwhile.
import { TokenManager, type TokenStore } from "mcp-oauth-client";
import { IDENTITY } from "./connection.ts";
import type { Connection, Peer, PeerSettings } from "./peer.ts";

/** A client of either SDK version, connected. */
export interface SdkConnection {
  readonly connection: Connection;
  close(): Promise<void>;
}

/** A module that is loaded with the SDK that it needs. */
export interface SdkModule {
  connectBy(server: string, fetch: typeof globalThis.fetch): Promise<SdkConnection>;
}

export class BegunFirst implements Peer {
  readonly #tokens: TokenManager;
  readonly #load: () => Promise<SdkModule>;
  readonly #open: SdkConnection[] = [];

  constructor(store: TokenStore, { openBrowser }: PeerSettings, load: () => Promise<SdkModule>) {
    this.#tokens = new TokenManager({ clientName: IDENTITY.name, store, openBrowser, expectAuthorization: true });
    this.#load = load;
  }

  async connect(server: string): Promise<Connection> {
    const fetch = this.#tokens.fetch(server);
    const { connectBy } = await this.#load();
    const sdk = await connectBy(server, fetch);
    this.#open.push(sdk);
    return sdk.connection;
  }

  async close(): Promise<void> {
    for (const sdk of this.#open) await sdk.close();
    await this.#tokens.close();
  }
}

/** The folder that the session is stored in. */
export function stateOf({ state }: PeerSettings): string {
  if (state === undefined) throw new Error("there is nothing to begin with but what was stored");
  return state;
}
