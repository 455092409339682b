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
 * keytar answers `null` for everything while the keychain is locked. So an item is written that is known to exist from
 * then on, and a file beside the locks remembers that it was: if it seems to be absent, the keychain is locked.
 */
export class Canary {
  readonly #backend: KeychainBackend;
  readonly #marker: string;

  /** @param marker the path of the file that remembers; nothing secret is in it. */
  constructor(backend: KeychainBackend, marker: string) {
    this.#backend = backend;
    this.#marker = marker;
  }

  /** The path of the file that remembers. */
  get marker(): string {
    return this.#marker;
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
    if (!backend.absentIsCertain) await backend.set(CANARY, CANARY_VALUE);
    await this.#remember();
  }

  /**
   * To be called when an item seems to be absent.
   *
   * @throws KeychainFailure `locked` when nothing can be seen at all.
   */
  async confirmAbsence(): Promise<void> {
    if (this.#backend.absentIsCertain) return;
    if ((await this.#backend.get(CANARY)) === CANARY_VALUE) return;
    if (await this.isProven()) throw new KeychainFailure("locked");
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
