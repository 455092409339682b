// Where the demo's tokens live: what `store: "auto"` chooses, in places of the demo's own, and gone when it is over.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TokenStore } from "mcp-oauth-client";
import { type ChooseStoreOptions, chooseStore, type StoreSelection } from "../../src/adapters/choose-store.ts";
import { Gate } from "./gate.ts";

export interface DemoStore {
  readonly selection: StoreSelection;
  /** Opens it, for one start of the app. */
  open(): TokenStore;
  /** Removes every trace of it. */
  remove(): Promise<void>;
}

/** The name of the demo's entries in the keychain. */
const SERVICE = "mcp-oauth-client demo";

export async function openDemoStore(): Promise<DemoStore> {
  const directory = await mkdtemp(join(tmpdir(), "mcp-oauth-client-demo-"));
  let selection: StoreSelection | undefined;
  const options: ChooseStoreOptions = {
    directory,
    keychain: { service: SERVICE, directory },
    encryptedFile: { key: randomBytes(32), directory: join(directory, "tokens") },
    onSelected: (selected) => {
      selection ??= selected;
    },
  };
  const gate = new Gate();
  const remove = async (): Promise<void> => {
    await gate.shut();
    try {
      if (selection?.store === "keychain") await clearKeychain();
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  };
  const store = chooseStore(options);
  try {
    // The store is chosen when it is first used.
    await store.keys();
    if (selection === undefined) throw new Error("No token store was chosen.");
  } catch (error) {
    await remove();
    throw error;
  } finally {
    await store.close?.();
  }
  return { selection, remove, open: () => gate.through(chooseStore(options)) };
}

/** A sign-out leaves no token; this removes what is not secret as well, such as the client's registration. */
async function clearKeychain(): Promise<void> {
  const { AsyncEntry, findCredentialsAsync } = await import("@napi-rs/keyring");
  for (const { account } of await findCredentialsAsync(SERVICE))
    await new AsyncEntry(SERVICE, account).deletePassword();
}
