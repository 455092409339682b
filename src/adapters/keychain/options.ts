import { McpOAuthError } from "../../core/errors.ts";
import type { KeytarLike } from "./backend.ts";
import type { HelperProgram } from "./helper-process.ts";

/** Options of `keychainStore`. */
export interface KeychainStoreOptions {
  /** The name under which the entries appear in the keychain. Default `mcp-oauth-client`. */
  service?: string;
  /**
   * A keychain library of your own: `keytar`, `@github/keytar`, or anything of that shape. Default: `@napi-rs/keyring`.
   *
   * It is called from this process. A call of it that hangs is given up after the deadline, but keeps the process from
   * exiting; only the default can be stopped.
   */
  keytar?: KeytarLike;
  /**
   * How long one keychain operation may take, in milliseconds. Default 30,000 where a desktop can ask the user to unlock
   * the keychain, 5,000 elsewhere.
   */
  deadlineMs?: number;
  /**
   * Where the locks live; nothing secret is written there. Programs that share entries must share this folder. Default:
   * the user's folder for state, e.g. `~/.local/state/mcp-oauth-client`.
   */
  directory?: string;
  /**
   * What runs the small helper process in which the native library is called, so that a call that hangs can be killed.
   * Default: this Node.js. Where this program is not plain Node.js, and on Windows, there is none, and `false` never has one.
   *
   * @example Electron: `{ command: process.execPath, environment: { ELECTRON_RUN_AS_NODE: "1" } }`
   */
  helper?: HelperProgram | false;
}

/** @throws `invalid_configuration` for options that cannot be used. */
export function checkedOptions(options: KeychainStoreOptions): KeychainStoreOptions {
  const wrong = (what: string): McpOAuthError => new McpOAuthError("invalid_configuration", `keychainStore: ${what}`);
  const { service, deadlineMs, keytar, helper } = options;
  if (service !== undefined && service.trim() === "") throw wrong("`service` must not be empty.");
  if (deadlineMs !== undefined && !(deadlineMs > 0)) throw wrong("`deadlineMs` must be a number above 0.");
  if (keytar !== undefined && helper)
    throw wrong("`helper` works with the default library only; leave out `keytar` or it.");
  const methods = ["getPassword", "setPassword", "deletePassword"] as const;
  if (keytar !== undefined && methods.some((method) => typeof keytar[method] !== "function")) {
    throw wrong(
      "`keytar` must have getPassword, setPassword and deletePassword. With `import()`, hand in its `default`.",
    );
  }
  return options;
}
