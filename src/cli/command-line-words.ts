/** What the library's messages propose, and what takes its place where there are options to type instead of to pass. */
const translations: readonly (readonly [proposed: RegExp, typed: string])[] = [
  [/the option signInTimeoutMs gives/, "--timeout SECONDS gives"],
  [/with flow "(device|paste)"/, "with --$1"],
  [/pass it in the option clients/, "name it with --client-id"],
  [/the option redirect \(for example [^)]*\)/, "--redirect-host or --redirect-port"],
  [/name another store in the option `store`/, "name another store with --store"],
  [/or hand in an encryptedFileStore with a key of its own/, "or choose another store with --store"],
  [/Store another with setToken, or sign out/, "Sign out"],
  [/\bcall signIn\b/, "sign in"],
  [/\bCall signIn\b/, "Sign in"],
  // What weakens a check is for programs, whose author knows the one server that needs it.
  [
    /If that is intended, accept it with the option (\w+); otherwise report it to/,
    "The command line does not accept that; a program can, with the library's option $1. Report it to",
  ],
  [
    /If you know that it (?:is right|works): /,
    "The command line does not accept that; a program can, where you know that it is right, with the library's options: ",
  ],
];

/** A message of the library with the advice that is of use at a command line. */
export function inCommandLineWords(message: string): string {
  return translations.reduce((text, [proposed, typed]) => text.replace(proposed, typed), message);
}
