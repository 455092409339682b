import { McpOAuthError } from "../core/errors.ts";

/** The error for a paste flow without a way to paste. */
export function promptNeeded(): McpOAuthError {
  return new McpOAuthError(
    "invalid_configuration",
    'The flow "paste" needs the option prompt: a function that shows the address and returns what was pasted.',
  );
}
