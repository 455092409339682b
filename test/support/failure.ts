import { inspect } from "node:util";
import { expect } from "vitest";
import { McpOAuthError } from "../../src/core/errors.ts";

/** The error that something fails with, which must be one of this library's. */
export async function failureOf(attempt: Promise<unknown> | (() => unknown)): Promise<McpOAuthError> {
  const error = await thrownBy(attempt);
  if (!(error instanceof McpOAuthError)) expect.fail(`not a McpOAuthError: ${inspect(error)}`);
  return error as McpOAuthError;
}

async function thrownBy(attempt: Promise<unknown> | (() => unknown)): Promise<unknown> {
  try {
    await (typeof attempt === "function" ? attempt() : attempt);
  } catch (error) {
    return error;
  }
  return "nothing was thrown";
}

/** Everything that a log could show of a value: inspected with all that hangs on it, as JSON and as text. */
export function shown(value: unknown): string {
  const { stack, cause } = value instanceof Error ? value : { stack: "", cause: undefined };
  const asJson = JSON.stringify(value) ?? "";
  return [inspect(value, { depth: 20, showHidden: true }), asJson, String(value), stack, cause && shown(cause)].join(
    "\n",
  );
}
