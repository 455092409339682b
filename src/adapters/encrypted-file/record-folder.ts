import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { isMissing } from "../file-lock/generations.ts";
import { fileSystem } from "../file-system.ts";
import { ExposedFile, openPrivateFolder, readPrivateFile, setAside, syncFolder, writeDurably } from "./files.ts";
import { NotARecord, seal, takeApart, unseal } from "./format.ts";
import type { KeyChoice } from "./key-choice.ts";
import {
  listRecordFiles,
  newest,
  type RecordFile,
  recordFileName,
  removeFiles,
  temporaryFileName,
} from "./record-files.ts";

const { writeFileSync } = fileSystem;

/** A record as it was found. */
export interface FoundRecord {
  readonly key: string;
  readonly value: string;
  readonly fence: number;
}

/** What {@link RecordFolder} needs. */
export interface RecordFolderOptions {
  path: string;
  keys: KeyChoice;
  clock: Clock;
}

/** A file can be replaced between finding and reading it. */
const READ_ATTEMPTS = 100;

/** A folder of encrypted records, each named by the hash of its key. */
export class RecordFolder {
  readonly #path: string;
  readonly #keys: KeyChoice;
  readonly #clock: Clock;

  constructor(options: RecordFolderOptions) {
    this.#path = options.path;
    this.#keys = options.keys;
    this.#clock = options.clock;
  }

  /** @throws `store_unavailable` when the folder cannot be made, or is not private. */
  open(): void {
    openPrivateFolder(this.#path);
  }

  /**
   * Whether there is any record at all.
   *
   * @throws `store_unreadable`
   */
  hasRecords(): boolean {
    return this.#readable().some(({ kind }) => kind === "record");
  }

  /** The highest fence that the files of a record bear; 0 when there are none. */
  highestFence(id: string): number {
    const files = this.#list(id);
    return Math.max(0, ...files.filter(({ kind }) => kind !== "temporary").map(({ fence }) => fence));
  }

  /**
   * The hashes of all records, and of some that were deleted.
   *
   * @throws `store_unreadable`
   */
  ids(): string[] {
    return [...new Set(this.#readable().map(({ id }) => id))];
  }

  /**
   * Reads the newest version of a record.
   *
   * @throws `store_unreadable`
   */
  async read(id: string): Promise<FoundRecord | undefined> {
    for (let attempt = 1; ; attempt += 1) {
      const file = newest(this.#readable(id));
      if (file === undefined || file.kind === "deleted") return undefined;
      try {
        return await this.#decrypt(file);
      } catch (error) {
        if (!isMissing(error) || attempt === READ_ATTEMPTS) throw this.#unreadable(error, file.name);
      }
    }
  }

  /**
   * Writes a version of a record, then removes those before it. One that could not be read is not removed but renamed.
   *
   * @param mayWrite throws when the lock is lost; called right before the file is put in place.
   */
  async write(id: string, record: FoundRecord, mayWrite: () => void): Promise<void> {
    const { key, value, fence } = record;
    const before = this.#list(id);
    // Somebody may have removed the folder while we were at work.
    if (before.length === 0) this.open();
    const damaged = await this.#undecryptable(before);
    // One of our own fence would be overwritten.
    this.#setAside(damaged.filter((file) => file.fence === fence));
    const sealed = seal(JSON.stringify({ key, value }), await this.#keys.current(), { id, fence });
    const path = join(this.#path, recordFileName(id, fence, "record"));
    await writeDurably(path, sealed, join(this.#path, temporaryFileName(id, fence)), mayWrite);
    await tidy(async () => {
      this.#setAside(damaged.filter((file) => file.fence !== fence));
      const isWritten = (file: RecordFile): boolean => file.kind === "record" && file.fence === fence;
      const obsolete = before.filter((file) => !damaged.includes(file) && !isWritten(file));
      // A mark of our own fence counts more than the record does, until it is gone.
      removeFiles(this.#path, obsolete);
      if (obsolete.some((file) => file.kind === "deleted" && file.fence === fence)) await syncFolder(this.#path);
    });
  }

  /** Removes a record in all its versions, readable or not. */
  async remove(id: string, fence: number, mayWrite: () => void): Promise<void> {
    const before = this.#list(id);
    if (before.length === 0) return;
    mayWrite();
    writeFileSync(join(this.#path, recordFileName(id, fence, "deleted")), "", { mode: 0o600 });
    await syncFolder(this.#path);
    const isMark = (file: RecordFile): boolean => file.kind === "deleted" && file.fence === fence;
    removeFiles(
      this.#path,
      before.filter((file) => !isMark(file)),
    );
  }

  /** The files of one record, or of all; none where the folder is gone. */
  #list(id?: string): RecordFile[] {
    try {
      return listRecordFiles(this.#path, id);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }

  /** As {@link RecordFolder.#list}, for those who want to read. */
  #readable(id?: string): RecordFile[] {
    try {
      return this.#list(id);
    } catch (error) {
      throw this.#unreadable(error);
    }
  }

  async #decrypt({ name, id, fence }: RecordFile): Promise<FoundRecord> {
    const sealed = takeApart(readPrivateFile(join(this.#path, name)));
    const dataKey = await this.#keys.find(sealed.header);
    if (dataKey === undefined) throw new NotARecord("encrypted with another key");
    const { key, value } = parseJsonObject(unseal(sealed, dataKey, { id, fence })) ?? {};
    if (typeof key !== "string" || typeof value !== "string") throw new NotARecord("not one that this version writes");
    return { key, value, fence };
  }

  async #undecryptable(files: readonly RecordFile[]): Promise<RecordFile[]> {
    const found: RecordFile[] = [];
    for (const file of files) {
      if (file.kind !== "record") continue;
      try {
        await this.#decrypt(file);
      } catch (error) {
        if (!(error instanceof NotARecord) && !(error instanceof ExposedFile)) throw error;
        found.push(file);
      }
    }
    return found;
  }

  #setAside(files: readonly RecordFile[]): void {
    for (const { name } of files) setAside(this.#path, name, this.#clock.now());
  }

  #unreadable(error: unknown, fileName = ""): McpOAuthError {
    const path = join(this.#path, fileName);
    if (error instanceof NotARecord) {
      return new McpOAuthError(
        "store_unreadable",
        `The credentials in ${path} cannot be read: the file is ${error.message}. It was left as it is. Restore the file or its key; if it is of no use any more, remove it and sign in again.`,
      );
    }
    if (error instanceof ExposedFile) return new McpOAuthError("store_unreadable", error.message);
    if (error instanceof McpOAuthError) {
      return new McpOAuthError("store_unreadable", `There are credentials that cannot be read. ${error.message}`, {
        cause: error.cause,
      });
    }
    const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
    return new McpOAuthError("store_unreadable", `The credentials in ${path} cannot be read (${code}). Try again.`, {
      cause: error,
    });
  }
}

/** The record itself is written, which is what was asked for; the next writer finds what is left over. */
async function tidy(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch {}
}
