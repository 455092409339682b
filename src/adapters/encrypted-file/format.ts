import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import type { DataKey } from "./data-key.ts";
import { parseScryptParameters, type ScryptParameters } from "./scrypt.ts";

/*
 * A record's file:
 *
 *   8 bytes   MCPOAUTH
 *   1 byte    version of this format
 *   2 bytes   length of the header, big-endian
 *   header    JSON: the id of the key, and how the key comes from a passphrase if it does
 *   12 bytes  nonce
 *   rest      AES-256-GCM of the JSON of key and value, then the 16 bytes of its tag
 *
 * Authenticated with it: everything before the nonce, and the file's name, which is the SHA-256 of the record's key and
 * the fence. So no file can take the place of another record, or of a later version of its own.
 */
const MAGIC = Buffer.from("MCPOAUTH", "latin1");
const VERSION = 1;
const PREFIX_LENGTH = MAGIC.length + 3;
const NONCE_LENGTH = 12;
const TAG_LENGTH = 16;

/** The part of a file that can be read without the key. */
export interface RecordHeader {
  /** Which key it was encrypted with. */
  readonly keyId: string;
  /** For keys that come from a passphrase. */
  readonly scrypt?: ScryptParameters;
}

/** What identifies a file beside its content. */
export interface RecordPlace {
  /** SHA-256 of the record's key. */
  readonly id: string;
  readonly fence: number;
}

/** A file taken apart, not yet decrypted. */
export interface SealedRecord {
  readonly header: RecordHeader;
  /** Everything before the nonce. */
  readonly head: Buffer;
  readonly nonce: Buffer;
  readonly ciphertext: Buffer;
  readonly tag: Buffer;
}

/** Why a file is not a record, in words that complete "The file ... is". */
export class NotARecord extends Error {}

/** Encrypts a text. */
export function seal(text: string, key: DataKey, place: RecordPlace): Buffer {
  const header: RecordHeader = { keyId: key.id, ...(key.scrypt !== undefined && { scrypt: key.scrypt }) };
  const json = Buffer.from(JSON.stringify(header), "latin1");
  const head = Buffer.concat([MAGIC, Buffer.from([VERSION, json.length >> 8, json.length & 0xff]), json]);
  const nonce = randomBytes(NONCE_LENGTH);
  const cipher = createCipheriv("aes-256-gcm", key.encryptionKey, nonce, { authTagLength: TAG_LENGTH });
  cipher.setAAD(associatedData(head, place));
  const ciphertext = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
  return Buffer.concat([head, nonce, ciphertext, cipher.getAuthTag()]);
}

/** Takes a file apart. @throws {@link NotARecord} */
export function takeApart(file: Buffer): SealedRecord {
  if (file.length < PREFIX_LENGTH) throw new NotARecord("cut off");
  if (!file.subarray(0, MAGIC.length).equals(MAGIC)) throw new NotARecord("not one of this library's");
  const version = file.readUInt8(MAGIC.length);
  if (version > VERSION) throw new NotARecord(`of a newer version (${version}) of this library; update it`);
  if (version < 1) throw new NotARecord("damaged");
  const headLength = PREFIX_LENGTH + file.readUInt16BE(MAGIC.length + 1);
  if (file.length < headLength + NONCE_LENGTH + TAG_LENGTH) throw new NotARecord("cut off");
  return {
    header: parseHeader(file.toString("latin1", PREFIX_LENGTH, headLength)),
    head: file.subarray(0, headLength),
    nonce: file.subarray(headLength, headLength + NONCE_LENGTH),
    ciphertext: file.subarray(headLength + NONCE_LENGTH, file.length - TAG_LENGTH),
    tag: file.subarray(file.length - TAG_LENGTH),
  };
}

/** Decrypts. @throws {@link NotARecord} when anything was changed, or the file is in the place of another. */
export function unseal(sealed: SealedRecord, key: DataKey, place: RecordPlace): string {
  const decipher = createDecipheriv("aes-256-gcm", key.encryptionKey, sealed.nonce, { authTagLength: TAG_LENGTH });
  decipher.setAAD(associatedData(sealed.head, place));
  decipher.setAuthTag(sealed.tag);
  try {
    return Buffer.concat([decipher.update(sealed.ciphertext), decipher.final()]).toString("utf8");
  } catch {
    throw new NotARecord("damaged, or was changed");
  }
}

function associatedData(head: Buffer, place: RecordPlace): Buffer {
  return Buffer.concat([head, Buffer.from(`${place.id}.${place.fence}`, "latin1")]);
}

function parseHeader(json: string): RecordHeader {
  let header: unknown;
  try {
    header = JSON.parse(json);
  } catch {
    throw new NotARecord("damaged");
  }
  if (typeof header !== "object" || header === null) throw new NotARecord("damaged");
  const { keyId, scrypt } = header as Record<string, unknown>;
  if (typeof keyId !== "string") throw new NotARecord("damaged");
  if (scrypt === undefined) return { keyId };
  const parameters = parseScryptParameters(scrypt);
  if (parameters === undefined) throw new NotARecord("damaged");
  return { keyId, scrypt: parameters };
}
