import { inspect } from "node:util";
import { expect } from "vitest";
import { McpOAuthError } from "../../src/core/errors.ts";

export { shown } from "./shown.ts";

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
