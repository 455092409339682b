import { join } from "node:path";
import { randomToken } from "../../core/entropy.ts";
import { isMissing } from "../file-lock/generations.ts";
import { fileSystem } from "../file-system.ts";

const { readdirSync, unlinkSync } = fileSystem;

/** One file of a record. */
export interface RecordFile {
  readonly name: string;
  readonly id: string;
  readonly fence: number;
  /** `deleted` marks that there is no record, `temporary` is one that was never completed. */
  readonly kind: "record" | "deleted" | "temporary";
}

/*
 * A record's file carries the fence of its writer in its name, and the highest one counts. So a writer that was frozen,
 * lost its lock and wakes up at the very last moment cannot undo what its successor wrote: its file is not looked at.
 * A deletion is an empty file with a fence, for the same reason.
 */
const FILE_NAME = /^([0-9a-f]{64})\.([1-9][0-9]{0,15})\.(record|deleted|[\w-]+\.temporary)$/;

/** The name of a record's file, or of the mark that there is none. */
export function recordFileName(id: string, fence: number, kind: "record" | "deleted"): string {
  return `${id}.${fence}.${kind}`;
}

/** A name for a record's file while it is being written. */
export function temporaryFileName(id: string, fence: number): string {
  return `${id}.${fence}.${randomToken(9)}.temporary`;
}

/** All files of one record, or of all. */
export function listRecordFiles(folder: string, id?: string): RecordFile[] {
  const files: RecordFile[] = [];
  for (const name of readdirSync(folder)) {
    if (id !== undefined && !name.startsWith(id)) continue;
    const [, foundId, fence, ending] = FILE_NAME.exec(name) ?? [];
    if (foundId === undefined || ending === undefined) continue;
    const kind = ending === "record" || ending === "deleted" ? ending : "temporary";
    files.push({ name, id: foundId, fence: Number(fence), kind });
  }
  return files;
}

/** The file that counts among those of one record. */
export function newest(files: readonly RecordFile[]): RecordFile | undefined {
  let result: RecordFile | undefined;
  for (const file of files) {
    if (file.kind === "temporary") continue;
    const isNewer = result === undefined || file.fence > result.fence;
    if (isNewer || (file.fence === result?.fence && file.kind === "deleted")) result = file;
  }
  return result;
}

/** Removes files; those that are gone already are fine. */
export function removeFiles(folder: string, files: readonly RecordFile[]): void {
  for (const { name } of files) {
    try {
      unlinkSync(join(folder, name));
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  }
}
