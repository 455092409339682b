import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { randomToken } from "../../core/entropy.ts";
import { unusableFolder } from "../file-lock/unusable-folder.ts";
import type { KeychainBackend } from "./backend.ts";
import { KeychainFailure } from "./failure.ts";

const CANARY = "canary";
const CANARY_VALUE = "mcp-oauth-client";

/**
 * Proves that a keychain works, and tells a locked one from an empty one.
 *
 * keytar answers `null` for everything while the keychain is locked, and some Secret Services find nothing then. So an
 * item is written that is known to exist from then on, and a file beside the locks remembers that it was. If it seems to
 * be absent, either the keychain is locked, or somebody has emptied it: then it can be written again.
 */
export class Canary {
  readonly #backend: KeychainBackend;
  readonly #marker: string;

  /** @param marker the path of the file that remembers; nothing secret is in it. */
  constructor(backend: KeychainBackend, marker: string) {
    this.#backend = backend;
    this.#marker = marker;
  }

  /** Whether this keychain has worked before. */
  async isProven(): Promise<boolean> {
    try {
      return (await readFile(this.#marker, "utf8")) !== "";
    } catch {
      return false;
    }
  }

  /**
   * Writes, reads and deletes an item.
   *
   * @throws KeychainFailure
   */
  async prove(): Promise<void> {
    const backend = this.#backend;
    const probe = `probe-${randomToken(12)}`;
    await backend.set(probe, CANARY_VALUE);
    const read = await backend.get(probe);
    await backend.delete(probe);
    if (read !== CANARY_VALUE) throw new KeychainFailure("locked");
    await backend.set(CANARY, CANARY_VALUE);
    await this.#remember();
  }

  /**
   * To be called when an item seems to be absent.
   *
   * @returns `true` when it is; `false` when the keychain has only been unlocked by asking, so that it is worth looking
   * again.
   * @throws KeychainFailure when nothing can be said, since the keychain is locked.
   */
  async confirmsAbsence(): Promise<boolean> {
    if ((await this.#backend.get(CANARY)) === CANARY_VALUE) return true;
    if (!(await this.isProven())) return true;
    await this.prove();
    return false;
  }

  async #remember(): Promise<void> {
    try {
      await mkdir(dirname(this.#marker), { recursive: true, mode: 0o700 });
      await writeFile(this.#marker, "This keychain has been used by mcp-oauth-client.\n", { mode: 0o600 });
    } catch (error) {
      // The locks will need the same folder.
      throw unusableFolder(dirname(this.#marker), error);
    }
  }
}
