// The command line as people run it: the built program in a process of its own, on a machine that has nothing yet.
import { type ChildProcess, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { closing } from "../../flow/support/harness.ts";

/** The built program; a test of it needs `npm run build` first, as `npm test` does. */
export const cliPath: string = fileURLToPath(new URL("../../../../dist/cli/mcp-oauth.js", import.meta.url));

export type CliEnvironment = Record<string, string>;

/** A home folder of its own. */
export interface CliHome {
  readonly folder: string;
  /** What a program needs in its environment to live there; sessions go to the encrypted file. */
  readonly env: CliEnvironment;
}

/** Makes a home that is gone when the test ends: no display, no session bus, no keychain, a key for the encrypted file. */
export async function newHome(): Promise<CliHome> {
  const folder = await mkdtemp(join(tmpdir(), "cli-home-"));
  closing({ close: () => rm(folder, { recursive: true, force: true, maxRetries: 3 }) });
  const env = {
    PATH: process.env.PATH ?? "",
    LANG: "C.UTF-8",
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_DATA_HOME: join(folder, "data"),
    XDG_STATE_HOME: join(folder, "state"),
    XDG_RUNTIME_DIR: join(folder, "runtime"),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(folder, "no-bus-here")}`,
    MCP_OAUTH_CLIENT_KEY: randomBytes(32).toString("base64"),
  };
  return { folder, env };
}

/** How a run of the program ended. */
export interface CliResult {
  readonly stdout: string;
  readonly stderr: string;
  /** `null` when a signal ended it. */
  readonly exitCode: number | null;
}

export interface CliOptions {
  /** The whole environment, `PATH` included: mostly `home.env` and what the test adds. */
  readonly env: CliEnvironment;
  /** What is written to its stdin, which ends then. Default: an empty stdin. */
  readonly stdin?: string;
  /** Leaves stdin open after that, for programs that go on listening to it. */
  readonly keepsStdinOpen?: boolean;
}

/** A run that is under way. */
export interface CliRun {
  readonly process: ChildProcess;
  /** Waits until stdout or stderr has this text, and gives what matched; throws when the program ends without it. */
  printed(text: string | RegExp): Promise<string>;
  readonly ended: Promise<CliResult>;
}

/** Starts the program, for tests that do something while it runs. It is killed with the test. */
export function startCli(args: readonly string[], { env, stdin = "", keepsStdinOpen = false }: CliOptions): CliRun {
  const child = spawn(process.execPath, [cliPath, ...args], { env, stdio: ["pipe", "pipe", "pipe"] });
  const text = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const) {
    child[name].setEncoding("utf8").on("data", (chunk: string) => {
      text[name] += chunk;
    });
  }
  // A program that ends at once does not read its input.
  child.stdin.on("error", () => undefined);
  if (keepsStdinOpen) child.stdin.write(stdin);
  else child.stdin.end(stdin);
  const ended = once(child, "close").then(([exitCode]) => ({ ...text, exitCode: exitCode as number | null }));
  closing({ close: () => child.kill("SIGKILL") });
  const printed = async (wanted: string | RegExp): Promise<string> => {
    for (;;) {
      const both = `${text.stdout}\n${text.stderr}`;
      const found = typeof wanted === "string" ? both.includes(wanted) && wanted : both.match(wanted)?.[0];
      if (typeof found === "string") return found;
      if (child.exitCode !== null || child.signalCode !== null) {
        throw new Error(
          `the program ended (${child.exitCode ?? child.signalCode}) without printing ${wanted}:\n${both}`,
        );
      }
      await sleep(10);
    }
  };
  return { process: child, printed, ended };
}

/** Runs the program to its end. */
export function runCli(args: readonly string[], options: CliOptions): Promise<CliResult> {
  return startCli(args, options).ended;
}

/** The one JSON document that `--json` promises; throws when stdout has anything else. */
export function jsonOf<Value = Record<string, unknown>>({ stdout }: CliResult): Value {
  return JSON.parse(stdout) as Value;
}
