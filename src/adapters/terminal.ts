import type { Interface } from "node:readline";
import { assertOpenableUrl } from "../core/openable-url.ts";
import { inertText } from "../core/text.ts";
import type { AuthorizationPrompt, PromptForRedirect } from "../ports/prompt.ts";

/** Longest problem text that is shown; the reasons of this library are shorter. */
const LONGEST_PROBLEM = 400;

/** Options of {@link terminalPrompt}. */
export interface TerminalPromptOptions {
  /** Where the text goes. Default: stderr, because stdout may belong to a protocol. */
  output?: NodeJS.WritableStream;
  /** Where the pasted line comes from. Default: stdin. */
  input?: NodeJS.ReadableStream;
  /** Whether a person can paste something. Default: whether both input and output are a terminal. */
  interactive?: boolean;
  /** What Ctrl+C does. Default: what it does outside of a prompt, so SIGINT to this process. */
  onInterrupt?: () => void;
}

function isTerminal(stream: NodeJS.WritableStream | NodeJS.ReadableStream): boolean {
  return (stream as { isTTY?: boolean }).isTTY === true;
}

function invitation(prompt: AuthorizationPrompt, canPaste: boolean): string {
  const lines = [
    "",
    `  Sign in to   ${inertText(prompt.server)}`,
    `  through      ${inertText(prompt.authorizationServer)}`,
    "",
    "  Open this address in any browser:",
    "",
    // Not indented, so that a selection over several lines holds nothing but the address.
    assertOpenableUrl(prompt.authorizationUrl).href,
    "",
  ];
  if (canPaste) {
    lines.push(
      "  Sign in there. If the browser ends on a page that cannot be shown, that is",
      "  fine: copy the address of that page and paste it here.",
      "",
    );
  }
  return `${lines.join("\n")}\n`;
}

/** Reads one line, or `undefined` when the input ends or `signal` aborts first. */
async function readLine(signal: AbortSignal, options: Required<TerminalPromptOptions>): Promise<string | undefined> {
  // Loaded here, so that importing the package does not load it.
  const { createInterface } = await import("node:readline");
  if (signal.aborted) return undefined;
  // The editor of readline: a terminal by itself cuts lines off at 1024 (macOS) or 4096 characters, a code may be longer.
  // Without history, because what is pasted has the code in it.
  const { input, output } = options;
  const lines: Interface = createInterface({ input, output, terminal: isTerminal(output), historySize: 0 });
  return new Promise((resolve) => {
    const onAbort = (): void => lines.close();
    signal.addEventListener("abort", onAbort, { once: true });
    lines.once("close", () => {
      signal.removeEventListener("abort", onAbort);
      resolve(undefined);
    });
    lines.once("SIGINT", () => {
      lines.close();
      options.onInterrupt();
    });
    lines.question("  Address: ", (answer) => {
      resolve(answer.trim());
      lines.close();
    });
  });
}

/**
 * A prompt for a terminal: shows which server asks for a sign-in, through which authorization server, and the URL to
 * open; then takes the address of the page that the browser ended on.
 *
 * Everything shown is made inert first, so that no server can send escape sequences to the terminal. Where nobody can
 * paste (input or output is no terminal), it only shows the URL. When the prompt's signal aborts, it is taken away.
 *
 * The prompt throws `insecure_url` for an authorization URL that must not be opened.
 */
export function terminalPrompt(options: TerminalPromptOptions = {}): PromptForRedirect {
  const { input = process.stdin, output = process.stderr } = options;
  const { interactive = isTerminal(input) && isTerminal(output) } = options;
  const { onInterrupt = (): void => void process.kill(process.pid, "SIGINT") } = options;
  return async (prompt, problem) => {
    if (prompt.signal.aborted) return undefined;
    if (problem === undefined) output.write(invitation(prompt, interactive));
    else output.write(`\n  That did not work: ${inertText(problem, LONGEST_PROBLEM)}\n\n`);
    if (!interactive) return undefined;
    const line = await readLine(prompt.signal, { input, output, interactive, onInterrupt });
    // The next output of the program starts on a line of its own.
    if (line === undefined) output.write("\n");
    return line;
  };
}
