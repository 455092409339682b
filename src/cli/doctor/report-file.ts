import { randomUUID } from "node:crypto";
import { access, constants, lstat, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Diagnosis } from "./diagnosis.ts";

/** Changes when readers of the file have to. */
const FORMAT_VERSION = 1;

function exists(file: string): CommandFailed {
  const message = `${file} exists already, and was left as it is. Choose another name, or add --force.`;
  return new CommandFailed(message, exitCodes.usage, { code: "report_exists" });
}

function notWritten(file: string, error: unknown): CommandFailed {
  const { code } = error as NodeJS.ErrnoException;
  const message = `The report could not be written to ${file} (${code}).`;
  return new CommandFailed(message, exitCodes.failure, { code: "report_failed" });
}

/** Refuses early, before anybody is asked anything. */
export async function requireFree(file: string, force: boolean): Promise<void> {
  const found = await lstat(file).catch(() => undefined);
  if (found !== undefined && !force) throw exists(file);
  if (found?.isDirectory() === true)
    throw new CommandFailed(`${file} is a folder. Name a file for the report.`, exitCodes.usage, { code: "usage" });
  await access(dirname(file), constants.W_OK).catch((error: unknown) => {
    throw notWritten(file, error);
  });
}

async function writeNew(file: string, text: string): Promise<void> {
  const handle = await open(file, "wx", 0o600);
  try {
    await handle.writeFile(text);
  } finally {
    await handle.close();
  }
}

/**
 * Writes the report for a bug tracker, readable by its owner alone until they hand it on. Another file of that name is
 * replaced only with `force`, and then in one step.
 */
export async function writeReport(file: string, diagnosis: Diagnosis, force: boolean): Promise<void> {
  const text = `${JSON.stringify({ format: "mcp-oauth doctor report", formatVersion: FORMAT_VERSION, ...diagnosis }, null, 2)}\n`;
  const written = force ? `${file}.${randomUUID()}` : file;
  try {
    await writeNew(written, text);
    if (force) await rename(written, file);
  } catch (error) {
    if (force) await rm(written, { force: true });
    if ((error as NodeJS.ErrnoException).code === "EEXIST") throw exists(file);
    throw notWritten(file, error);
  }
}
