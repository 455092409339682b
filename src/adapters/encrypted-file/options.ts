import { McpOAuthError } from "../../core/errors.ts";
import type { KeychainStoreOptions } from "../keychain/options.ts";
import { DEFAULT_SCRYPT_COST, isPowerOfTwo, LEAST_SCRYPT_COST } from "./scrypt.ts";

/** A value, or what fetches it when it is needed. */
export type Provided<Value> = Value | (() => Value | Promise<Value>);

/** Where the key comes from: exactly one of these. */
export type EncryptedFileKey =
  /** 32 random bytes, or their base64, or what fetches them. Called once a process, and again for an unknown key. */
  | { key: Provided<Uint8Array | string> }
  /**
   * A passphrase, or what fetches it; the key is derived with scrypt.
   * `scryptCost` is its cost, a power of two; default 131,072 (128 MiB, some 0.4 seconds, once a process).
   */
  | { passphrase: Provided<string>; scryptCost?: number }
  /** A key that is made and kept in the operating system's keychain. */
  | { keychain: true | KeychainStoreOptions }
  /** The name of an environment variable with 32 random bytes in base64. */
  | { environmentVariable: string }
  /**
   * The path of a file with the key, made with mode 0600 when it is not there. It must not lie in the folder of the
   * records: whoever gets a copy of that would have both. The first line is the present key; those below are older ones.
   */
  | { keyFile: string };

/** Options of `encryptedFileStore`. There is no default for the key, and no way to leave it out. */
export type EncryptedFileStoreOptions = EncryptedFileKey & {
  /** Where the records live. Made with mode 0700. Default: `tokens` in the user's folder for state. */
  directory?: string;
  /**
   * Keys that were used before. What they encrypted can still be read; it gets the present key when it is next written,
   * or all at once with `rotate()`.
   */
  previousKeys?: readonly EncryptedFileKey[];
};

const SOURCES = ["key", "passphrase", "keychain", "environmentVariable", "keyFile"] as const;

/** @throws `invalid_configuration` unless there is exactly one key in each place. */
export function checkEncryptedFileOptions(options: EncryptedFileStoreOptions): void {
  checkKey(options, "encryptedFileStore");
  for (const previous of options.previousKeys ?? []) checkKey(previous, "encryptedFileStore, previousKeys");
}

function checkKey(options: EncryptedFileKey, where: string): void {
  const wrong = (what: string): McpOAuthError => new McpOAuthError("invalid_configuration", `${where}: ${what}`);
  const given = SOURCES.filter((source) => (options as Record<string, unknown>)[source] !== undefined);
  if (given.length !== 1) {
    const found = given.length === 0 ? "none" : given.join(" and ");
    throw wrong(`exactly one of ${SOURCES.join(", ")} says where the key comes from; there is ${found}.`);
  }
  if ("environmentVariable" in options && options.environmentVariable === "") {
    throw wrong("`environmentVariable` must be the name of a variable.");
  }
  if ("keyFile" in options && options.keyFile === "") throw wrong("`keyFile` must be a path.");
  if (!("passphrase" in options)) return;
  if (options.passphrase === "") throw wrong("`passphrase` must not be empty.");
  const cost = options.scryptCost ?? DEFAULT_SCRYPT_COST;
  if (!isPowerOfTwo(cost) || cost < LEAST_SCRYPT_COST || cost > 2 ** 20) {
    throw wrong("`scryptCost` must be a power of two from 16,384 to 1,048,576.");
  }
}
