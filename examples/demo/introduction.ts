// Who takes part, and how little the app has to do.
import type { Report } from "./report.ts";
import { type Stage, TOKEN_SECONDS } from "./stage.ts";

const CODE = [
  'const tokens = new TokenManager({ clientName: "Demo app" });',
  "const fetch = tokens.fetch(url);",
  "const transport = new StreamableHTTPClientTransport(url, { fetch });",
  "await client.connect(transport, { timeout: 300_000 });",
];

export function introduce(report: Report, { mcpServer, authorizationServer, store }: Stage): void {
  const fact = (name: string, value: string, note: string): void =>
    report.line(` ${name.padEnd(12)} ${value.padEnd(28)} ${report.style("dim", note)}`.trimEnd());
  report.line();
  report.line(` ${report.style("bold", "mcp-oauth-client")}: what happens behind these lines of an app`);
  report.line();
  for (const line of CODE) report.line(`     ${report.style("cyan", line)}`);
  report.line();
  fact("MCP server", mcpServer.url.href, "the official SDK, version 2");
  fact("auth server", authorizationServer.issuer, `oidc-provider, tokens live ${TOKEN_SECONDS} s`);
  fact("token store", store.selection.store, "for the demo only; removed in the end");
  report.small(store.selection.reason);
  report.head();
}
