import type { Command } from "commander";
import { quoted } from "../../core/text.ts";
import { argumentsOf, namedArguments } from "../call-arguments.ts";
import type { CommandContext } from "../command-context.ts";
import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import { newCommand } from "../new-command.ts";
import { several } from "../option-values.ts";
import { perform } from "../perform.ts";
import { readStdin } from "../read-stdin.ts";
import { inertLines } from "../readable-text.ts";
import { type Connected, type ConnectOptions, withClient } from "../sdk/connect.ts";
import { shellWord } from "../shell-word.ts";
import { toolResultText } from "../tool-result-text.ts";
import { listTools } from "./tools.ts";

interface CallOptions extends ConnectOptions {
  readonly arg?: readonly string[];
}

const description = `Connects to a server, calls one of its tools, and prints what it answers. Texts are printed as they are where stdout is not a terminal; images and the like as a note, and with --json everything.

At a terminal you are asked to sign in where that is needed. It needs one of the official MCP SDKs beside this package and says how to add one. When the tool says that it failed, the exit code is 1.`;

export function callCommand(): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "call",
    summary: "call a tool of a server",
    description,
    examples: [
      [`mcp-oauth call ${url} echo '{"text":"hello"}'`, "arguments as JSON"],
      [`mcp-oauth call ${url} echo --arg text=hello`, "or one by one"],
      [`mcp-oauth call ${url} echo - <arguments.json`, "or from stdin"],
    ],
  })
    .argument("<url>", "the MCP server")
    .argument("<tool>", "the tool's name")
    .argument("[json]", "its arguments, a JSON object; - is stdin (default: {})")
    .option("--arg <name=value>", "one argument; may be repeated", several)
    .option("--account <name>", "which of several accounts on the server", "default")
    .option("--no-login", "fail where a sign-in is needed, instead of asking")
    .action(perform(call));
}

/** What the tool says of its parameters decides how values are read, so it has to be there. */
async function withNamed(
  connected: Connected,
  tool: string,
  given: readonly string[],
): Promise<Record<string, unknown>> {
  if (given.length === 0) return {};
  const found = (await listTools(connected)).find(({ name }) => name === tool);
  if (found !== undefined) return namedArguments(given, found.inputSchema);
  throw new CommandFailed(`${connected.server} has no tool ${quoted(tool)}.`, exitCodes.failure, {
    code: "unknown_tool",
    hint: `Its tools: mcp-oauth tools ${shellWord(connected.server)}`,
  });
}

async function call(
  context: CommandContext,
  address: string,
  tool: string,
  json: string | undefined,
  options: CallOptions,
): Promise<number> {
  const { output } = context;
  const whole = await argumentsOf(json, () => readStdin(context.signal));
  const commandLine = ["call", address, tool, ...(json === undefined ? [] : [json])];
  const result = await withClient(context, { address, options, commandLine }, async (connected) => {
    const { client, request, answer } = connected;
    const input = { ...whole, ...(await withNamed(connected, tool, options.arg ?? [])) };
    return answer(`Waiting for ${quoted(tool)}`, () => client.callTool({ name: tool, arguments: input }, request));
  });
  const text = toolResultText(result);
  output.result(result, output.isTerminal ? inertLines(text) : text);
  if (result.isError !== true) return exitCodes.ok;
  output.note("The tool says that it failed.", "yellow");
  return exitCodes.failure;
}
