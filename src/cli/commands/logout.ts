import type { Command } from "commander";
import { inertText } from "../../core/text.ts";
import { canonicalServerUrl } from "../../core/url.ts";
import type { RevocationOutcome, SignOutResult } from "../../index.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { CommandFailed } from "../command-failed.ts";
import { errorAsData } from "../error-as-data.ts";
import { exitCodeOf, exitCodes } from "../exit-codes.ts";
import { accountText } from "../explain.ts";
import { newCommand } from "../new-command.ts";
import type { Output } from "../output.ts";
import { perform } from "../perform.ts";
import { didYouMean, similarServer } from "../similar-server.ts";

interface LogoutOptions extends CommonOptions {
  readonly account?: string;
  readonly all?: boolean;
  readonly unregister?: boolean;
}

const description = `Ends sessions: the authorization server is asked to revoke the tokens (RFC 7009), and the local copy is removed whatever it answers.

Where the server did not confirm, the exit code says why, and the tokens stay good until they expire.`;

export function logoutCommand(): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "logout",
    summary: "revoke a session's tokens and remove it",
    description,
    examples: [
      [`mcp-oauth logout ${url}`, "end one session"],
      [`mcp-oauth logout ${url} --all`, "all accounts on one server"],
      ["mcp-oauth logout --all --account work", "one account, on all servers"],
      ["mcp-oauth logout --all --unregister", "leave nothing anywhere, not even the clients that were registered"],
    ],
  })
    .argument("[url]", "the MCP server")
    .option("--account <name>", 'which of several accounts on the server (default: "default")')
    .option("--all", "every session, or with a URL or an account all of those")
    .option("--unregister", "also delete the client that was registered for it (RFC 7592)")
    .action(perform(logout));
}

async function logout(
  context: CommandContext,
  url: string | undefined,
  { account, all = false, unregister = false }: LogoutOptions,
): Promise<number> {
  const { output, signal } = context;
  if (url === undefined && !all) {
    const hint = "See what there is: mcp-oauth status";
    throw new CommandFailed("Name the server to sign out of, or say --all.", exitCodes.usage, { code: "usage", hint });
  }
  const tokens = await context.tokens();
  const server = url === undefined ? undefined : canonicalServerUrl(url);
  const progress = await output.progress("Signing out");
  const whose = account === undefined ? {} : { account };
  const results = await tokens.signOut(server, { ...whose, all, unregister, signal });
  progress.stop();
  const text = results.map((result) => tell(result, output)).join("\n\n");
  output.result({ results: results.map(asData) }, text === "" ? "No sessions." : text);
  for (const { revocation, ...missed } of results) {
    const similar = revocation === "no_session" ? await similarServer(tokens, missed) : undefined;
    if (similar !== undefined) output.note(didYouMean(similar));
  }
  const failed = results.map(({ error, registrationError }) => error ?? registrationError).find(Boolean);
  return failed === undefined ? exitCodes.ok : exitCodeOf(failed);
}

function asData({ error, registrationError, ...result }: SignOutResult): Record<string, unknown> {
  return {
    ...result,
    ...(error !== undefined && { error: errorAsData(error) }),
    ...(registrationError !== undefined && { registrationError: errorAsData(registrationError) }),
  };
}

/** What the authorization server did with the tokens. */
function revocationText({ revocation, issuer = "" }: SignOutResult): string {
  const who = inertText(issuer);
  switch (revocation) {
    case "revoked":
      return `${who} has revoked the tokens.`;
    case "unsupported":
      return `${who} offers no revocation: the tokens stay good until they expire.`;
    case "unreachable":
      return `${who} could not be reached: the tokens stay good until they expire.`;
    case "refused":
      return `${who} did not revoke the tokens: they stay good until they expire.`;
    case "unreadable":
    case "no_session":
      return "";
  }
}

const registrationTexts: Record<NonNullable<SignOutResult["registration"]>, string> = {
  removed: "The client that was registered for it is deleted there.",
  in_use: "The client that was registered for it is kept: another session uses it.",
  unsupported: "The client cannot be deleted from here.",
  unreachable: "The client may still be registered: the server could not be reached.",
  refused: "The client is still registered: the server refused to delete it.",
};

function tell(result: SignOutResult, output: Output): string {
  const { server, account, revocation, registration, error, registrationError } = result;
  const as = accountText({ account });
  const isDone = revocation === "revoked" || revocation === "unsupported";
  const unread =
    server === ""
      ? "Left as they are: credentials that cannot be read"
      : `Removed a session that could not be read: ${server}${as}`;
  const headings: Partial<Record<RevocationOutcome, string>> = {
    no_session: `You were not signed in to ${server}${as}.`,
    unreadable: output.style("yellow", unread),
  };
  const heading = headings[revocation] ?? output.style(isDone ? "green" : "yellow", `Signed out of ${server}${as}`);
  const problem = error ?? registrationError;
  const details = [
    revocationText(result),
    registration && registrationTexts[registration],
    problem && inertText(problem.message, 1000),
  ].filter((detail) => detail !== undefined && detail !== "");
  return [heading, ...details.map((detail) => output.paragraph(`  ${detail}`))].join("\n");
}
