import { homedir } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline/promises";
import type { Command } from "commander";
import { findMcpOAuthError } from "../../core/errors.ts";
import { inertText } from "../../core/text.ts";
import { canonicalServerUrl } from "../../core/url.ts";
import type { TokenManager } from "../../token-manager.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { errorAsData } from "../error-as-data.ts";
import { exitCodes } from "../exit-codes.ts";
import type { ForeignSession } from "../import/foreign-session.ts";
import { findInGeminiCli } from "../import/gemini-cli.ts";
import { findInMcpRemote } from "../import/mcp-remote.ts";
import { newCommand } from "../new-command.ts";
import { several } from "../option-values.ts";
import type { Output } from "../output.ts";
import { perform } from "../perform.ts";
import { expiryText } from "../session-rows.ts";
import { readSessions, requireLastingStore } from "../stored-sessions.ts";

interface ImportOptions extends CommonOptions {
  readonly server?: readonly string[];
  readonly account: string;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly deleteOriginals?: boolean;
}

/** What became of one session. */
interface Outcome {
  readonly found: ForeignSession;
  readonly state: "imported" | "refused";
  readonly reason?: string;
  readonly error?: Record<string, unknown>;
}

const description = `Takes over the sessions of mcp-remote (in ~/.mcp-auth) and gemini-cli (in ~/.gemini), so that nobody has to sign in again. It shows what it found and asks first.

A session is taken over only when its server still names the authorization server that its tokens came from. The originals are left; but a refresh token mostly works once, so stop using the other program for these servers. What gemini-cli has encrypted, or keeps in the keychain, cannot be read.`;

export function importCommand(): Command {
  return newCommand({
    name: "import",
    summary: "take over sessions of mcp-remote and gemini-cli",
    description,
    examples: [
      ["mcp-oauth import", "show what is there, and ask"],
      ["mcp-oauth import --yes --delete-originals", "take over everything that can be, and tidy up"],
      ["mcp-oauth import --server https://mcp.example.com/mcp", "where the files do not say whose they are"],
    ],
  })
    .option("--server <url>", "only sessions of this server; may be repeated", several)
    .option("--account <name>", "the account that they become", "default")
    .option("-y, --yes", "do not ask")
    .option("--force", "put them in the place of sessions that are there")
    .option("--delete-originals", "remove what was taken over from the other program's files")
    .action(perform(importSessions));
}

/** A session as it is shown: nothing in it is secret. */
function asData({ origin, label, server, session, problem }: ForeignSession): Record<string, unknown> {
  const { issuer, tokenEndpoint, client, expiresAt, scope, refreshToken } = session ?? {};
  const details = { issuer, tokenEndpoint, clientId: client?.clientId, scope, expiresAt };
  return { origin, label, server, ...details, ...(session && { refreshable: refreshToken !== undefined }), problem };
}

function shown(output: Output, { origin, label, server, session, problem }: ForeignSession): string {
  const heading = output.style("bold", inertText(server ?? label));
  if (session === undefined) {
    return `${heading}\n${output.rows([
      ["from", origin],
      ["not possible", inertText(problem ?? "")],
    ])}`;
  }
  const { issuer, tokenEndpoint, client, expiresAt, scope, refreshToken } = session;
  return `${heading}\n${output.rows([
    ["from", origin],
    ["issuer", issuer && inertText(issuer)],
    ["tokens from", tokenEndpoint && inertText(tokenEndpoint)],
    ["client", inertText(client.clientId)],
    ["scopes", scope === undefined ? undefined : inertText(scope, 1000)],
    ["expires", expiryText(expiresAt, Date.now())],
    ["refresh", refreshToken === undefined ? "not possible" : "possible"],
  ])}`;
}

function canAsk(output: Output): boolean {
  return !output.json && process.stdin.isTTY === true && process.stderr.isTTY === true;
}

async function confirmed(signal: AbortSignal, count: number): Promise<boolean> {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C is the program's, as everywhere.
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  try {
    const what = count === 1 ? "this session" : `these ${count} sessions`;
    const answer = await lines.question(`\nTake over ${what}? [y/N] `, { signal });
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
}

async function takeOver(
  tokens: TokenManager,
  found: ForeignSession,
  { account, force = false, deleteOriginals = false }: ImportOptions,
  signal: AbortSignal,
): Promise<Outcome> {
  const { server, session, forget } = found;
  if (server === undefined || session === undefined) return { found, state: "refused", reason: found.problem ?? "" };
  try {
    await tokens.importSession(server, session, { account, replace: force, signal });
  } catch (error) {
    const known = findMcpOAuthError(error);
    if (known === undefined || signal.aborted) throw error;
    const reason = known.message.replace("replace: true puts", "--force puts");
    return { found, state: "refused", reason, error: errorAsData(known) };
  }
  try {
    if (deleteOriginals) await forget?.();
    return { found, state: "imported" };
  } catch (error) {
    return { found, state: "imported", reason: `The original could not be removed: ${(error as Error).message}` };
  }
}

/** What is in the other programs' files, of all servers or of those that were named. */
async function find({ environment }: CommandContext, servers: readonly string[]): Promise<ForeignSession[]> {
  const wanted = servers.map((server) => new URL(canonicalServerUrl(server)).href);
  const places = { home: homedir(), environment, servers };
  const found = [...(await findInMcpRemote(places)), ...(await findInGeminiCli(places))];
  return found.filter(
    ({ server = "" }) => wanted.length === 0 || (URL.canParse(server) && wanted.includes(new URL(server).href)),
  );
}

async function importSessions(context: CommandContext, options: ImportOptions): Promise<number> {
  const { output, signal } = context;
  const { server = [], yes = false } = options;
  const found = await find(context, server);
  const usable = found.filter(({ session }) => session !== undefined);
  if (!output.json && found.length > 0) output.raw(found.map((session) => shown(output, session)).join("\n\n"));
  const asks = !yes && canAsk(output);
  const goesOn = usable.length > 0 && (yes || (asks && (await confirmed(signal, usable.length))));
  if (!goesOn) {
    const outcome =
      found.length === 0 ? "No session of mcp-remote or gemini-cli was found." : "Nothing was taken over.";
    const hint = usable.length > 0 && !asks ? " Take over what is possible: mcp-oauth import --yes" : "";
    output.note(`\n${outcome}${hint}`);
    if (output.json) output.result({ found: found.map(asData), imported: [], refused: [] }, "");
    return exitCodes.ok;
  }
  const tokens = await context.tokens();
  // Only to learn where sessions are kept: others may be in whatever state.
  const one = usable.find((session) => session.server !== undefined)?.server;
  const only = one === undefined ? undefined : { server: one, account: options.account };
  requireLastingStore(await readSessions(tokens, only));
  const outcomes: Outcome[] = [];
  for (const session of usable) outcomes.push(await takeOver(tokens, session, options, signal));
  tell(output, found, outcomes);
  return outcomes.every(({ state }) => state === "imported") ? exitCodes.ok : exitCodes.failure;
}

function tell(output: Output, found: readonly ForeignSession[], outcomes: readonly Outcome[]): void {
  const all = (wanted: Outcome["state"]): Record<string, unknown>[] =>
    outcomes
      .filter(({ state }) => state === wanted)
      .map(({ found: session, reason, error }) => ({ ...asData(session), reason, error }));
  const lines = outcomes.map(({ found: { server: url = "" }, state, reason = "" }) => {
    const server = inertText(url);
    return [
      state === "imported"
        ? output.style("green", `Taken over: ${server}`)
        : `${output.style("red", "Not taken over:")} ${server}`,
      ...(reason === "" ? [] : [output.paragraph(`  ${inertText(reason, 1000)}`)]),
    ].join("\n");
  });
  const data = { found: found.map(asData), imported: all("imported"), refused: all("refused") };
  output.result(data, `\n${lines.join("\n")}`);
}
