import { NPX_WITH_SDK } from "../sdk/load-sdk.ts";

/** What a host is told to start; the two kinds of file differ in a name and in whether the kind of server is said. */
export interface HostConfigurations {
  /** Claude Desktop, Cursor, Windsurf, Cline and most others. */
  readonly mcpServers: Record<string, { command: string; args: string[] }>;
  /** VS Code. */
  readonly servers: Record<string, { type: "stdio"; command: string; args: string[] }>;
}

/** Hosts take letters, digits, `-` and `_` in the name of a server. */
function nameFor(url: URL): string {
  return url.hostname.replace(/[^a-zA-Z0-9]+/g, "-").replace(/^-|-$/g, "");
}

/**
 * The configuration for a host that knows only stdio servers; it works where nothing but Node.js is installed.
 *
 * @param options options of `proxy` that are to hold there.
 */
export function hostConfigurations(url: URL, options: readonly string[]): HostConfigurations {
  const start = { command: "npx", args: [...NPX_WITH_SDK, "proxy", url.href, ...options] };
  const name = nameFor(url);
  return { mcpServers: { [name]: start }, servers: { [name]: { type: "stdio", ...start } } };
}

/** Both, as somebody reads and copies them. */
export function configurationText({ mcpServers, servers }: HostConfigurations): string {
  return [
    "Claude Desktop, Cursor, Windsurf, Cline and others, in their MCP settings:",
    "",
    jsonText({ mcpServers }),
    "",
    "VS Code, in .vscode/mcp.json:",
    "",
    jsonText({ servers }),
  ].join("\n");
}

/** As `JSON.stringify` indents it, but for the command line, which is easier to read in few lines. */
function jsonText(value: unknown, margin = ""): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const isList = Array.isArray(value);
  const inner = `${margin}  `;
  const members = isList
    ? argumentLines(value)
    : Object.entries(value).map(([name, member]) => `${JSON.stringify(name)}: ${jsonText(member, inner)}`);
  const lines = members.map((member) => inner + member).join(",\n");
  return isList ? `[\n${lines}\n${margin}]` : `{\n${lines}\n${margin}}`;
}

/** What belongs together stands on one line: how the program is got, what it is told, and its options. */
function argumentLines(list: readonly unknown[]): string[] {
  const words = list.map((word) => JSON.stringify(word));
  const program = NPX_WITH_SDK.length - 1;
  const lines = [words.slice(0, program), words.slice(program, program + 3), words.slice(program + 3)];
  return lines.filter((line) => line.length > 0).map((line) => line.join(", "));
}
