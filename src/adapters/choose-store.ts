import { dirname, join } from "node:path";
import { McpOAuthError } from "../core/errors.ts";
import type { KeysOptions, LockHandle, LockOptions, StoredRecord, TokenStore } from "../ports/token-store.ts";
import { writeDurably } from "./encrypted-file/files.ts";
import type { EncryptedFileStoreOptions } from "./encrypted-file/options.ts";
import { fileNameFor } from "./file-lock/file-name.ts";
import { defaultStateDirectory, type Environment } from "./file-lock/state-directory.ts";
import { fileSystem } from "./file-system.ts";
import type { KeychainStoreOptions } from "./keychain/options.ts";
import { memoryStore } from "./memory-store.ts";

const files = fileSystem.promises;

/** The stores that can be named. */
export type StoreName = "keychain" | "encrypted-file" | "memory";

/** Which store was taken, and why. */
export interface StoreSelection {
  /** The store's `kind`. */
  readonly store: string;
  /** One or more sentences. */
  readonly reason: string;
  /** Whether it outlives the process. `undefined` for a store that was handed in. */
  readonly persistent?: boolean;
}

/** Options of {@link chooseStore}. */
export interface ChooseStoreOptions {
  /**
   * `auto` takes the keychain if it works; else encrypted files if there is a key for them; else memory. Default `auto`.
   */
  store?: "auto" | StoreName | TokenStore;
  /** Options of the keychain store, if it is taken. */
  keychain?: KeychainStoreOptions;
  /**
   * Options of the encrypted files, if they are taken. Default: the key in the environment variable
   * `MCP_OAUTH_CLIENT_KEY` (32 bytes in base64), or derived from the passphrase in `MCP_OAUTH_CLIENT_PASSPHRASE`.
   */
  encryptedFile?: EncryptedFileStoreOptions;
  /** What remembers its store. Programs with the same profile stay with the same one. Default `default`. */
  profile?: string;
  /** Where that is remembered; nothing secret is written there. Default: the user's folder for state. */
  directory?: string;
  /** Environment variables. Default `process.env`. */
  environment?: Environment;
  /** Told once, when the choice is made. */
  onSelected?: (selection: StoreSelection) => void;
}

const KEY_VARIABLE = "MCP_OAUTH_CLIENT_KEY";
const PASSPHRASE_VARIABLE = "MCP_OAUTH_CLIENT_PASSPHRASE";

/**
 * A token store that is chosen when it is first used; nothing is tried before.
 *
 * `auto` stays with the store that the profile has used. If that cannot be used any more, its methods throw
 * `store_unreadable` with what to do, rather than to go on with another one in which nobody is signed in.
 *
 * @throws from the methods, beside what the stores throw: `invalid_configuration` when encrypted files are asked for and
 * there is no key.
 */
export function chooseStore(options: ChooseStoreOptions = {}): TokenStore {
  return new ChosenStore(options);
}

interface Choice {
  readonly store: TokenStore;
  readonly selection: StoreSelection;
  /** Whether the profile has used this store before, so that something may be in it. */
  readonly wasUsed: boolean;
}

class ChosenStore implements TokenStore {
  readonly #options: ChooseStoreOptions;
  readonly #memento: Memento;
  #choosing: Promise<Choice> | undefined;
  #chosen: Choice | undefined;
  #isRemembered = false;

  constructor(options: ChooseStoreOptions) {
    this.#options = options;
    const directory = options.directory ?? defaultStateDirectory(options.environment);
    this.#memento = new Memento(join(directory, "profiles", `${fileNameFor(options.profile ?? "default")}.json`));
  }

  /** The store that was chosen; before that, what was asked for. */
  get kind(): string {
    const { store = "auto" } = this.#options;
    return this.#chosen?.store.kind ?? (typeof store === "string" ? store : store.kind);
  }

  get(key: string): Promise<StoredRecord | undefined> {
    return this.#use((store) => store.get(key));
  }

  set(key: string, value: string, lock: LockHandle): Promise<void> {
    return this.#use(async (store) => {
      const forget = await this.#remember(store);
      try {
        await store.set(key, value, lock);
      } catch (error) {
        await forget();
        throw error;
      }
    });
  }

  delete(key: string, lock: LockHandle): Promise<void> {
    return this.#use((store) => store.delete(key, lock));
  }

  keys(options?: KeysOptions): Promise<string[]> {
    return this.#use((store) => store.keys(options));
  }

  lock(key: string, options?: LockOptions): Promise<LockHandle> {
    return this.#use((store) => store.lock(key, options));
  }

  async close(): Promise<void> {
    await this.#chosen?.store.close?.();
  }

  async #use<Value>(work: (store: TokenStore) => Promise<Value>): Promise<Value> {
    const { store, wasUsed } = await this.#choice();
    try {
      return await work(store);
    } catch (error) {
      const isGone = error instanceof McpOAuthError && error.code === "store_unavailable";
      throw wasUsed && isGone ? this.#memento.unreadable(store.kind, error) : error;
    }
  }

  #choice(): Promise<Choice> {
    this.#choosing ??= this.#choose().then(
      (choice) => {
        this.#chosen = choice;
        this.#tell(choice.selection);
        return choice;
      },
      (error: unknown) => {
        this.#choosing = undefined;
        throw error;
      },
    );
    return this.#choosing;
  }

  async #choose(): Promise<Choice> {
    const { store = "auto" } = this.#options;
    if (typeof store !== "string") {
      return { store, selection: { store: store.kind, reason: "It was handed in." }, wasUsed: false };
    }
    const used = await this.#memento.read();
    if (store !== "auto") return this.#choiceOf(store, "It was asked for by name.", used === store);
    if (used === undefined) return this.#tryInTurn();
    try {
      return await this.#choiceOf(used, "This profile has used it before.", true);
    } catch (error) {
      throw this.#memento.unreadable(used, error);
    }
  }

  async #tryInTurn(): Promise<Choice> {
    const keychain = await this.#openKeychain();
    let problem: string;
    try {
      await keychain.probe();
      return choiceWith(keychain, "The system keychain works.", false);
    } catch (error) {
      await keychain.close?.();
      if (!(error instanceof McpOAuthError) || error.code === "invalid_configuration") throw error;
      problem = error.message;
    }
    if (this.#encryptedFileOptions() === undefined) {
      const advice = `To keep them without a keychain, set ${KEY_VARIABLE} to 32 random bytes in base64, or ${PASSPHRASE_VARIABLE}.`;
      return choiceWith(
        memoryStore(),
        `${problem} So credentials are forgotten when this program ends. ${advice}`,
        false,
      );
    }
    // There is a key, so files are wanted: if they cannot be used, that is no reason to forget everything.
    const files = await this.#openEncryptedFiles();
    await files.probe();
    return choiceWith(files, `${problem} There is a key for encrypted files, so they are used.`, false);
  }

  async #choiceOf(name: StoreName, reason: string, wasUsed: boolean): Promise<Choice> {
    if (name === "memory") return choiceWith(memoryStore(), reason, wasUsed);
    const store = name === "keychain" ? await this.#openKeychain() : await this.#openEncryptedFiles();
    return choiceWith(store, reason, wasUsed);
  }

  async #openKeychain(): Promise<TokenStore & { probe(): Promise<void> }> {
    const { keychainStore } = await import("./keychain/store.ts");
    return keychainStore(this.#options.keychain);
  }

  async #openEncryptedFiles(): Promise<TokenStore & { probe(): Promise<void> }> {
    const options = this.#encryptedFileOptions();
    if (options === undefined) {
      throw new McpOAuthError(
        "invalid_configuration",
        `There is no key for the encrypted files. Set the environment variable ${KEY_VARIABLE} to 32 random bytes in base64 or ${PASSPHRASE_VARIABLE} to a passphrase, or hand in an encryptedFileStore with a key of its own.`,
      );
    }
    const { FileStore } = await import("./encrypted-file/store.ts");
    const { environment } = this.#options;
    return new FileStore(options, environment === undefined ? {} : { environment });
  }

  #encryptedFileOptions(): EncryptedFileStoreOptions | undefined {
    const { encryptedFile, environment = process.env } = this.#options;
    if (encryptedFile !== undefined) return encryptedFile;
    if (environment[KEY_VARIABLE]) return { environmentVariable: KEY_VARIABLE };
    const passphrase = environment[PASSPHRASE_VARIABLE];
    return passphrase ? { passphrase } : undefined;
  }

  /** Before the first write, so that no crash can leave credentials in a store that nobody remembers. */
  async #remember(store: TokenStore): Promise<() => Promise<void>> {
    const isNamed = store.kind === "keychain" || store.kind === "encrypted-file";
    const nothing = async (): Promise<void> => {};
    if (this.#isRemembered || !isNamed || typeof (this.#options.store ?? "auto") !== "string") return nothing;
    const before = await this.#memento.read();
    this.#isRemembered = before === store.kind || (await this.#memento.write(store.kind));
    if (before === store.kind) return nothing;
    return async () => {
      this.#isRemembered = false;
      await this.#memento.restore(before);
    };
  }

  #tell(selection: StoreSelection): void {
    try {
      this.#options.onSelected?.(selection);
    } catch {
      // A listener must not decide whether there is a store.
    }
  }
}

function choiceWith(store: TokenStore, reason: string, wasUsed: boolean): Choice {
  return { store, selection: { store: store.kind, reason, persistent: store.kind !== "memory" }, wasUsed };
}

/** The file that remembers which store a profile uses. It is not needed to work, so it never stands in the way. */
class Memento {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  /** @throws `store_unreadable` when there is something that does not say it: to guess could be to move. */
  async read(): Promise<"keychain" | "encrypted-file" | undefined> {
    let text: string;
    try {
      text = await files.readFile(this.#path, "utf8");
    } catch {
      return undefined;
    }
    const [, store] = /^{"store":"(keychain|encrypted-file)"}\n$/.exec(text) ?? [];
    if (store === "keychain" || store === "encrypted-file") return store;
    throw new McpOAuthError(
      "store_unreadable",
      `The file ${this.#path}, which remembers where this profile keeps its credentials, is damaged. Restore or remove it.`,
    );
  }

  /** @returns whether that worked. */
  async write(store: string): Promise<boolean> {
    try {
      await files.mkdir(dirname(this.#path), { recursive: true, mode: 0o700 });
      await writeDurably(this.#path, Buffer.from(`${JSON.stringify({ store })}\n`));
      return true;
    } catch {
      return false;
    }
  }

  async restore(store: string | undefined): Promise<void> {
    if (store !== undefined) await this.write(store);
    else await files.unlink(this.#path).catch(() => {});
  }

  unreadable(store: string, error: unknown): McpOAuthError {
    const why = error instanceof McpOAuthError ? error.message : "See the cause.";
    const advice = `If its credentials are of no use any more, name another store in the option \`store\`, or remove ${this.#path}.`;
    const message = `This profile keeps its credentials in the store "${store}", which cannot be used now. ${why} ${advice}`;
    return new McpOAuthError("store_unreadable", message, { cause: error });
  }
}
