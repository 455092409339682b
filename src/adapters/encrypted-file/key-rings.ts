import { randomBytes } from "node:crypto";
import { dirname } from "node:path";
import { McpOAuthError } from "../../core/errors.ts";
import type { TokenStore } from "../../ports/token-store.ts";
import { isMissing } from "../file-lock/generations.ts";
import { fileSystem } from "../file-system.ts";
import { KEY_LENGTH, parseKey } from "./data-key.ts";
import { createDurably, ExposedFile, readPrivateFile, writeDurably } from "./files.ts";
import type { KeyRing } from "./key-source.ts";

const files = fileSystem.promises;

/** What both kinds of ring need to know of the records. */
export interface RingContext {
  /** Whether there are records already: then a key that is missing was lost, and a new one would be of no use. */
  hasRecords(): boolean;
}

/*
 * A ring only ever grows. Whoever has been at work since before a new key was made may write one more record with any older
 * one, and a key file may serve other folders as well: a key that is dropped may be the only one for some record.
 */

/** Keys in the operating system's keychain, as one of its records. */
export function keychainRing(keychain: TokenStore, directory: string, context: RingContext): KeyRing {
  const name = `key of the encrypted files in ${directory}`;
  const where = "the system keychain";
  const read = async (): Promise<readonly Uint8Array[] | undefined> => {
    const record = await keychain.get(name);
    return record && parseRing(record.value, where);
  };
  const change = async (make: (old: readonly Uint8Array[] | undefined) => Promise<readonly Uint8Array[]>) => {
    const lock = await keychain.lock(name);
    try {
      const old = await read();
      const changed = await make(old);
      if (changed !== old) await keychain.set(name, writeRing(changed), lock);
      return changed;
    } finally {
      await lock.release();
    }
  };
  return {
    load: async () => (await read()) ?? change(async (old) => old ?? firstRing(context, `no key in ${where}`)),
    renew: async () => {
      await change(async (old) => renewed(old, where));
    },
  };
}

/** Keys in a file. */
export function fileRing(path: string, context: RingContext): KeyRing {
  const read = async (): Promise<readonly Uint8Array[] | undefined> => {
    try {
      return parseRing(readPrivateFile(path).toString("latin1"), `the file ${path}`);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw unreadableKeyFile(path, error);
    }
  };
  const make = async (): Promise<readonly Uint8Array[]> => {
    const ring = firstRing(context, `no key file ${path}`);
    try {
      await files.mkdir(dirname(path), { recursive: true, mode: 0o700 });
      await createDurably(path, Buffer.from(writeRing(ring), "latin1"));
      return ring;
    } catch (error) {
      // Another process may have been faster. A key that is kept nowhere would lose what is encrypted with it.
      const kept = (error as NodeJS.ErrnoException).code === "EEXIST" ? await read() : undefined;
      if (kept === undefined) throw unreadableKeyFile(path, error);
      return kept;
    }
  };
  return {
    load: async () => (await read()) ?? make(),
    renew: async () => {
      const ring = renewed(await read(), `the file ${path}`);
      try {
        await writeDurably(path, Buffer.from(writeRing(ring), "latin1"));
      } catch (error) {
        throw unreadableKeyFile(path, error);
      }
    },
  };
}

function firstRing(context: RingContext, missing: string): readonly Uint8Array[] {
  if (!context.hasRecords()) return [newKey()];
  throw new McpOAuthError(
    "store_unreadable",
    `There are encrypted credentials, but ${missing}. Restore the key; if it is lost for good, remove the encrypted files and sign in again.`,
  );
}

/** The ring with a new key in front. Without the older ones, all that they encrypted would be lost. */
function renewed(old: readonly Uint8Array[] | undefined, where: string): readonly Uint8Array[] {
  if (old !== undefined) return [newKey(), ...old];
  throw new McpOAuthError(
    "store_unavailable",
    `There is no key in ${where} any more, so no new one was made: what is encrypted with it could not be read again. Restore the key, then try again.`,
  );
}

function newKey(): Uint8Array {
  return randomBytes(KEY_LENGTH);
}

/** One key a line, in base64. */
function writeRing(keys: readonly Uint8Array[]): string {
  return keys.map((key) => `${Buffer.from(key).toString("base64")}\n`).join("");
}

function parseRing(text: string, where: string): readonly Uint8Array[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  // An empty file is refused as well.
  return (lines.length === 0 ? [""] : lines).map((line) => parseKey(line, where));
}

function unreadableKeyFile(path: string, error: unknown): McpOAuthError {
  if (error instanceof McpOAuthError) return error;
  if (error instanceof ExposedFile) return new McpOAuthError("store_unavailable", error.message);
  const code = (error as NodeJS.ErrnoException).code ?? "unknown error";
  const message = `The key file ${path} cannot be used (${code}). Make it readable for this user, or name another one.`;
  return new McpOAuthError("store_unavailable", message, { cause: error });
}
