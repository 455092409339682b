import { createHash } from "node:crypto";

/*
 * A record in the keychain is one item, `<name>`, if it fits: a header line and the payload. If it does not, the item
 * holds the header alone and the payload lies in parts, `<name>-<slot>-0`, `<name>-<slot>-1`, ...
 *
 * A record has two slots of which the header names the one that counts. The next version goes into the other one, and
 * only then the header is replaced: a crash in between leaves the old version whole.
 */
const FORMAT = "mcp-oauth-client/1";

/** Where the parts of a record lie. */
export type Slot = "a" | "b";

/** The first line of a record's item. */
export interface Manifest {
  /** The fence of the lock under which the record was written. */
  readonly fence: number;
  readonly slot: Slot;
  /** How many parts there are. 0: the payload follows the header. */
  readonly parts: number;
  /** SHA-256 of the whole payload, base64url. */
  readonly sha256: string;
}

/** A payload as it is to be laid out in items. */
export interface Layout {
  /** The content of the item itself. */
  readonly item: string;
  readonly parts: readonly string[];
}

/** SHA-256 of a payload (which is ASCII), base64url. */
export function digestOf(payload: string): string {
  return createHash("sha256").update(payload, "latin1").digest("base64url");
}

/**
 * Lays a payload out in items.
 *
 * @param longest how many characters an item can have.
 */
export function layOut(payload: string, fence: number, slot: Slot, longest: number): Layout {
  const write = (parts: number): string => {
    const manifest: Manifest = { fence, slot, parts, sha256: digestOf(payload) };
    return `${FORMAT} ${JSON.stringify(manifest)}\n`;
  };
  const whole = write(0) + payload;
  if (whole.length <= longest) return { item: whole, parts: [] };
  const parts: string[] = [];
  for (let start = 0; start < payload.length; start += longest) parts.push(payload.slice(start, start + longest));
  return { item: write(parts.length), parts };
}

/** Reads a record's item; `undefined` when it is not one of ours, damaged, or of a newer version. */
export function parseItem(item: string): { manifest: Manifest; inline: string } | undefined {
  const end = item.indexOf("\n");
  if (end < 0 || !item.startsWith(`${FORMAT} `)) return undefined;
  let header: unknown;
  try {
    header = JSON.parse(item.slice(FORMAT.length, end));
  } catch {
    return undefined;
  }
  if (typeof header !== "object" || header === null) return undefined;
  const { fence, slot, parts, sha256 } = header as Record<string, unknown>;
  if (typeof fence !== "number" || !Number.isSafeInteger(fence)) return undefined;
  if (typeof parts !== "number" || !Number.isSafeInteger(parts) || parts < 0 || parts > 100_000) return undefined;
  if ((slot !== "a" && slot !== "b") || typeof sha256 !== "string") return undefined;
  return { manifest: { fence, slot, parts, sha256 }, inline: item.slice(end + 1) };
}

/**
 * JSON in ASCII: keychains differ in what they do to other characters, and in how many bytes each costs. Unpaired
 * surrogates and NUL survive, too.
 */
export function toAsciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
