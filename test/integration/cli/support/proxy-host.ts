// A host that knows only stdio servers: the official SDKs' stdio clients, which start the built program as any host does.
import * as v2 from "@modelcontextprotocol/client";
import { StdioClientTransport as StdioV2 } from "@modelcontextprotocol/client/stdio";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as StdioV1 } from "@modelcontextprotocol/sdk/client/stdio.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";
import { closing } from "../../flow/support/harness.ts";
import { type CliEnvironment, cliPath } from "./run-cli.ts";

export type HostKind = "SDK v1" | "SDK v2" | "SDK v2 on the 2026-07-28 wire";

export interface CallOptions {
  readonly signal?: AbortSignal;
  readonly onprogress?: (progress: { progress: number }) => void;
}

export interface ProxyHost {
  /** The client itself, for what has no name here. */
  readonly client: v2.Client | ClientV1;
  /** What the program has written to stderr. */
  stderr(): string;
  toolNames(): Promise<string[]>;
  /** Calls a tool and gives its text. */
  call(tool: string, input?: Record<string, unknown>, options?: CallOptions): Promise<string>;
  /** How often the server has said that its tools changed. */
  readonly toolChanges: () => number;
  readonly pid: number;
  close(): Promise<void>;
}

export interface ProxyHostOptions {
  readonly kind: HostKind;
  readonly env: CliEnvironment;
  /** What the program is called with. */
  readonly args: readonly string[];
  /** Another program than the one that was built here. */
  readonly program?: readonly [command: string, ...args: string[]];
  /** Where it is started. Default: here. */
  readonly cwd?: string;
}

/** What this host answers where a server asks it. */
const SAMPLE = { model: "test", role: "assistant", content: { type: "text", text: "sampled" } } as const;
const ELICITED = { action: "accept", content: { answer: "elicited" } } as const;
const ROOTS = { roots: [{ uri: "file:///root", name: "root" }] };
const CAPABILITIES = { sampling: {}, elicitation: {}, roots: { listChanged: true } };

function textOf(result: unknown): string {
  return (result as { content: { text: string }[] }).content[0]?.text ?? "";
}

/** Starts the program and connects to it. */
export async function startProxyHost({ kind, env, args, program, cwd }: ProxyHostOptions): Promise<ProxyHost> {
  const [command, ...before] = program ?? [process.execPath, cliPath, "proxy"];
  const stdio: StdioParameters = { command, args: [...before, ...args], env, stderr: "pipe", ...(cwd && { cwd }) };
  return closing(kind === "SDK v1" ? await hostV1(stdio) : await hostV2(kind, stdio));
}

type StdioParameters = ConstructorParameters<typeof StdioV1>[0];

function gather(stream: { on(event: "data", listener: (chunk: Buffer) => void): unknown } | null): () => string {
  let text = "";
  stream?.on("data", (chunk) => {
    text += chunk;
  });
  return () => text;
}

async function hostV1(parameters: StdioParameters): Promise<ProxyHost> {
  const client = new ClientV1({ name: "host", version: "1" }, { capabilities: CAPABILITIES });
  client.setRequestHandler(CreateMessageRequestSchema, () => SAMPLE);
  client.setRequestHandler(ElicitRequestSchema, () => ELICITED);
  client.setRequestHandler(ListRootsRequestSchema, () => ROOTS);
  let changes = 0;
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
    changes += 1;
  });
  const transport = new StdioV1(parameters);
  const stderr = gather(transport.stderr);
  await client.connect(transport).catch((error: unknown) => {
    throw Object.assign(error as Error, { stderr: stderr() });
  });
  return {
    client,
    stderr,
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, input, options) => textOf(await client.callTool({ name, arguments: input }, undefined, options)),
    toolChanges: () => changes,
    pid: transport.pid ?? 0,
    close: () => client.close(),
  };
}

async function hostV2(kind: HostKind, parameters: StdioParameters): Promise<ProxyHost> {
  const modern = kind !== "SDK v2";
  const negotiation = modern ? { versionNegotiation: { mode: "auto" as const } } : {};
  const client = new v2.Client({ name: "host", version: "1" }, { capabilities: CAPABILITIES, ...negotiation });
  client.setRequestHandler("sampling/createMessage", () => SAMPLE);
  client.setRequestHandler("elicitation/create", () => ELICITED);
  client.setRequestHandler("roots/list", () => ROOTS);
  let changes = 0;
  client.setNotificationHandler("notifications/tools/list_changed", () => {
    changes += 1;
  });
  const transport = new StdioV2(parameters);
  const stderr = gather(transport.stderr as never);
  await client.connect(transport).catch((error: unknown) => {
    throw Object.assign(error as Error, { stderr: stderr() });
  });
  return {
    client,
    stderr,
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, input, options) =>
      textOf(await client.callTool({ name, ...(input && { arguments: input }) }, options)),
    toolChanges: () => changes,
    pid: transport.pid ?? 0,
    close: () => client.close(),
  };
}
