import { createRequire } from "node:module";
import { basename } from "node:path";
import type { HelperProgram } from "./helper-process.ts";

/** What is known about the program that runs us. */
export interface Runtime {
  readonly execPath: string;
  readonly platform: NodeJS.Platform;
  readonly versions: Readonly<Record<string, string | undefined>>;
  readonly isSingleExecutable: boolean;
}

const RUNTIMES_THAT_ARE_NOT_NODE = ["electron", "bun", "deno", "nw", "pnp"];

/**
 * The program that can run the helper, or `undefined` where the keychain is to be called from this process:
 *
 * - on Windows, whose credential manager never prompts, so nothing hangs;
 * - where starting our own executable would not start Node but the host application once more: Electron, Bun, Deno,
 *   single executables. Such a host can name a program in the option `helper`.
 */
export function defaultHelperProgram(runtime: Runtime = currentRuntime()): HelperProgram | undefined {
  if (runtime.platform === "win32" || runtime.isSingleExecutable) return undefined;
  if (RUNTIMES_THAT_ARE_NOT_NODE.some((name) => runtime.versions[name] !== undefined)) return undefined;
  if (!/^node(js)?[-.\d]*$/i.test(basename(runtime.execPath))) return undefined;
  return { command: runtime.execPath };
}

function currentRuntime(): Runtime {
  return {
    execPath: process.execPath,
    platform: process.platform,
    versions: process.versions,
    // Not imported: other runtimes that load this file may not have the module.
    isSingleExecutable: process.getBuiltinModule?.("node:sea")?.isSea() ?? false,
  };
}

/**
 * Where `@napi-rs/keyring` lies, as seen from this module.
 *
 * @returns `undefined` when it is not installed, or when a bundler has left no place to look from.
 */
export function locateNativeKeyring(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("@napi-rs/keyring");
  } catch {
    return undefined;
  }
}
