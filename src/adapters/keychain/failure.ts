import { inertText } from "../../core/text.ts";

/** Why the operating system's keychain did not do what it was asked for. */
export type KeychainProblem =
  /** The library that talks to the keychain cannot be loaded. */
  | "no-library"
  /** There is no session bus (Linux). */
  | "no-session"
  /** The bus has no Secret Service (Linux). */
  | "no-service"
  | "locked"
  /** No answer within the deadline. */
  | "stuck"
  /** The item is not ours, or damaged. */
  | "unreadable"
  | "other";

const HINTS: Readonly<Record<KeychainProblem, string>> = {
  "no-library":
    'The package @napi-rs/keyring cannot be loaded. Install it with "npm install @napi-rs/keyring" (without --omit=optional), or hand in keytar with the option "keytar".',
  "no-session":
    "There is no D-Bus session, so no Secret Service can be reached. Run inside a desktop session, or with gnome-keyring under dbus-run-session.",
  "no-service": "No Secret Service is running. Install and start one, such as gnome-keyring, KWallet or KeePassXC.",
  locked:
    "The keychain is locked. Unlock it (log in to the desktop with your password, or open your keychain application) and try again.",
  stuck:
    "The keychain did not answer in time. It may be showing a prompt that nobody answers, or hang: unlock it, or restart its service, and try again.",
  unreadable:
    "The keychain has an item under this library's name that cannot be read as one of its records. It was left as it is; remove it with your keychain application if it is not needed.",
  other: "The keychain refused. See the cause.",
};

/** A keychain operation that failed. Its message says what to do; it never contains what was to be stored. */
export class KeychainFailure extends Error {
  readonly problem: KeychainProblem;

  constructor(problem: KeychainProblem, cause?: unknown) {
    super(HINTS[problem], cause === undefined ? undefined : { cause });
    this.name = "KeychainFailure";
    this.problem = problem;
  }
}

// Worded by libsecret, zbus, dbus-rs, the Security framework and the two native libraries; first match wins.
const MESSAGES: ReadonlyArray<readonly [RegExp, KeychainProblem]> = [
  [/cannot load|cannot find (module|native)|native binding/i, "no-library"],
  [
    /not provided by any|ServiceUnknown|NameHasNoOwner|(not have an|has no) owner|disconnected from message bus/i,
    "no-service",
  ],
  [/\blocked\b|prompt|dismissed|interaction is not allowed|-25308|-25293/i, "locked"],
  [/did not receive a reply|NoReply|timed? ?out|timeout/i, "stuck"],
  [
    /autolaunch|DBUS_SESSION_BUS_ADDRESS|could not connect|failed to connect|connection (refused|is closed)/i,
    "no-session",
  ],
  [/utf-?8|encoding|ambiguous|more than one/i, "unreadable"],
];

/**
 * Turns what a native library threw into a {@link KeychainFailure}.
 *
 * @param secret what was to be written, which then is not let into the message, whatever the library does.
 */
export function toKeychainFailure(error: unknown, secret?: string): KeychainFailure {
  if (error instanceof KeychainFailure) return error;
  const told = (error instanceof Error ? error.message : String(error)).slice(0, 500);
  const problem = MESSAGES.find(([pattern]) => pattern.test(told))?.[1] ?? "other";
  // A new error, since the library's own may carry anything in its properties.
  return new KeychainFailure(problem, new Error(repeats(told, secret) ? "[redacted]" : inertText(told, 500)));
}

const TELLTALE_LENGTH = 12;

/** Whether a text has any piece of a secret in it that is long enough to be no accident. */
function repeats(text: string, secret = ""): boolean {
  for (let start = 0; start + TELLTALE_LENGTH <= text.length; start += 1) {
    if (secret.includes(text.slice(start, start + TELLTALE_LENGTH))) return true;
  }
  return secret !== "" && secret.length < TELLTALE_LENGTH && text.includes(secret);
}
