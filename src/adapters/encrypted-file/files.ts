import { dirname, join } from "node:path";
import { randomToken } from "../../core/entropy.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { unusableFolder } from "../file-lock/unusable-folder.ts";
import { fileSystem } from "../file-system.ts";

const {
  closeSync,
  constants,
  fstatSync,
  fsync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} = fileSystem;

/*
 * Records are small and local: the system answers for them in some 20 microseconds. A way through the thread pool takes up to
 * 4 ms when the process is busy, as hosts are that load their modules, and a session is read and written in 20 steps. So
 * only what really waits for a disk goes there.
 */
const synced = (file: number): Promise<void> =>
  new Promise((resolve, reject) => fsync(file, (error) => (error === null ? resolve() : reject(error))));

const OTHERS = 0o077;

/**
 * Makes a folder that only this user can look into, or checks that it is one.
 *
 * @throws `store_unavailable`
 */
export function openPrivateFolder(path: string): void {
  let problem: string | undefined;
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    problem = exposure(statSync(path), "700", path);
  } catch (error) {
    throw unusableFolder(path, error);
  }
  if (problem !== undefined) throw new McpOAuthError("store_unavailable", `The folder ${path} ${problem}`);
}

/** Says what is wrong with the owner or mode of something that is to be private, and how to put it right. */
function exposure(status: { uid: number; mode: number }, mode: string, path: string): string | undefined {
  // Windows has neither: there, the user's folder is private by inheritance.
  const user = process.getuid?.();
  if (user === undefined) return undefined;
  if (status.uid !== user) return `belongs to another user (${status.uid}), so it is not trusted. Use one of your own.`;
  if ((status.mode & OTHERS) === 0) return undefined;
  return `can be read by other users, so it is not used. Run: chmod ${mode} ${path}`;
}

/** A private file that others can read. The message says what to do. */
export class ExposedFile extends Error {}

/**
 * Reads a file that only this user can read.
 *
 * @throws {@link ExposedFile}, or the file system's own error.
 */
export function readPrivateFile(path: string): Buffer {
  // A link would let whoever can write here show us any file, and a pipe would let us wait for ever.
  const file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  try {
    const problem = exposure(fstatSync(file), "600", path);
    if (problem !== undefined) throw new ExposedFile(`The file ${path} ${problem}`);
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a file so that a crash at any moment leaves the old one or the new one, whole.
 *
 * @param temporary its name until it is complete, in the same folder.
 * @param mayCommit throws when it must not be put in place after all; called right before that.
 */
export async function writeDurably(
  path: string,
  content: Uint8Array,
  temporary: string = `${path}.${randomToken(9)}.temporary`,
  mayCommit: () => void = () => {},
): Promise<void> {
  try {
    await writeSynced(temporary, content);
    await commit(temporary, path, mayCommit);
  } catch (error) {
    removeIfThere(temporary);
    throw error;
  }
  await syncFolder(dirname(path));
}

/**
 * Makes a file that is whole from the first moment on that others can see it.
 *
 * @throws the file system's own error, `EEXIST` when there is one already.
 */
export async function createDurably(path: string, content: Uint8Array): Promise<void> {
  const temporary = `${path}.${randomToken(9)}.temporary`;
  try {
    await writeSynced(temporary, content);
    putInPlace(temporary, path, content);
  } finally {
    removeIfThere(temporary);
  }
  await syncFolder(dirname(path));
}

/** Unlike renaming, a link replaces nothing. */
function putInPlace(temporary: string, path: string, content: Uint8Array): void {
  try {
    linkSync(temporary, path);
  } catch (error) {
    // Some file systems (exFAT, those of some networks) have no links; Windows calls that EISDIR.
    if (!["EPERM", "ENOTSUP", "ENOSYS", "EISDIR"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    writeFileSync(path, content, { flag: "wx", mode: 0o600 });
  }
}

async function writeSynced(path: string, content: Uint8Array): Promise<void> {
  const file = openSync(path, "wx", 0o600);
  try {
    writeFileSync(file, content);
    await synced(file);
  } finally {
    closeSync(file);
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch {}
}

async function commit(temporary: string, path: string, mayCommit: () => void): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    mayCommit();
    try {
      // Synchronous, so that nothing can happen after the permission.
      renameSync(temporary, path);
      return;
    } catch (error) {
      // On Windows a virus scanner that looks at the file gets in the way for a moment.
      const code = (error as NodeJS.ErrnoException).code ?? "";
      if (process.platform !== "win32" || !["EPERM", "EACCES", "EBUSY"].includes(code) || attempt === 10) throw error;
      await new Promise((resolve) => setTimeout(resolve, attempt * 10));
    }
  }
}

/** Makes what was renamed, made or removed in a folder survive a power failure. */
export async function syncFolder(path: string): Promise<void> {
  let folder: number;
  try {
    folder = openSync(path, "r");
  } catch (error) {
    // Windows cannot open folders, and needs no such thing.
    if (process.platform === "win32") return;
    throw error;
  }
  try {
    await synced(folder);
  } catch (error) {
    // Some file systems (of networks, in user space) cannot.
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EINVAL", "ENOTSUP", "EPERM", "EISDIR", "EBADF"].includes(code)) throw error;
  } finally {
    closeSync(folder);
  }
}

/** Moves a file out of the way, under a name that was never used. @returns the new name. */
export function setAside(folder: string, name: string, now: number): string {
  const time = new Date(now).toISOString().replaceAll(":", "-");
  const aside = `${name}.damaged-${time}-${randomToken(6)}`;
  renameSync(join(folder, name), join(folder, aside));
  return aside;
}
