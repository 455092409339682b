import type { webcrypto } from "node:crypto";

export type { webcrypto };

/** Loaded by the first use: it takes Node.js as long as the rest of this package. */
function nodeCrypto(): typeof import("node:crypto") {
  return process.getBuiltinModule("node:crypto");
}

/** `byteLength` bytes from the operating system's generator, base64url without padding. */
export function randomToken(byteLength = 32): string {
  return nodeCrypto().randomBytes(byteLength).toString("base64url");
}

/** A random RFC 4122 version 4 UUID. */
export function uuid(): string {
  return nodeCrypto().randomUUID();
}

/** A number in [0, 1) for jitter. From the same generator as everything else: one source, none to get wrong. */
export function randomFraction(): number {
  return nodeCrypto().randomInt(2 ** 32) / 2 ** 32;
}

/** SHA-256 of a text's UTF-8 bytes, base64url without padding. */
export function sha256(text: string): string {
  return nodeCrypto().createHash("sha256").update(text, "utf8").digest("base64url");
}

/** SHA-256 of a text's UTF-16 code units, in hexadecimal digits: other than UTF-8, they tell unpaired surrogates apart. */
export function sha256OfCodeUnits(text: string): string {
  return nodeCrypto().createHash("sha256").update(text, "utf16le").digest("hex");
}

/** Whether two texts are equal, in a time that does not depend on where they differ. */
export function equalInConstantTime(left: string, right: string): boolean {
  const { createHash, timingSafeEqual } = nodeCrypto();
  const hashOf = (text: string): Buffer => createHash("sha256").update(text, "utf8").digest();
  return timingSafeEqual(hashOf(left), hashOf(right));
}

/** The platform's WebCrypto. */
export function subtle(): webcrypto.SubtleCrypto {
  return globalThis.crypto.subtle;
}
