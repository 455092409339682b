import { Command, Help, type Option } from "commander";
import { callCommand } from "./commands/call.ts";
import { clientMetadataCommand } from "./commands/client-metadata.ts";
import { doctorCommand } from "./commands/doctor.ts";
import { importCommand } from "./commands/import.ts";
import { loginCommand } from "./commands/login.ts";
import { logoutCommand } from "./commands/logout.ts";
import { proxyCommand } from "./commands/proxy.ts";
import { statusCommand } from "./commands/status.ts";
import { tokenCommand } from "./commands/token.ts";
import { toolsCommand } from "./commands/tools.ts";
import { exitCodesHelp } from "./exit-codes.ts";
import { title } from "./help-title.ts";
import type { Output } from "./output.ts";

/** The names that call a command, from the program's on. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

/** Options that all commands have stand behind those that make the difference. */
function ownOptionsFirst(command: Command): Option[] {
  const common = ["--json", "--store", "--profile", "--help"];
  const isCommon = ({ long }: Option): boolean => common.includes(long ?? "");
  const options = new Help().visibleOptions(command);
  return [...options.filter((option) => !isCommon(option)), ...options.filter(isCommon)];
}

/** Gives a command and those below it one look for help, and one way to say that they were not understood. */
function unify(command: Command, output: Output): void {
  command
    .exitOverride()
    .configureHelp({
      helpWidth: output.width,
      visibleOptions: ownOptionsFirst,
      // That each has options needs no saying.
      subcommandTerm: (below) => new Help().subcommandTerm(below).replace(" [options]", ""),
      styleTitle: title,
    })
    .configureOutput({
      outputError(text) {
        const message = text.replace(/^error: /, "").trim();
        const hint = `${pathOf(command)} --help`;
        output.error({ error: { code: "usage", message: message.replaceAll("\n", " "), hint } }, message);
        output.note(`How it is used: ${hint}`);
      },
    });
  for (const below of command.commands) unify(below, output);
}

/**
 * The command line `mcp-oauth`. Where it is not understood, and after help, parsing throws commander's `CommanderError`.
 *
 * @param output where it is said what was not understood.
 */
export function createProgram(version: string, output: Output): Command {
  const program = new Command("mcp-oauth")
    .description(
      "Sign in to protected MCP servers, see and end sessions, and find out why a server does not let you in.",
    )
    .version(version, "-V, --version", "show the version")
    .helpOption("-h, --help", "show this help")
    // Else an option of a command of a command would be taken for one of the command's.
    .enablePositionalOptions()
    .helpCommand("help [command]", "show the help of a command")
    .addHelpText("after", `\n${exitCodesHelp}\n\nEvery command has examples: mcp-oauth login --help`);
  const commands = [
    loginCommand,
    statusCommand,
    logoutCommand,
    toolsCommand,
    callCommand,
    doctorCommand,
    proxyCommand,
    tokenCommand,
    clientMetadataCommand,
    importCommand,
  ];
  for (const command of commands) program.addCommand(command(version));
  unify(program, output);
  return program;
}
