import { join, relative, resolve, sep } from "node:path";
import { McpOAuthError } from "../../core/errors.ts";
import type { Environment } from "../file-lock/state-directory.ts";
import { unusableFolder } from "../file-lock/unusable-folder.ts";
import { fileSystem } from "../file-system.ts";
import { parseKey } from "./data-key.ts";
import { createDurably } from "./files.ts";
import { fileRing, keychainRing, type RingContext } from "./key-rings.ts";
import { type KeySource, passphraseSource, ringSource, secretSource } from "./key-source.ts";
import type { EncryptedFileKey, Provided } from "./options.ts";
import { DEFAULT_SCRYPT_COST, makeScryptParameters, parseScryptParameters, type ScryptParameters } from "./scrypt.ts";

const files = fileSystem.promises;

/** What a key source may need beside its options. */
export interface KeySourceContext extends RingContext {
  /** The store's folder. */
  readonly directory: string;
  readonly environment: Environment;
}

/** Makes the key source that the options describe. Nothing is fetched yet. */
export async function openKeySource(options: EncryptedFileKey, context: KeySourceContext): Promise<KeySource> {
  if ("key" in options)
    return secretSource(async () => parseKey(await fetched(options.key, "key"), "the option `key`"));
  if ("passphrase" in options) {
    return passphraseSource(
      async () => checkedPassphrase(await fetched(options.passphrase, "passphrase")),
      () => scryptParametersOf(context.directory, options.scryptCost ?? DEFAULT_SCRYPT_COST),
    );
  }
  if ("environmentVariable" in options) {
    const name = options.environmentVariable;
    return secretSource(async () => keyFromEnvironment(name, context.environment));
  }
  if ("keyFile" in options) return ringSource(fileRing(keyFilePath(options.keyFile, context.directory), context));
  const { keychainStore } = await import("../keychain/store.ts");
  const keychain = keychainStore(options.keychain === true ? {} : options.keychain);
  return ringSource(keychainRing(keychain, context.directory, context));
}

async function fetched<Value>(provided: Provided<Value>, option: string): Promise<Value> {
  if (typeof provided !== "function") return provided;
  try {
    return await (provided as () => Value | Promise<Value>)();
  } catch (error) {
    if (error instanceof McpOAuthError) throw error;
    throw new McpOAuthError("store_unavailable", `The function in the option \`${option}\` failed. See the cause.`, {
      cause: error,
    });
  }
}

function checkedPassphrase(passphrase: unknown): string {
  if (typeof passphrase === "string" && passphrase !== "") return passphrase;
  throw new McpOAuthError("invalid_configuration", "The passphrase of the encrypted files must be a text, not empty.");
}

function keyFromEnvironment(name: string, environment: Environment): Uint8Array {
  const value = environment[name];
  if (value !== undefined && value !== "") return parseKey(value, `the environment variable ${name}`);
  throw new McpOAuthError(
    "store_unavailable",
    `The environment variable ${name}, which is to hold the key of the encrypted files, is not set. Set it to 32 random bytes in base64.`,
  );
}

function keyFilePath(keyFile: string, directory: string): string {
  const path = resolve(keyFile);
  const inside = relative(directory, path);
  if (inside !== ".." && !inside.startsWith(`..${sep}`) && resolve(inside) !== inside) {
    throw new McpOAuthError(
      "invalid_configuration",
      `The key file ${path} lies in the folder of the encrypted files, so that a copy of one is a copy of both. Put it elsewhere.`,
    );
  }
  return path;
}

/**
 * One salt for all records of a folder, so that a process derives its key once. Each record has its own copy of it, so
 * that nothing depends on this file.
 */
async function scryptParametersOf(directory: string, cost: number): Promise<ScryptParameters> {
  const path = join(directory, `scrypt-${cost}.json`);
  const made = makeScryptParameters(cost);
  try {
    await createDurably(path, Buffer.from(JSON.stringify(made), "latin1"));
    return made;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw unusableFolder(directory, error);
  }
  try {
    const known = parseScryptParameters(JSON.parse(await files.readFile(path, "utf8")));
    // Whoever can write here must not choose weaker parameters for what is written from now on.
    return known?.N === cost ? known : made;
  } catch {
    return made;
  }
}
