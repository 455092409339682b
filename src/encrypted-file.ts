/**
 * Encrypted files as a token store, for machines without a keychain.
 *
 * @module
 */
export type { EncryptedFileKey, EncryptedFileStoreOptions, Provided } from "./adapters/encrypted-file/options.ts";
export { type EncryptedFileStore, encryptedFileStore, type RotateResult } from "./adapters/encrypted-file/store.ts";
