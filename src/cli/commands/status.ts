import type { Command } from "commander";
import { inertText } from "../../core/text.ts";
import { canonicalServerUrl } from "../../core/url.ts";
import type { SessionStatus } from "../../index.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { exitCodeOf, exitCodes } from "../exit-codes.ts";
import { accountText, loginCommandLine } from "../explain.ts";
import { newCommand } from "../new-command.ts";
import type { Output } from "../output.ts";
import { perform } from "../perform.ts";
import { sessionAsData } from "../session-as-data.ts";
import { sessionRows, storeText } from "../session-rows.ts";
import { readSessions } from "../stored-sessions.ts";

interface StatusOptions extends CommonOptions {
  readonly account?: string;
}

export function statusCommand(): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "status",
    summary: "show who is signed in where, and until when",
    description:
      "Shows the sessions of this machine, without their tokens. Nothing is sent anywhere. With a URL, only those on that server, and exit code 3 where nobody is signed in.",
    examples: [
      ["mcp-oauth status", "all sessions"],
      [`mcp-oauth status ${url} && echo "signed in"`, "in a script"],
      [`mcp-oauth status --json | jq -r '.sessions[].server'`, "their servers, one a line"],
    ],
  })
    .argument("[url]", "only the sessions on this MCP server")
    .option("--account <name>", "only those of this account")
    .action(perform(status));
}

async function status(
  context: CommandContext,
  url: string | undefined,
  options: StatusOptions,
): Promise<number | undefined> {
  const { output } = context;
  const server = url === undefined ? undefined : canonicalServerUrl(url);
  const { sessions, store, reason } = await readSessions(await context.tokens());
  const named = sessions
    .filter(isKnown)
    .filter((session) => server === undefined || session.server === server)
    .filter((session) => options.account === undefined || session.account === options.account)
    .sort((one, other) => (`${one.server} ${one.account}` < `${other.server} ${other.account}` ? -1 : 1));
  // What does not say whose it is may be what was asked for, unless that has been found.
  const lost = server !== undefined && named.length > 0 ? [] : sessions.filter((session) => !isKnown(session));
  const found = [...named, ...lost];
  const data = { sessions: found.map(sessionAsData) };
  if (found.length > 0) output.result(data, found.map((session) => block(session, output)).join("\n\n"));
  else
    output.result(
      data,
      server === undefined ? "No sessions." : `You are not signed in to ${server}${accountText(options)}.`,
    );
  if (found.length === 0) {
    output.note(store === "memory" ? reason : `Looked in: ${storeText(store)}`);
    output.note(`Sign in: ${loginCommandLine({ server, account: options.account })}`);
  }
  return server === undefined && lost.length === 0 ? undefined : exitCodeFor(server === undefined ? lost : found);
}

/** Whether a session could be read at least so far that it says whose it is. */
const isKnown = ({ server }: SessionStatus): boolean => server !== "";

/** One session: its server, and under it what is known. */
function block(session: SessionStatus, output: Output): string {
  const rows = sessionRows(session, output, Date.now());
  const title = isKnown(session) ? inertText(session.server, 500) : "Credentials that cannot be read";
  return `${output.style("bold", title)}\n${output.rows(rows)}`;
}

function exitCodeFor(sessions: readonly SessionStatus[]): number {
  if (sessions.some(({ state }) => state === "signed_in")) return exitCodes.ok;
  const problem = sessions.find(({ error }) => error !== undefined)?.error;
  return problem === undefined ? exitCodes.signInRequired : exitCodeOf(problem);
}
