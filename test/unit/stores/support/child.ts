import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const repository = fileURLToPath(new URL("../../../../", import.meta.url));

/** Where files lie in memory, if the system has such a place: there it costs no time that all is written durably. */
export const inMemory: string = existsSync("/dev/shm") ? "/dev/shm" : tmpdir();

/** A new folder, and what removes it. */
export async function temporaryFolder(
  parent: string = tmpdir(),
): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(parent, "mcp-oauth-stores-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/**
 * Bundles a TypeScript program beside this test, so that a plain Node process can run it: what runs in it is then the
 * code under test, in real processes.
 *
 * @param parent where to put it. By default in the repository, so that its dependencies are found.
 */
export async function bundleProgram(
  source: URL,
  parent: string = join(repository, "node_modules"),
  format: "esm" | "cjs" = "esm",
): Promise<{ path: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(parent, ".cache-stores-"));
  const path = join(folder, format === "esm" ? "program.mjs" : "program.cjs");
  await build({
    entryPoints: [fileURLToPath(source)],
    outfile: path,
    bundle: true,
    platform: "node",
    format,
    target: "node20",
    packages: "external",
    sourcemap: "inline",
    logLevel: "silent",
  });
  return { path, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** A running program with the messages that it sent. */
export interface RunningProgram {
  readonly child: ChildProcess;
  /** Waits for the next message. Rejects when the program ends without one. */
  message(): Promise<unknown>;
  /** Waits for the end: the exit code, or the name of the signal. */
  ended: Promise<number | NodeJS.Signals | null>;
}

/** Starts a bundled program. */
export function run(
  path: string,
  programArguments: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): RunningProgram {
  const child = fork(path, programArguments, { env: environment, execArgv: ["--enable-source-maps"] });
  const messages: unknown[] = [];
  const waiters: Array<{ resolve: (message: unknown) => void; reject: (error: Error) => void }> = [];
  child.on("message", (message) => {
    const waiter = waiters.shift();
    if (waiter === undefined) messages.push(message);
    else waiter.resolve(message);
  });
  const ended = once(child, "exit").then(([code, signal]) => {
    for (const waiter of waiters) waiter.reject(new Error(`the program ended with ${code ?? signal}`));
    waiters.length = 0;
    return (code ?? signal) as number | NodeJS.Signals | null;
  });
  return {
    child,
    ended,
    message: () =>
      messages.length > 0
        ? Promise.resolve(messages.shift())
        : new Promise((resolve, reject) => waiters.push({ resolve, reject })),
  };
}
