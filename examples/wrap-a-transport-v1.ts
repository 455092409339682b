// A host with @modelcontextprotocol/sdk 1.x: one option of its transport, and it can use protected servers.
//
//   wrap-a-transport-v1 https://mcp.example.com/mcp
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { findMcpOAuthError, TokenManager } from "mcp-oauth-client";

const url = new URL(process.argv[2] ?? "http://127.0.0.1:3000/mcp");

const tokens = new TokenManager({ clientName: "Example" });
tokens.on("authorization_server_selected", ({ server, authorizationServer }) => {
  console.log(`${server} wants a sign-in at ${authorizationServer}`);
});
tokens.on("sign_in_started", () => console.log("A sign-in has started. Please finish it."));
tokens.on("store_selected", ({ store, reason }) => console.log(`Tokens are kept in: ${store} (${reason})`));

const client = new Client({ name: "example", version: "1.0.0" });
try {
  const transport = new StreamableHTTPClientTransport(url, { fetch: tokens.fetch(url) });
  // The first time this waits for the sign-in; later on the stored token is used, and refreshed when it is due. Without
  // the timeout the SDK gives up after 60 seconds, which is short for somebody who has to sign in.
  await client.connect(transport, { timeout: 300_000 });
  const { tools } = await client.listTools();
  console.log(`Connected. The server has ${tools.length} tools: ${tools.map((tool) => tool.name).join(", ")}`);
} catch (error) {
  // An SDK may wrap what went wrong; the message says what to do.
  console.error(findMcpOAuthError(error)?.message ?? error);
  process.exitCode = 1;
} finally {
  await client.close();
  await tokens.close();
}
