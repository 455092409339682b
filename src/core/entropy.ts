import type { webcrypto } from "node:crypto";
import { createHash, randomBytes, randomInt, randomUUID, timingSafeEqual } from "node:crypto";

export type { webcrypto };

/** `byteLength` bytes from the operating system's generator, base64url without padding. */
export function randomToken(byteLength = 32): string {
  return randomBytes(byteLength).toString("base64url");
}

/** A random RFC 4122 version 4 UUID. */
export function uuid(): string {
  return randomUUID();
}

/** A number in [0, 1) for jitter. From the same generator as everything else: one source, none to get wrong. */
export function randomFraction(): number {
  return randomInt(2 ** 32) / 2 ** 32;
}

/** SHA-256 of a text's UTF-8 bytes, base64url without padding. */
export function sha256(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("base64url");
}

/** Whether two texts are equal, in a time that does not depend on where they differ. */
export function equalInConstantTime(left: string, right: string): boolean {
  const hashOf = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(hashOf(left), hashOf(right));
}

/** The platform's WebCrypto. */
export const subtle: webcrypto.SubtleCrypto = globalThis.crypto.subtle;
