import process from "node:process";
import { findMcpOAuthError } from "../../core/errors.ts";
import { inertText } from "../../core/text.ts";
import { canonicalServerUrl, requireSecureUrl } from "../../core/url.ts";
import { waitFor } from "../../core/wait-for.ts";
import type { TokenManager } from "../../token-manager.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import { packageVersion } from "../package-version.ts";
import { shellWord } from "../shell-word.ts";
import { SignInScreen } from "../sign-in-screen.ts";
import { type CallOptions, loadClient, loadTransports, type SdkClient } from "./load-sdk.ts";
import type { SdkTransports } from "./transport.ts";

export interface ConnectOptions extends CommonOptions {
  readonly account: string;
  readonly login: boolean;
}

/** A client that is connected. */
export interface Connected {
  readonly client: SdkClient;
  readonly server: string;
  /** For every request. */
  readonly request: CallOptions;
}

/** Requests may take as long as their server likes; Ctrl-C ends them. */
const NO_TIMEOUT_MS = 2_147_483_647;

/** The HTTP status that an SDK's error carries, in the place of either version. */
function statusOf(error: unknown): number | undefined {
  const { code, data } = error as { code?: unknown; data?: { status?: unknown } };
  const status = data?.status ?? code;
  return typeof status === "number" && status >= 400 && status < 600 ? status : undefined;
}

/** Why a `fetch` failed, out of whatever an SDK has wrapped around it. */
function networkProblemOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { cause } = error;
  if (!(error instanceof TypeError) || !(cause instanceof Error)) return networkProblemOf(cause);
  return (cause as NodeJS.ErrnoException).code ?? cause.message;
}

/** An error of an SDK in our words; what has words of its own is left alone. */
function inOurWords(error: unknown, server: string): unknown {
  if (error instanceof CommandFailed || findMcpOAuthError(error) !== undefined) return error;
  const { host } = new URL(server);
  const status = statusOf(error);
  if (status !== undefined) {
    return new CommandFailed(`${host} answered with HTTP status ${status}.`, exitCodes.serverFault, {
      code: "http_error",
      status,
      hint: `Find out why: mcp-oauth doctor ${shellWord(server)}`,
    });
  }
  const problem = networkProblemOf(error);
  if (problem === undefined) return error;
  const message = `${host} could not be reached: ${inertText(problem)}.`;
  return new CommandFailed(message, exitCodes.network, { code: "network_failed" });
}

/** Whether a refusal may be that of a server with the older transport (MCP 2025-03-26, "backwards compatibility"). */
function mayBeOlder(error: unknown): boolean {
  return findMcpOAuthError(error) === undefined && [400, 404, 405].includes(statusOf(error) ?? 0);
}

interface Attempt {
  readonly transports: SdkTransports;
  readonly newClient: () => SdkClient;
  readonly tokens: TokenManager;
  readonly server: string;
  readonly account: string;
  readonly request: CallOptions;
}

async function connect({ transports, newClient, tokens, server, account, request }: Attempt): Promise<SdkClient> {
  const url = new URL(server);
  const settings = { fetch: tokens.fetch(url, { account }) };
  const client = newClient();
  try {
    await client.connect(new transports.StreamableHTTPClientTransport(url, settings), request);
    return client;
  } catch (error) {
    if (!mayBeOlder(error)) throw error;
    const older = newClient();
    try {
      await older.connect(new transports.SSEClientTransport(url, settings), request);
      return older;
    } catch (olderError) {
      // What was said first is more to the point, unless it is our own.
      throw findMcpOAuthError(olderError) === undefined ? error : olderError;
    }
  }
}

/**
 * Connects to a server with the SDK that is there, does something with it, and closes the connection. A person at a
 * terminal is asked to sign in where that is needed.
 *
 * @param commandLine what was typed behind `mcp-oauth`, for advice.
 */
export async function withClient<Result>(
  context: CommandContext,
  { address, options, commandLine }: { address: string; options: ConnectOptions; commandLine: readonly string[] },
  work: (connected: Connected) => Promise<Result>,
): Promise<Result> {
  const { output, signal } = context;
  const server = canonicalServerUrl(address);
  requireSecureUrl(server, "The MCP server's URL", { server });
  const line = commandLine.map(shellWord).join(" ");
  const transports = await loadTransports(line);
  const newClient = await loadClient(line, packageVersion());
  const screen = new SignInScreen(output);
  const someoneIsThere = process.stdin.isTTY === true && process.stderr.isTTY === true;
  const interactive = options.login && !output.json && someoneIsThere;
  const tokens = await context.tokens({ interactive, ...(interactive && screen.options) });
  screen.watch(tokens);
  tokens.on("token_issued", () => screen.close());
  const request = { signal, timeout: NO_TIMEOUT_MS };
  let client: SdkClient | undefined;
  try {
    const connecting = connect({ transports, newClient, tokens, server, account: options.account, request });
    // Not every SDK lets go of its connecting at once.
    client = await waitFor(connecting, signal);
    return await work({ client, server, request });
  } catch (error) {
    throw inOurWords(error, server);
  } finally {
    screen.close();
    await client?.close();
  }
}
