// A host without an SDK: lines in, lines out.
import { vi } from "vitest";
import { type CliEnvironment, type CliRun, startCli } from "./run-cli.ts";

export interface RawMessage {
  readonly id?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly code: number; readonly message: string };
}

export interface RawHost extends CliRun {
  /** Writes lines to the program's stdin, which stays open. */
  say(lines: string): void;
  /** Waits for the answer to a request. */
  hears(id: unknown): Promise<RawMessage>;
}

const PATIENCE = { timeout: 20_000, interval: 20 };

export function initialize(id: number): string {
  const clientInfo = { name: "raw", version: "1" };
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
  return JSON.stringify({ jsonrpc: "2.0", id, method: "initialize", params });
}

/** The messages of whole lines. Throws when stdout has anything but MCP on it. */
export function messagesOf(stdout: string): RawMessage[] {
  const lines = stdout.split("\n").slice(0, -1);
  return lines.map((line) => JSON.parse(line) as RawMessage);
}

/** Starts `proxy` with these arguments. */
export function startRawHost(args: readonly string[], env: CliEnvironment): RawHost {
  const run = startCli(["proxy", ...args], { env, keepsStdinOpen: true });
  let stdout = "";
  run.process.stdout?.on("data", (chunk: string) => {
    stdout += chunk;
  });
  return {
    ...run,
    say: (lines) => void run.process.stdin?.write(`${lines}\n`),
    hears: (id) => vi.waitUntil(() => messagesOf(stdout).find((message) => message.id === id), PATIENCE),
  };
}
