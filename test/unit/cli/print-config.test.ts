import { expect, it } from "vitest";
import { configurationText, hostConfigurations } from "../../../src/cli/proxy/print-config.ts";

it.each([
  ["https://mcp.example.com/mcp", []],
  ["http://[::1]:3000/mcp", []],
  ["https://mcp.example.com/mcp?ids[]=1&ids[]=2", ["--account", 'a[b] "c"', "--no-login"]],
])("what is printed for %s %j is JSON, and says the same as --json", (address, options) => {
  const url = new URL(address);
  const configurations = hostConfigurations(url, options);
  const printed = configurationText(configurations).match(/^\{$.*?^\}$/gms) ?? [];
  const { mcpServers, servers } = configurations;
  expect(printed.map((block) => JSON.parse(block))).toEqual([{ mcpServers }, { servers }]);
  expect(Object.values(mcpServers)[0]?.args.slice(-2 - options.length)).toEqual(["proxy", url.href, ...options]);
});

it("shows what belongs together on one line", () => {
  const text = configurationText(hostConfigurations(new URL("https://mcp.example.com/mcp"), ["--no-login"]));
  expect(text.split("\n").slice(2, 14)).toEqual([
    "{",
    '  "mcpServers": {',
    '    "mcp-example-com": {',
    '      "command": "npx",',
    '      "args": [',
    '        "-y", "-p", "mcp-oauth-client", "-p", "@modelcontextprotocol/client",',
    '        "mcp-oauth", "proxy", "https://mcp.example.com/mcp",',
    '        "--no-login"',
    "      ]",
    "    }",
    "  }",
    "}",
  ]);
});
