import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import type { SdkTransports } from "./transport.ts";

/** A tool, as a server describes it. Nothing in it has been checked. */
export interface Tool {
  readonly name: string;
  readonly title?: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
}

export interface ToolResult {
  readonly content?: readonly unknown[];
  readonly structuredContent?: unknown;
  readonly isError?: boolean;
}

export interface CallOptions {
  readonly signal: AbortSignal;
  /** Milliseconds until a request is given up. */
  readonly timeout: number;
}

/** A client of either SDK, as far as it is used here. */
export interface SdkClient {
  connect(transport: unknown, options: CallOptions): Promise<void>;
  listTools(
    params: { cursor?: string },
    options: CallOptions,
  ): Promise<{ tools: readonly Tool[]; nextCursor?: string | undefined }>;
  callTool(call: { name: string; arguments: Record<string, unknown> }, options: CallOptions): Promise<ToolResult>;
  getServerVersion(): { name: string; version: string } | undefined;
  close(): Promise<void>;
}

/** What the packages are called; the second version comes first. */
const SECOND = "@modelcontextprotocol/client";
const FIRST = "@modelcontextprotocol/sdk";

/** Loads what is installed beside this package; `undefined` when it is not there. */
async function ifInstalled<Loaded>(name: string, load: () => Promise<Loaded>): Promise<Loaded | undefined> {
  try {
    return await load();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // Another package that is missing means that the SDK is there and broken.
    if (code === "ERR_MODULE_NOT_FOUND" && message.includes(`'${name}'`)) return undefined;
    throw error;
  }
}

/** The part of a command line that brings an SDK along without installing anything. */
export const NPX_WITH_SDK: readonly string[] = ["-y", "-p", "mcp-oauth-client", "-p", SECOND, "mcp-oauth"];

function sdkMissing(commandLine: string): CommandFailed {
  const install = `npm install ${SECOND}`;
  const run = `npx ${NPX_WITH_SDK.join(" ")} ${commandLine}`;
  return new CommandFailed(
    "This command talks MCP with the official SDK, and none is installed beside mcp-oauth-client.",
    exitCodes.failure,
    {
      code: "sdk_missing",
      install,
      run,
      hint: `Add it:\n  $ ${install}\nor run without installing anything:\n  $ ${run}`,
    },
  );
}

/**
 * The transports of the SDK that is installed beside this package.
 *
 * @param commandLine what was typed behind `mcp-oauth`, for the message.
 * @throws CommandFailed when there is none, with the line that brings it along.
 */
export async function loadTransports(commandLine: string): Promise<SdkTransports> {
  const second = await ifInstalled(SECOND, () => import("@modelcontextprotocol/client"));
  if (second !== undefined) return second as unknown as SdkTransports;
  const first = await ifInstalled(FIRST, async () => ({
    ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")),
    ...(await import("@modelcontextprotocol/sdk/client/sse.js")),
  }));
  if (first === undefined) throw sdkMissing(commandLine);
  return first as unknown as SdkTransports;
}

/** A maker of clients of the SDK that is installed beside this package. @throws as {@link loadTransports}. */
export async function loadClient(commandLine: string, version: string): Promise<() => SdkClient> {
  const name = { name: "mcp-oauth", version };
  const second = await ifInstalled(SECOND, () => import("@modelcontextprotocol/client"));
  if (second !== undefined) {
    return () => new second.Client(name, { versionNegotiation: { mode: "auto" } }) as unknown as SdkClient;
  }
  const first = await ifInstalled(FIRST, () => import("@modelcontextprotocol/sdk/client/index.js"));
  if (first === undefined) throw sdkMissing(commandLine);
  return () => {
    const client = new first.Client(name);
    const call = client.callTool.bind(client);
    // In the first version a schema stands between the call and its options.
    const callTool: SdkClient["callTool"] = async (request, options) =>
      (await call(request, undefined, options)) as ToolResult;
    return Object.assign(client, { callTool }) as unknown as SdkClient;
  };
}
