// What looks at what is opened, shown and stored: url opening, text, storage.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: code is quoted here
import { defence } from "./defence.mjs";

const OPENABLE = "core/openable-url.ts";
const TEXT = "core/text.ts";
const FORMAT = "adapters/encrypted-file/format.ts";
const FILES = "adapters/encrypted-file/files.ts";
const SESSION = "tokens/session-record.ts";
const ITEMS = "adapters/keychain/items.ts";

/** @type {[string, string, string]} */
const anyScheme = [
  OPENABLE,
  'if (parsed.protocol !== "https:" && parsed.protocol !== "http:") refuse(given, "it is neither https nor http");',
  'if (parsed.protocol !== "https:" && parsed.protocol !== "http:") return parsed;',
];
/** @type {[string, string, string]} */
const plainHttp = [
  OPENABLE,
  'if (parsed.protocol === "http:" && !isLoopbackHost(parsed.hostname)) {',
  'if (parsed.protocol === "") {',
];
/** @type {[string, string]} */
const userInformation = [
  OPENABLE,
  'if (parsed.username !== "" || parsed.password !== "") refuse(given, "it contains user information before the host");',
];
/** @type {[string, string, string]} */
const hiddenCharacters = [OPENABLE, "if (DROPPED_BY_THE_PARSER.test(given))", 'if (given === "")'];
/** @type {[string, string, string]} */
const anySession = [
  "tokens/read-session.ts",
  "if (record.server === key?.server && record.account === key.account) return record;",
  "return record;",
];

export const shownAndStoredDefences = [
  defence(
    "only web pages are opened",
    `open-javascript open-javascript-capitals open-data open-file open-file-share open-vbscript open-handler
      open-blob open-view-source open-ftp`,
    anyScheme,
  ),
  defence(
    "only web pages are opened, whatever a parser makes of the scheme",
    "open-javascript-tab",
    anyScheme,
    hiddenCharacters,
  ),
  defence("plain http is for this machine", "open-http open-http-like-* open-http-this-network", plainHttp),
  defence("nobody hides behind a user name", "open-user-name open-password", userInformation),
  defence("nobody hides behind a user name in plain http", "open-http-user-name", plainHttp, userInformation),
  defence("host names are ones that can exist", "open-host-*", [
    OPENABLE,
    'if (!PLAIN_HOST.test(parsed.hostname)) refuse(given, "its host name is not one that can exist");',
  ]),
  defence("what is opened is a whole URL", "open-option open-relative", [
    OPENABLE,
    'URL.canParse(given) ? new URL(given) : refuse(given, "it is not an absolute URL")',
    'new URL(given, "https://as.example.com/")',
  ]),
  defence(
    "nothing in a URL means something to a shell",
    "open-substitution open-quotes open-exclamation open-pipe open-variable open-typographic-quotes",
    [OPENABLE, "parsed.origin + withoutShellCharacters(parsed.href.slice(parsed.origin.length))", "parsed.href"],
  ),
  defence("nothing in a URL is hidden", "open-line-break open-nul open-override open-space", hiddenCharacters),
  defence(
    "nothing in a text controls a terminal or a log",
    `text-response-escape text-response-lines text-response-code text-token-c1 text-token-code text-registration
      text-registration-redirect text-resource text-metadata-issuer text-pkce-methods text-challenge-url
      text-step-up-scope text-device-code text-terminal text-terminal-lines text-device-terminal`,
    [TEXT, String.raw`.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")`],
  ),
  defence(
    "nothing in a text is unseen, or turns the text around it",
    "text-response-direction text-token-invisible callback-page-direction text-device-code text-terminal",
    [TEXT, String.raw`.replace(/[\p{Cf}\p{Co}\p{Cs}]/gu, "")`],
  ),
  defence("quotes end where the words end", "text-response-quote", [TEXT, ".replaceAll('\"', \"'\")"]),
  defence("words are few", "text-token-long", [
    TEXT,
    'return characters.length > maxLength ? `${characters.slice(0, maxLength).join("")}…` : characters.join("");',
    "return cleaned;",
  ]),
  defence("a server's words do not repeat our secrets", "text-token-echo", [
    "endpoint/oauth-error.ts",
    "withoutSecrets(inertText(text, text.length), context.secrets)",
    "inertText(text, text.length)",
  ]),
  defence(
    "files are what was encrypted, in the place where it was put",
    "store-file-bit store-file-swapped store-file-rolled-back",
    [
      FORMAT,
      "Buffer.concat([decipher.update(sealed.ciphertext), decipher.final()])",
      "decipher.update(sealed.ciphertext)",
    ],
  ),
  defence(
    "files belong to their name and number",
    "store-file-swapped store-file-rolled-back",
    [FORMAT, "cipher.setAAD(associatedData(head, place));"],
    [FORMAT, "decipher.setAAD(associatedData(sealed.head, place));"],
  ),
  defence("files are whole", "store-file-cut", [
    FORMAT,
    "if (file.length < headLength + NONCE_LENGTH + TAG_LENGTH)",
    "if (file.length < 0)",
  ]),
  defence("files have something in them", "store-file-empty", [
    FORMAT,
    'if (file.length < PREFIX_LENGTH) throw new NotARecord("cut off");',
  ]),
  defence("files are ours", "store-file-foreign", [
    FORMAT,
    'if (!file.subarray(0, MAGIC.length).equals(MAGIC)) throw new NotARecord("not one of this library\'s");',
  ]),
  defence("files are of a version that we know", "store-file-newer", [
    FORMAT,
    "if (version > VERSION)",
    "if (version > 255)",
  ]),
  defence("files are encrypted with a key of ours", "store-file-key", [
    "adapters/encrypted-file/record-folder.ts",
    'if (dataKey === undefined) throw new NotARecord("encrypted with another key");',
    "if (dataKey === undefined) return undefined as never;",
  ]),
  defence("keys are not made at any cost", "store-file-costly", [
    "adapters/encrypted-file/scrypt.ts",
    " || N > MOST_SCRYPT_COST",
  ]),
  defence("links are not followed", "store-file-link", [FILES, " | (constants.O_NOFOLLOW ?? 0)"]),
  defence("files are private", "store-file-readable", [
    FILES,
    "if (problem !== undefined) throw new ExposedFile(",
    'if (problem === "") throw new ExposedFile(',
  ]),
  defence("folders are private", "store-folder-readable", [
    FILES,
    'if (problem !== undefined) throw new McpOAuthError("store_unavailable", `The folder ${path} ${problem}`);',
  ]),
  defence("a session is JSON", "store-record-no-json", [
    SESSION,
    'if (record === undefined) throw unreadable("is not a JSON object");',
    "if (record === undefined) return undefined as never;",
  ]),
  defence("a session is of a version that we know", "store-record-newer", [
    SESSION,
    'if (record.version !== VERSION) throw unreadable("was written by another version of this package");',
  ]),
  defence("a session is the one that was asked for", "store-record-swapped store-record-server", anySession),
  defence(
    "a session is understood whole",
    "store-record-client store-record-metadata store-record-token store-record-token-type",
    [SESSION, 'if (parsed.includes(undefined)) throw unreadable("has a credential that cannot be understood");'],
  ),
  defence("issuers are no properties", "store-record-active-issuer", [
    "tokens/credential.ts",
    "Object.hasOwn(record.credentials, record.activeIssuer) ? record.credentials[record.activeIssuer] : undefined",
    "record.credentials[record.activeIssuer]",
  ]),
  defence(
    "what is no item of ours is not taken for nothing",
    "store-keychain-foreign store-keychain-newer store-keychain-parts",
    [
      ITEMS,
      'if (parsed === undefined) throw new KeychainFailure("unreadable");',
      "if (parsed === undefined) return undefined;",
    ],
  ),
  defence("items are what was written", "store-keychain-changed", [
    ITEMS,
    "digestOf(payload) === manifest.sha256 ? payload : undefined",
    "payload",
  ]),
  defence(
    "items belong to their name",
    "store-keychain-swapped",
    [
      "adapters/keychain/store.ts",
      'if (storedKey !== key || typeof value !== "string")',
      'if (typeof value !== "string")',
    ],
    anySession,
  ),
  defence(
    "a locked keychain is not an empty one",
    "store-keychain-locked",
    ["adapters/keychain/store.ts", "if (!(await this.#canary.isProven())) await this.probe();"],
    [ITEMS, "if (item !== null || (await confirmsAbsence())) return item ?? undefined;", "return item ?? undefined;"],
  ),
];
