import { sha256OfCodeUnits } from "../../core/entropy.ts";

/**
 * A file name for a key with any characters: SHA-256 in hexadecimal digits. Two keys never share one, not even where
 * file names ignore case (which rules base64 out) or forbid characters.
 *
 * It hashes UTF-16 and not UTF-8, in which different unpaired surrogates all become the same replacement character.
 */
export function fileNameFor(key: string): string {
  return sha256OfCodeUnits(key);
}
