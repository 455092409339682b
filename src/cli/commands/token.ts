import { type Command, Option } from "commander";
import { inertText } from "../../core/text.ts";
import { canonicalServerUrl } from "../../core/url.ts";
import type { TokenResult } from "../../index.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import { signInNeeded } from "../explain.ts";
import { newCommand } from "../new-command.ts";
import { wholeNumber } from "../option-values.ts";
import type { Output } from "../output.ts";
import { perform } from "../perform.ts";
import { expiryText, scopeText } from "../session-rows.ts";
import { relativeTime } from "../times.ts";

interface TokenOptions extends CommonOptions {
  readonly account: string;
  readonly minTtl: number;
  readonly reveal?: boolean;
  readonly header?: boolean;
}

const description = `Gets a valid access token for a server, refreshed if need be, and shows what is known about it. Nobody is asked to sign in: without a session the exit code is 3.

The token itself is printed only with --reveal, or with --header into a pipe. Whoever has it can act as you on that server until it expires.`;

export function tokenCommand(): Command {
  const url = "https://mcp.example.com/mcp";
  return newCommand({
    name: "token",
    summary: "get an access token for scripts",
    description,
    examples: [
      [`mcp-oauth token ${url}`, "what is known about the token"],
      [
        `mcp-oauth token ${url} --header \\\n      | curl -H @- ${url}`,
        "a request with it, which keeps it out of the list of processes",
      ],
      [`TOKEN=$(mcp-oauth token ${url} --reveal --min-ttl 300)`, "in a variable, good for at least five minutes"],
    ],
  })
    .argument("<url>", "the MCP server")
    .option("--account <name>", "which of several accounts on the server", "default")
    .option("--min-ttl <seconds>", "the least time that it has to be good for", wholeNumber(0, 86_400), 0)
    .option("--reveal", "print the token itself")
    .addOption(new Option("--header", "print it as the header of a request, into a pipe only").conflicts("json"))
    .action(perform(token));
}

async function token(context: CommandContext, url: string, options: TokenOptions): Promise<void> {
  const { output, signal } = context;
  const { account, minTtl: minTtlSeconds, reveal = false, header = false } = options;
  const server = canonicalServerUrl(url);
  if (header && output.isTerminal && !reveal) {
    throw new CommandFailed("--header prints the token, and stdout is a terminal.", exitCodes.usage, {
      code: "usage",
      hint: "Pipe it to where it is needed, or add --reveal.",
    });
  }
  const tokens = await context.tokens();
  // Otherwise the server would be asked, and everything found out that a sign-in needs.
  if ((await tokens.cachePartition(server, { account })) === undefined) {
    throw await signInNeeded(tokens, { server, account });
  }
  const result = await tokens.get(server, { account, minTtlSeconds, signal });
  requireLasting(result, server, minTtlSeconds);
  if (header) printHeader(output, result);
  else if (reveal && !output.json) printToken(output, result);
  else describe(output, { server, account, reveal }, result);
}

/** A server's tokens may never last as long as a script needs one. */
function requireLasting({ expiresAt }: TokenResult, server: string, minTtlSeconds: number): void {
  if (expiresAt === undefined || expiresAt - Date.now() >= minTtlSeconds * 1000) return;
  const expires = relativeTime(expiresAt, Date.now());
  const message = `The token for ${server} expires ${expires}, and none is to be had that is good for ${minTtlSeconds} s.`;
  throw new CommandFailed(message, exitCodes.failure, {
    code: "min_ttl",
    hint: "Ask for less with --min-ttl, and again before it expires.",
    server,
    expiresAt,
  });
}

const BOUND = "The token is bound to a key (DPoP, RFC 9449) and is of no use by itself.";

function printHeader(output: Output, { accessToken, tokenType, header }: TokenResult): void {
  if (tokenType === "DPoP") {
    const hint = "Each request needs a proof of its own: use mcp-oauth call, or the library's fetch.";
    throw new CommandFailed(BOUND, exitCodes.failure, { code: "token_not_applicable", hint });
  }
  const start = header === undefined ? "Authorization: Bearer" : `${header}:`;
  output.raw(`${start} ${accessToken.reveal()}`);
}

function printToken(output: Output, { accessToken, tokenType }: TokenResult): void {
  output.raw(accessToken.reveal());
  if (tokenType === "DPoP") output.note(BOUND, "yellow");
}

interface Subject {
  readonly server: string;
  readonly account: string;
  readonly reveal: boolean;
}

function describe(output: Output, { server, account, reveal }: Subject, result: TokenResult): void {
  const { accessToken, tokenType, header, issuer, scope, expiresAt } = result;
  const data = { server, account, tokenType, header, issuer, scope, expiresAt };
  const rows = output.rows([
    ["server", server],
    ["account", inertText(account)],
    ["issuer", inertText(issuer)],
    ["type", tokenType],
    ["header", header],
    ["scopes", scopeText(scope)],
    ["expires", expiryText(expiresAt, Date.now())],
  ]);
  output.result(reveal ? { ...data, accessToken: accessToken.reveal() } : data, rows);
  output.note(tokenType === "DPoP" ? BOUND : "The token itself: --reveal, or --header into a pipe.");
}
