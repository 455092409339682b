import { constants, renameSync } from "node:fs";
import { type FileHandle, mkdir, open, rename, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { randomToken } from "../../core/entropy.ts";
import { McpOAuthError } from "../../core/errors.ts";
import { unusableFolder } from "../file-lock/unusable-folder.ts";

const OTHERS = 0o077;

/**
 * Makes a folder that only this user can look into, or checks that it is one.
 *
 * @throws `store_unavailable`
 */
export async function openPrivateFolder(path: string): Promise<void> {
  let problem: string | undefined;
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    problem = exposure(await stat(path), "700", path);
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
export async function readPrivateFile(path: string): Promise<Buffer> {
  // A link would let whoever can write here show us any file.
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0));
  try {
    const problem = exposure(await file.stat(), "600", path);
    if (problem !== undefined) throw new ExposedFile(`The file ${path} ${problem}`);
    return await file.readFile();
  } finally {
    await file.close();
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
    const file = await open(temporary, "wx", 0o600);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await commit(temporary, path, mayCommit);
  } catch (error) {
    await unlink(temporary).catch(() => {});
    throw error;
  }
  await syncFolder(dirname(path));
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
  let folder: FileHandle;
  try {
    folder = await open(path, "r");
  } catch (error) {
    // Windows cannot open folders, and needs no such thing.
    if (process.platform === "win32") return;
    throw error;
  }
  try {
    await folder.sync();
  } catch (error) {
    // Some file systems (of networks, in user space) cannot.
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (!["EINVAL", "ENOTSUP", "EPERM", "EISDIR", "EBADF"].includes(code)) throw error;
  } finally {
    await folder.close();
  }
}

/** Moves a file out of the way, under a name that was never used. @returns the new name. */
export async function setAside(folder: string, name: string, now: number): Promise<string> {
  const time = new Date(now).toISOString().replaceAll(":", "-");
  const aside = `${name}.damaged-${time}-${randomToken(6)}`;
  await rename(join(folder, name), join(folder, aside));
  return aside;
}
