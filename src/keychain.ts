/**
 * The operating system's keychain as a token store. It is what `store: "auto"` takes first; import it to set options.
 *
 * @module
 */
export type { KeytarLike } from "./adapters/keychain/backend.ts";
export type { HelperProgram } from "./adapters/keychain/helper-process.ts";
export type { KeychainStoreOptions } from "./adapters/keychain/options.ts";
export { type KeychainStore, keychainStore } from "./adapters/keychain/store.ts";
