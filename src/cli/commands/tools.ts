import type { Command } from "commander";
import { inertText } from "../../core/text.ts";
import type { CommandContext } from "../command-context.ts";
import { newCommand } from "../new-command.ts";
import type { Output } from "../output.ts";
import { perform } from "../perform.ts";
import { firstSentence } from "../readable-text.ts";
import { parametersOf } from "../schema-words.ts";
import { type Connected, type ConnectOptions, withClient } from "../sdk/connect.ts";
import type { Tool } from "../sdk/load-sdk.ts";
import { shellWord } from "../shell-word.ts";

const description = `Connects to a server and lists its tools with what they take.

At a terminal you are asked to sign in where that is needed. It needs one of the official MCP SDKs beside this package and says how to add one.`;

export function toolsCommand(): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "tools",
    summary: "list a server's tools",
    description,
    examples: [
      [`mcp-oauth tools ${url}`, "names, descriptions and parameters"],
      [`mcp-oauth tools ${url} --json | jq '.tools[].name'`, "everything the server says, for programs"],
    ],
  })
    .argument("<url>", "the MCP server")
    .option("--account <name>", "which of several accounts on the server", "default")
    .option("--no-login", "fail where a sign-in is needed, instead of asking")
    .action(perform(tools));
}

/** A server that pages without end is stopped at some time. */
const MOST_PAGES = 100;

/** All tools of a server, page by page. */
export async function listTools({ client, request, answer }: Connected): Promise<Tool[]> {
  const found: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const which = cursor === undefined ? {} : { cursor };
    const { tools: more, nextCursor } = await answer("Waiting for the tools", () => client.listTools(which, request));
    found.push(...more);
    if (nextCursor === undefined || nextCursor === cursor) break;
    cursor = nextCursor;
  }
  return found;
}

function toolText(output: Output, { name, description: said, inputSchema }: Tool): string {
  const about = said === undefined || said.trim() === "" ? [] : [output.paragraph(`  ${firstSentence(said)}`)];
  const parameters = parametersOf(inputSchema).map(({ name: parameter, type, required, description: meaning }) => {
    const words = [
      `${type}${required ? "" : ", optional"}`,
      ...(meaning === undefined ? [] : [firstSentence(meaning)]),
    ];
    return [inertText(parameter, 60), words.join(" - ")] as const;
  });
  const rows = parameters.length === 0 ? [] : [output.rows(parameters)];
  return [output.style("bold", inertText(name)), ...about, ...rows].join("\n");
}

/** A command that calls a tool, with a place for everything that the tool needs. */
function callLine(server: string, { name, inputSchema }: Tool): string {
  const needed = parametersOf(inputSchema).filter(({ required }) => required);
  const args = needed.flatMap(({ name: parameter }) => ["--arg", `${inertText(parameter)}=VALUE`]);
  return ["mcp-oauth", "call", server, inertText(name), ...args].map(shellWord).join(" ");
}

async function tools(context: CommandContext, address: string, options: ConnectOptions): Promise<void> {
  const { output } = context;
  const commandLine = ["tools", address];
  const { server, version, found } = await withClient(
    context,
    { address, options, commandLine },
    async (connected) => ({
      server: connected.server,
      version: connected.client.getServerVersion(),
      found: await listTools(connected),
    }),
  );
  const heading =
    found.length === 0 ? `${server} has no tools.` : found.map((tool) => toolText(output, tool)).join("\n\n");
  output.result({ server: { url: server, ...version }, tools: found }, heading);
  const [first] = found;
  if (first !== undefined && output.isTerminal) output.note(`\nTry one:\n  $ ${callLine(server, first)}`);
}
