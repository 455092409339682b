import process from "node:process";
import { text } from "node:stream/consumers";
import { waitFor } from "../core/wait-for.ts";

/** All of stdin, as text. @throws `aborted` at Ctrl-C: whoever types it has thought better of it. */
export function readStdin(signal: AbortSignal, stdin: NodeJS.ReadableStream = process.stdin): Promise<string> {
  return waitFor(text(stdin), signal);
}
