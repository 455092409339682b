import { hkdfSync } from "node:crypto";
import { McpOAuthError } from "../../core/errors.ts";
import type { ScryptParameters } from "./scrypt.ts";

/** A key that records are encrypted with. */
export interface DataKey {
  /** Names the key in a record's header; tells nothing about it. */
  readonly id: string;
  readonly encryptionKey: Uint8Array;
  /** How it came from a passphrase, if it did. */
  readonly scrypt?: ScryptParameters;
}

/** How many bytes a key has. */
export const KEY_LENGTH = 32;

/** Derives what encrypts and what names the key from the same 32 bytes (HKDF, RFC 5869). */
export function dataKeyFrom(secret: Uint8Array, scrypt?: ScryptParameters): DataKey {
  const derive = (purpose: string, length: number): Uint8Array =>
    new Uint8Array(hkdfSync("sha256", secret, "", `mcp-oauth-client encrypted-file 1 ${purpose}`, length));
  return {
    id: Buffer.from(derive("key id", 8)).toString("hex"),
    encryptionKey: derive("encryption", KEY_LENGTH),
    ...(scrypt !== undefined && { scrypt }),
  };
}

/**
 * Reads a key of 32 bytes, given as bytes, or as base64 or base64url.
 *
 * @param where names the place that it came from, for the message.
 * @throws `invalid_configuration` for anything else. The message does not repeat it.
 */
export function parseKey(given: unknown, where: string): Uint8Array {
  const bytes = typeof given === "string" ? decodeBase64(given.trim()) : given;
  if (bytes instanceof Uint8Array && bytes.length === KEY_LENGTH) return bytes;
  throw new McpOAuthError(
    "invalid_configuration",
    `The key in ${where} is not 32 bytes in base64. Make one with: node -p "crypto.randomBytes(32).toString('base64')"`,
  );
}

function decodeBase64(text: string): Uint8Array | undefined {
  // Buffer skips over what is not base64, and so takes any text for a key.
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, "base64") : undefined;
}
