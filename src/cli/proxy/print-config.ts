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
  const json = (value: unknown): string => JSON.stringify(value, null, 2).replace(/\[[^[\]]*\]/, onOneLineEach);
  return [
    "Claude Desktop, Cursor, Windsurf, Cline and others, in their MCP settings:",
    "",
    json({ mcpServers }),
    "",
    "VS Code, in .vscode/mcp.json:",
    "",
    json({ servers }),
  ].join("\n");
}

/** What belongs together stands on one line: how the program is got, what it is told, and its options. */
function onOneLineEach(list: string): string {
  const words = (JSON.parse(list) as string[]).map((word) => JSON.stringify(word));
  const program = NPX_WITH_SDK.length - 1;
  const lines = [words.slice(0, program), words.slice(program, program + 3), words.slice(program + 3)];
  const shown = lines.filter((line) => line.length > 0).map((line) => `\n        ${line.join(", ")}`);
  return `[${shown.join(",")}\n      ]`;
}
