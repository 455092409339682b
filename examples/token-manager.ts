// The token manager by itself, for programs that make their own requests.
//
//   token-manager https://mcp.example.com/mcp
import { McpOAuthError, TokenManager } from "mcp-oauth-client";

const url = process.argv[2] ?? "http://127.0.0.1:3000/mcp";

const tokens = new TokenManager({ clientName: "Example" });
tokens.on("sign_in_started", () => console.log("A sign-in has started. Please finish it."));

try {
  // From memory, else from the store, else refreshed, else by a sign-in.
  const { accessToken, expiresAt, scope, issuer } = await tokens.get(url, { minTtlSeconds: 30 });
  console.log(`A token by ${issuer} for: ${scope}`);
  if (expiresAt !== undefined) console.log(`It expires at ${new Date(expiresAt).toISOString()}`);
  console.log(`It does not end up in logs by accident: ${accessToken}`);

  // In the place of the global fetch: it puts the token on the request, of whatever kind it is.
  const authorizedFetch = tokens.fetch(url);
  const response = await authorizedFetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: initializeParams() }),
  });
  console.log(`The server answers ${response.status}`);

  // Revoked at the authorization server, then removed here.
  for (const { server, revocation } of await tokens.signOut(url)) console.log(`Signed out of ${server}: ${revocation}`);
} catch (error) {
  console.error(error instanceof McpOAuthError ? error.message : error);
  process.exitCode = 1;
} finally {
  await tokens.close();
}

function initializeParams(): object {
  return { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "example", version: "1.0.0" } };
}
