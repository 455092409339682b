import { randomBytes, scrypt } from "node:crypto";
import { McpOAuthError } from "../../core/errors.ts";

/** How a key comes from a passphrase (RFC 7914). Stored with each record, so that they can change. */
export interface ScryptParameters {
  /** CPU and memory cost, a power of two. */
  readonly N: number;
  readonly r: number;
  readonly p: number;
  /** Base64. */
  readonly salt: string;
}

/** What OWASP's Password Storage Cheat Sheet asks for: 128 MiB, some 0.4 seconds. Once a process. */
export const DEFAULT_SCRYPT_COST: number = 2 ** 17;
/** Less than this is worth nothing. */
export const LEAST_SCRYPT_COST: number = 2 ** 14;
// A file that was tampered with must not make us take all memory, or hours.
const MOST_SCRYPT_COST = 2 ** 20;
const SALT_LENGTH = 16;

/** New parameters with a salt of their own. */
export function makeScryptParameters(cost: number): ScryptParameters {
  return { N: cost, r: 8, p: 1, salt: randomBytes(SALT_LENGTH).toString("base64") };
}

/** Reads parameters; `undefined` for anything that is not within reason. */
export function parseScryptParameters(value: unknown): ScryptParameters | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const { N, r, p, salt } = value as Record<string, unknown>;
  if (typeof N !== "number" || !isPowerOfTwo(N) || N < LEAST_SCRYPT_COST || N > MOST_SCRYPT_COST) return undefined;
  if (r !== 8 || typeof p !== "number" || !Number.isInteger(p) || p < 1 || p > 4) return undefined;
  if (typeof salt !== "string" || Buffer.from(salt, "base64").length < SALT_LENGTH) return undefined;
  return { N, r, p, salt };
}

/** Whether scrypt takes it as a cost. */
export function isPowerOfTwo(value: number): boolean {
  return Number.isSafeInteger(value) && value > 1 && Number.isInteger(Math.log2(value));
}

/**
 * Derives 32 bytes, on another thread.
 *
 * @throws `store_unavailable`
 */
export function deriveFromPassphrase(passphrase: string, parameters: ScryptParameters): Promise<Buffer> {
  const { N, r, p, salt } = parameters;
  // The same passphrase can be typed as different code points.
  const normalized = passphrase.normalize("NFKC");
  const derived = new Promise<Buffer>((resolve, reject) => {
    const options = { N, r, p, maxmem: 128 * N * r * p + 1024 * 1024 };
    scrypt(normalized, Buffer.from(salt, "base64"), 32, options, (error, key) => {
      if (error === null) resolve(key);
      else reject(error);
    });
  });
  return derived.catch((error: unknown) => {
    const memory = Math.ceil((128 * N * r) / 1024 ** 2);
    const message = `The key of the encrypted files could not be made from the passphrase, which takes ${memory} MiB of memory. Free some and try again. See the cause.`;
    throw new McpOAuthError("store_unavailable", message, { cause: error });
  });
}
