import process from "node:process";
import type { Command } from "commander";
import { findMcpOAuthError } from "../core/errors.ts";
import { inertText } from "../core/text.ts";
import type { TokenManager } from "../token-manager.ts";
import { CLIENT_NAME, type CommandContext, type CommonOptions, storeOptionsOf } from "./command-context.ts";
import { CommandFailed } from "./command-failed.ts";
import { errorAsData } from "./error-as-data.ts";
import { exitCodeOf, exitCodes } from "./exit-codes.ts";
import { explain, type Occasion } from "./explain.ts";
import { Output } from "./output.ts";

/** What a command does. It answers with an exit code where that is not 0. */
export type Action<Arguments extends unknown[], Options extends CommonOptions> = (
  context: CommandContext,
  ...args: [...Arguments, Options]
) => Promise<number | undefined | void>;

/** How long what is under way may take to end after Ctrl-C, and after how long it is said that it does. */
const LAST_WORDS_MS = 3000;
const SILENCE_MS = 1000;

interface Interrupt {
  readonly signal: AbortSignal;
  stop(): void;
}

/**
 * The first Ctrl-C ends the command in good order, the second at once.
 *
 * @param isOver whether the command has said its last word, and nothing is left but to let go.
 */
function onInterrupt(output: Output, isOver: () => boolean): Interrupt {
  const controller = new AbortController();
  const exit = (): never => {
    output.close();
    process.exit(isOver() ? process.exitCode : reportInterrupt(output));
  };
  const end = (): void => {
    if (controller.signal.aborted) exit();
    controller.abort();
    setTimeout(() => output.note("Ending what is under way. Ctrl-C again ends it at once."), SILENCE_MS).unref();
    setTimeout(exit, LAST_WORDS_MS).unref();
  };
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, end);
  const stop = (): void => {
    for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.off(name, end);
  };
  return { signal: controller.signal, stop };
}

/** Says what went wrong and what to do next, and gives the exit code for it. */
function report(error: unknown, output: Output, called: Occasion): number {
  if (error instanceof CommandFailed) {
    const { message, exitCode, hint } = error;
    output.error({ error: { ...error.details, message, hint } }, message);
    if (hint !== undefined) output.note(hint);
    return exitCode;
  }
  const known = findMcpOAuthError(error);
  if (known !== undefined) {
    const { message, hint } = explain(known, called);
    output.error({ error: { ...errorAsData(known), message, hint } }, message);
    if (hint !== undefined) output.note(hint);
    return exitCodeOf(known);
  }
  const message = inertText(error instanceof Error ? error.message : String(error), 400);
  output.error({ error: { code: "failed", message } }, message);
  return exitCodes.failure;
}

/** Says that nothing more comes. */
function reportInterrupt(output: Output): number {
  const message = "Interrupted.";
  if (output.json) output.error({ error: { code: "aborted", message } }, message);
  else output.note(message);
  return exitCodes.interrupted;
}

/** What commands are called with, as far as it is of use in advice. */
function occasionOf(args: readonly unknown[], options: CommonOptions): Occasion {
  const server = args.find((arg): arg is string => typeof arg === "string" && /^https?:/.test(arg));
  const { account } = options as { account?: string };
  return { server, account };
}

/**
 * Makes a command's work what commander calls: with output, Ctrl-C, a token manager that is closed at the end, and an exit
 * code.
 *
 * @param writesJson whether stdout gets one JSON document. Default: with `--json`.
 */
export function perform<Arguments extends unknown[], Options extends CommonOptions>(
  action: Action<Arguments, Options>,
  writesJson: (options: Options) => boolean = ({ json }) => json === true,
): (...args: [...Arguments, Options, Command]) => Promise<void> {
  return async (...args) => {
    const options = args[args.length - 2] as Options;
    const output = new Output({
      stdout: process.stdout,
      stderr: process.stderr,
      json: writesJson(options),
      environment: process.env,
    });
    let isOver = false;
    const interrupt = onInterrupt(output, () => isOver);
    const opened: TokenManager[] = [];
    const context: CommandContext = {
      output,
      signal: interrupt.signal,
      environment: process.env,
      async tokens(overrides = {}) {
        const { TokenManager } = await import("../token-manager.ts");
        const settings = { clientName: CLIENT_NAME, interactive: false, ...storeOptionsOf(options), ...overrides };
        const tokens = new TokenManager(settings);
        opened.push(tokens);
        return tokens;
      },
    };
    try {
      const handed = args.slice(0, -1) as [...Arguments, Options];
      process.exitCode = (await action(context, ...handed)) ?? exitCodes.ok;
    } catch (error) {
      process.exitCode = interrupt.signal.aborted
        ? reportInterrupt(output)
        : report(error, output, occasionOf(args, options));
    } finally {
      isOver = true;
      output.close();
      await Promise.all(opened.map((tokens) => tokens.close()));
      interrupt.stop();
      // A browser that is still starting, for one, would be waited for.
      if (interrupt.signal.aborted) process.exit();
    }
  };
}
