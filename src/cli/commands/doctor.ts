import process from "node:process";
import type { Command } from "commander";
import { inertText } from "../../core/text.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { newCommand } from "../new-command.ts";
import { someText, wholeNumber } from "../option-values.ts";
import { perform } from "../perform.ts";

interface DoctorOptions extends CommonOptions {
  readonly clientId?: string;
  readonly clientMetadataUrl?: string;
  readonly register?: boolean;
  readonly report?: string;
  readonly force?: boolean;
  readonly timeout: number;
  readonly verbose?: boolean;
}

const description = `Walks the way to a sign-in without signing in: each request, what came back, the rule that applies to it, what this package makes of it, and how to put right what is wrong. Behind what a sign-in would stop at it goes on, to show all there is to do at once.

Nothing is changed on any server, and nobody is signed in. With --register a client is registered for real, and removed again where the server lets it.

The exit code is 0 where a sign-in would work or none is needed, 5 where a server has to be put right first, and 6 where one cannot be reached.`;

export function doctorCommand(version: string): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "doctor",
    summary: "find out whether and how a server lets people sign in",
    description,
    keepsNothing: true,
    examples: [
      [`mcp-oauth doctor ${url}`, "what a sign-in would meet, step by step"],
      [`mcp-oauth doctor ${url} --verbose`, "the same with headers and bodies, without secrets"],
      [`mcp-oauth doctor ${url} --report report.json`, "a file to attach to a bug report"],
      [`mcp-oauth doctor ${url} --json | jq .verdict`, "the verdict, for scripts"],
    ],
  })
    .argument("<url>", "the MCP server")
    .option("--client-id <id>", "judge as with a client that was registered by hand", someText)
    .option("--client-metadata-url <url>", "judge as with this client ID metadata document")
    .option("--register", "register a client for real, and remove it again")
    .option("--report <file>", "write all that was seen to a file, without secrets")
    .option("--force", "replace the file of --report")
    .option("--timeout <seconds>", "how long to wait for each answer", wholeNumber(1, 600), 10)
    .option("-v, --verbose", "show headers and bodies too")
    .action(perform((context, url: string, options: DoctorOptions) => doctor(context, url, options, version)));
}

async function doctor(
  { output, signal }: CommandContext,
  url: string,
  options: DoctorOptions,
  version: string,
): Promise<number> {
  const { clientId, clientMetadataUrl, report, force = false } = options;
  const { diagnose, DiagnosisText, exitCodeOf, requireFree, writeReport } = await import("../doctor/doctor.ts");
  if (report !== undefined) await requireFree(report, force);
  const progress = await output.progress("Asking the server…");
  const diagnosis = await diagnose({
    url,
    version,
    platform: `Node ${process.version} on ${process.platform} ${process.arch}`,
    signal,
    timeoutMs: options.timeout * 1000,
    register: options.register === true,
    onRequest(method, asked) {
      // Where nobody watches, the result says it all.
      if (process.stderr.isTTY) progress.update(inertText(`${method} ${asked.split("?")[0]}`, output.width - 4));
    },
    ...(clientId !== undefined && { clientId }),
    ...(clientMetadataUrl !== undefined && { clientMetadataUrl }),
  });
  progress.stop();
  // Before the result: with --json there is either that or an error.
  if (report !== undefined) await writeReport(report, diagnosis, force);
  output.result(diagnosis, String(new DiagnosisText(output, diagnosis, options.verbose === true)));
  if (report !== undefined) {
    output.note(
      `The report is in ${report}. Tokens, cookies, session ids and the values of queries are left out; read it before you pass it on.`,
    );
  }
  return exitCodeOf(diagnosis.verdict);
}
