// Stored sessions that somebody else has had in hand.
// biome-ignore-all format: a table has a line for each entry
import { chmod, copyFile, readFile, rename, symlink, truncate, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { McpOAuthErrorCode } from "mcp-oauth-client";
import type { HostileCase } from "../support/case.ts";

/** What all of these end in: nothing is sent, nobody is asked, and what was found is left as it was. */
interface StorageCase extends HostileCase {
  /** Default `store_unreadable`. */
  readonly ends?: McpOAuthErrorCode;
  readonly says?: RegExp;
}

/** The files of two sessions. */
export interface SessionFiles {
  /** The store's folder. */
  readonly directory: string;
  /** The session that is asked for. */
  readonly own: string;
  /** Another session of the same server. */
  readonly other: string;
}

/** A file of the encrypted store, changed while nobody looked. */
export interface FileCase extends StorageCase {
  readonly tamper: (files: SessionFiles) => Promise<void>;
  /** Whether the store is then opened with another key. */
  readonly otherKey?: boolean;
}

/** Changes the bytes of a file. */
const bytes = (change: (content: Buffer) => Buffer) => async ({ own }: SessionFiles): Promise<void> =>
  writeFile(own, change(await readFile(own)));

/** Replaces the header, which says how the key is made, by another. */
function withHeader(content: Buffer, change: (header: Record<string, unknown>) => object): Buffer {
  const end = 11 + content.readUInt16BE(9);
  const header = Buffer.from(JSON.stringify(change(JSON.parse(content.toString("latin1", 11, end)))), "latin1");
  const prefix = Buffer.from(content.subarray(0, 11));
  prefix.writeUInt16BE(header.length, 9);
  return Buffer.concat([prefix, header, content.subarray(end)]);
}

const LEFT = "it is an error and no sign-out, and the file stays as it is";

export const fileCases: readonly FileCase[] = [
  { id: "store-file-bit", does: "flips a bit of a token", must: LEFT, tamper: bytes((content) => { content[content.length - 40] = (content.at(-40) ?? 0) ^ 1; return content; }), says: /was changed/ },
  { id: "store-file-cut", does: "cuts a file off", must: LEFT, tamper: ({ own }) => truncate(own, 40), says: /cut off/ },
  { id: "store-file-empty", does: "empties a file", must: LEFT, tamper: ({ own }) => truncate(own, 0), says: /cut off/ },
  { id: "store-file-foreign", does: "puts a session in plain text into its place", must: "it is not read", tamper: ({ own }) => writeFile(own, JSON.stringify({ key: "k", value: "v" })), says: /not one of this library's/ },
  { id: "store-file-newer", does: "has a file of a newer version", must: LEFT, tamper: bytes((content) => { content[8] = 2; return content; }), says: /newer version/ },
  { id: "store-file-key", does: "opens it with another key", must: LEFT, otherKey: true, tamper: async () => undefined, says: /another key/ },
  { id: "store-file-swapped", does: "puts another account's file into its place", must: "its tokens are not used for this one", tamper: ({ own, other }) => copyFile(other, own), says: /was changed/ },
  { id: "store-file-rolled-back", does: "gives an old file the number of a newer one", must: "the past does not come back", tamper: ({ own }) => rename(own, own.replace(/\.\d+\.record$/, ".999999.record")), says: /was changed/ },
  { id: "store-file-costly", does: "wants the key derived with a terabyte of memory", must: "nobody tries", tamper: bytes((content) => withHeader(content, (header) => ({ ...header, scrypt: { N: 2 ** 30, r: 8, p: 1, salt: "A".repeat(24) } }))), says: /the file is damaged\./ },
  { id: "store-file-link", does: "puts a link to another file into its place", must: "it is not followed", tamper: async (files) => { const elsewhere = join(dirname(files.directory), "elsewhere"); await rename(files.own, elsewhere); await symlink(elsewhere, files.own); }, says: /ELOOP/ },
  { id: "store-file-readable", does: "lets everybody read a file", must: "it is not trusted, and the error says what to do", tamper: ({ own }) => chmod(own, 0o644), says: /chmod 600/ },
  { id: "store-folder-readable", does: "lets everybody look into the folder", must: "it is not used, and the error says what to do", tamper: ({ directory }) => chmod(directory, 0o755), ends: "store_unavailable", says: /chmod 700/ },
];

/** A session in a store that guards nothing, changed while nobody looked. */
export interface RecordCase extends StorageCase {
  /** Gives the text of the session in its place. */
  readonly tamper: (session: string, other: string) => string;
  /** Whether the token has to be refreshed. */
  readonly expired?: boolean;
}

type Json = Record<string, unknown>;

/** The session with a part of its only credential changed. */
const credential = (change: (credential: Json) => Json) => (session: string): string => {
  const record = JSON.parse(session) as { credentials: Json[] };
  return JSON.stringify({ ...record, credentials: record.credentials.map(change) });
};
const server = (changes: Json) => credential((each) => ({ ...each, authorizationServer: { ...(each.authorizationServer as Json), ...changes } }));
const member = (changes: Json) => (session: string): string => JSON.stringify({ ...JSON.parse(session), ...changes });

const OTHER = "https://other.example.com";

export const recordCases: readonly RecordCase[] = [
  { id: "store-record-no-json", does: "puts text that is no JSON into a store", must: "it is no session, and not none", tamper: () => "{", says: /JSON object/ },
  { id: "store-record-newer", does: "has a session of another version", must: "it is left to that version", tamper: member({ version: 2 }), says: /another version/ },
  { id: "store-record-swapped", does: "puts another account's session into its place", must: "its tokens are not sent", tamper: (_session, other) => other, says: /another server or account/ },
  { id: "store-record-server", does: "puts another server's session into its place", must: "its tokens are not sent", tamper: member({ server: "https://mcp.example.com/mcp" }), says: /another server or account/ },
  { id: "store-record-client", does: "gives a credential the client of another issuer", must: "it is not understood", tamper: credential((each) => ({ ...each, client: { ...(each.client as Json), issuer: OTHER } })), says: /cannot be understood/ },
  { id: "store-record-metadata", does: "gives a credential the metadata of another issuer", must: "its refresh token is not sent there", tamper: server({ issuer: OTHER }), says: /cannot be understood/ },
  { id: "store-record-token", does: "has a token that is no text", must: "it is not understood", tamper: credential((each) => ({ ...each, accessToken: { reveal: 1 } })), says: /cannot be understood/ },
  { id: "store-record-token-type", does: "has a token of a kind that nobody knows", must: "it is not understood", tamper: credential((each) => ({ ...each, tokenType: "mac" })), says: /cannot be understood/ },
  { id: "store-record-prototype", does: "hides its members in __proto__", must: "they are not there", tamper: (session) => `{"version":1,"__proto__":${session}}`, says: /lacks/ },
  { id: "store-record-active-issuer", does: "names a property of every object as the issuer in use", must: "there is no session, and a person is needed", tamper: member({ activeIssuer: "constructor" }), ends: "interaction_required" },
  { id: "store-record-plain-http", does: "leads a refresh to plain http", must: "the refresh token is not sent", tamper: server({ token_endpoint: "http://plain.example.com/token" }), expired: true, ends: "refresh_failed" },
];

/** Items of a keychain, changed while nobody looked. */
export interface KeychainCase extends StorageCase {
  /** Changes the items; `own` and `other` are the names of two sessions' items. */
  readonly tamper: (items: Map<string, string>, own: string, other: string) => void;
  readonly locked?: boolean;
}

const item = (change: (content: string) => string): KeychainCase["tamper"] => (items, own) =>
  void items.set(own, change(items.get(own) ?? ""));

export const keychainCases: readonly KeychainCase[] = [
  { id: "store-keychain-foreign", does: "has another program's password in the keychain", must: "it is not taken for a session, nor for none", tamper: item(() => "hunter2") },
  { id: "store-keychain-newer", does: "has an item of a newer version in the keychain", must: "it is left to that version", tamper: item((content) => content.replace("mcp-oauth-client/1", "mcp-oauth-client/2")) },
  { id: "store-keychain-changed", does: "changes the scopes of a session in the keychain", must: "its digest tells", tamper: item((content) => content.replaceAll("mcp:tools", "mcp:admin")) },
  { id: "store-keychain-swapped", does: "puts another account's item into its place", must: "its tokens are not used for this one", tamper: (items, own, other) => void items.set(own, items.get(other) ?? "") },
  { id: "store-keychain-parts", does: "says that an item has a thousand million parts", must: "nobody asks for them", tamper: item((content) => content.replace('"parts":0', '"parts":1000000000')) },
  { id: "store-keychain-locked", does: "locks the keychain, which then seems to be empty", must: "nobody is signed in anew for that", locked: true, tamper: () => undefined },
];
