import type { McpOAuthError } from "../core/errors.ts";

/** An error of the library as it stands in `--json` output. It carries no secret: errors never do. */
export function errorAsData(error: McpOAuthError): Record<string, unknown> {
  const { code, message, server, issuer, oauthError, status, requiredScope, retryAfterMs } = error;
  return { code, message, server, issuer, oauthError, status, requiredScope, retryAfterMs };
}
