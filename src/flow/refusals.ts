import { McpOAuthError } from "../core/errors.ts";
import { quoted } from "../core/text.ts";
import { type Credential, isStaticCredential } from "../tokens/credential.ts";

/** The error for a server that refuses even what was got for it just now. */
export function tokenRejected(server: string, used: Credential | undefined): McpOAuthError {
  if (used !== undefined && isStaticCredential(used)) {
    const message = `${server} refuses the key that was stored for it. Store another with setToken, or sign out and sign in.`;
    return new McpOAuthError("token_rejected", message, { server, status: 401 });
  }
  return new McpOAuthError(
    "token_rejected",
    `${server} refuses the token that ${used?.issuer ?? "its authorization server"} has just issued for it. Trying again would be a loop; ` +
      "report it to the server's operator, or call signIn to start over.",
    { server, status: 401, ...(used !== undefined && { issuer: used.issuer }) },
  );
}

/** The error for a caller that wants a token for a server which was not seen to ask for one. */
export function notAskedForToken(server: string, redirectedTo: string | undefined): McpOAuthError {
  const reason =
    redirectedTo === undefined
      ? "does not ask for authorization, so there is no token for it. Call signIn to get one all the same."
      : `redirects to ${quoted(redirectedTo)}, which is not followed here, so nobody knows whether it asks for authorization. ` +
        "Use the address that it leads to, or call signIn.";
  return new McpOAuthError("sign_in_required", `${server} ${reason}`, { server });
}

/** The error for scopes that a server wants and that cannot be had. */
export function scopesNotGranted(server: string, requiredScope: string | undefined): McpOAuthError {
  return new McpOAuthError(
    "insufficient_scope",
    `${server} wants scopes that were asked for and not granted${requiredScope === undefined ? "" : ` (${quoted(requiredScope)})`}. ` +
      "Ask for the permission at its operator, or call signIn to ask again.",
    { server, status: 403, ...(requiredScope !== undefined && { requiredScope }) },
  );
}
