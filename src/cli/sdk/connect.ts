import { Console } from "node:console";
import process from "node:process";
import { findMcpOAuthError } from "../../core/errors.ts";
import type { Fetch } from "../../core/http.ts";
import { canonicalServerUrl, requireSecureUrl } from "../../core/url.ts";
import type { TokenManager } from "../../token-manager.ts";
import type { CommandContext, CommonOptions } from "../command-context.ts";
import { packageVersion } from "../package-version.ts";
import { shellWord } from "../shell-word.ts";
import { SignInScreen } from "../sign-in-screen.ts";
import { inOurWords, statusOf } from "./in-our-words.ts";
import { type CallOptions, loadClient, loadTransports, type SdkClient } from "./load-sdk.ts";
import type { SdkTransport, SdkTransports } from "./transport.ts";
import { Waiting } from "./waiting.ts";

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
  /** Waits for an answer, as long as it takes. @param what for, in the words of somebody who waits. */
  answer<Answer>(what: string, ask: () => Promise<Answer>): Promise<Answer>;
}

/** Requests may take as long as their server likes; Ctrl-C ends them. */
const NO_TIMEOUT_MS = 2_147_483_647;

/** A server that is there answers sooner, and one that does not is no use to wait for. */
const CONNECTING_LIMIT_MS = 30_000;

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

/** Not every SDK lets go of its connecting at an abort, but all do when their transport is closed. */
async function connectBy(
  client: SdkClient,
  transport: SdkTransport,
  request: CallOptions,
  givenUp: AbortSignal,
): Promise<SdkClient> {
  const close = (): void => void transport.close().catch(() => undefined);
  givenUp.addEventListener("abort", close, { once: true });
  try {
    await client.connect(transport, request);
    return client;
  } catch (error) {
    // The first SDK leaves the older transport open, which would go on to connect and keep the program alive.
    await transport.close().catch(() => undefined);
    throw error;
  } finally {
    givenUp.removeEventListener("abort", close);
  }
}

/** @param givenUp fires when nobody waits any more, and ends the attempt's requests. */
async function connect(attempt: Attempt, givenUp: AbortSignal): Promise<SdkClient> {
  const { transports, newClient, tokens, server, account, request } = attempt;
  const url = new URL(server);
  const authorized = tokens.fetch(url, { account });
  const fetch: Fetch = (input, init) =>
    authorized(input, { ...init, signal: AbortSignal.any([givenUp, ...(init?.signal ? [init.signal] : [])]) });
  try {
    const transport = new transports.StreamableHTTPClientTransport(url, { fetch });
    return await connectBy(newClient(), transport, request, givenUp);
  } catch (error) {
    if (!mayBeOlder(error)) throw error;
    try {
      const transport = new transports.SSEClientTransport(url, { fetch });
      return await connectBy(newClient(), transport, request, givenUp);
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
  const { connectPatiently } = await import("../proxy/connections.ts");
  connectPatiently(context.environment);
  // Whatever an SDK says by this way is not the command's result.
  globalThis.console = new Console(process.stderr);
  const screen = new SignInScreen(output);
  const someoneIsThere = process.stdin.isTTY === true && process.stderr.isTTY === true;
  const interactive = options.login && !output.json && someoneIsThere;
  const tokens = await context.tokens({ interactive, ...(interactive && screen.options) });
  screen.watch(tokens);
  tokens.on("token_issued", () => screen.close());
  const request = { signal, timeout: NO_TIMEOUT_MS };
  const attempt = { transports, newClient, tokens, server, account: options.account, request };
  const waiting = new Waiting({ output, tokens, server, signal });
  let client: SdkClient | undefined;
  try {
    const what = `Connecting to ${new URL(server).host}`;
    client = await waiting.until(what, (givenUp) => connect(attempt, givenUp), CONNECTING_LIMIT_MS);
    return await work({ client, server, request, answer: (awaited, ask) => waiting.until(awaited, ask) });
  } catch (error) {
    throw inOurWords(error, server);
  } finally {
    screen.close();
    await client?.close();
  }
}
