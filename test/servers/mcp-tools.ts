// What the tools of the protected MCP servers do, without either SDK's types: both bind the same functions.
import { z } from "zod";

export interface ToolCaller {
  subject: string | undefined;
  clientId: string | undefined;
  scopes: string[];
}

export interface ToolResult {
  [key: string]: unknown;
  content: { type: "text"; text: string }[];
}

interface ToolInputs {
  echo: { text: z.ZodString };
  count: { to: z.ZodNumber };
  slow: { ms: z.ZodNumber };
}

export const toolInputs: ToolInputs = {
  echo: { text: z.string() },
  count: { to: z.number().int().min(1).max(10_000) },
  slow: { ms: z.number().int().min(0).max(60_000) },
};

/** Checked before the SDK sees the call, because the answer is an HTTP 403 and not a tool error. */
export const scopeOfTool: Readonly<Record<string, string>> = { admin: "mcp:admin" };

export function echo(text: string): ToolResult {
  return textResult(text);
}

export function whoami(caller: ToolCaller): ToolResult {
  return textResult(JSON.stringify(caller));
}

export function admin(): ToolResult {
  return textResult("done, as an administrator");
}

/** Reports each step on the response stream before the result. */
export async function count(to: number, report: (progress: number) => Promise<void>): Promise<ToolResult> {
  for (let step = 1; step <= to; step += 1) await report(step);
  return textResult(`counted to ${to}`);
}

/** Ends early when the client goes away, so that no timer outlives a test. */
export async function slow(ms: number, signal: AbortSignal): Promise<ToolResult> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
  return textResult(`waited ${ms} ms`);
}

function textResult(text: string): ToolResult {
  return { content: [{ type: "text", text }] };
}
