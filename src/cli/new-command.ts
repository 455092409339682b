import { Command, Option } from "commander";
import { exitCodesHelp } from "./exit-codes.ts";
import { title } from "./help-title.ts";

/** What `--help` of a command shows beside its options. */
export interface CommandDescription {
  readonly name: string;
  /** One sentence in the imperative, without a full stop: it stands in the list of commands. */
  readonly summary: string;
  /** What a person has to know before using it. */
  readonly description: string;
  /** Command lines to copy, each with what it does. */
  readonly examples: readonly (readonly [command: string, what: string])[];
  /** Whether it has nothing to do with stored sessions. Default `false`. */
  readonly keepsNothing?: boolean;
}

function examplesHelp(examples: CommandDescription["examples"]): string {
  const lines = examples.map(([command, what]) => `  # ${what}\n  $ ${command}`);
  return `\n${title("Examples:")}\n${lines.join("\n\n")}\n`;
}

/** A command with what all of them have: `--json`, where sessions are kept, examples, and what exit codes mean. */
export function newCommand(described: CommandDescription): Command {
  const { name, summary, description, examples, keepsNothing = false } = described;
  const command = new Command(name)
    .summary(summary)
    .description(description)
    .helpOption("-h, --help", "show this help")
    .option("--json", "print one JSON document to stdout instead of text");
  if (!keepsNothing) {
    const kinds = ["auto", "keychain", "encrypted-file"];
    command
      .addOption(new Option("--store <kind>", "where sessions are kept").choices(kinds).default("auto"))
      .option("--profile <name>", "a separate choice of store, for programs that use one");
  }
  return command.addHelpText("after", examplesHelp(examples)).addHelpText("after", exitCodesHelp);
}
