// A host in a process of its own: gets one token over a store that it shares with others, and tells what happens.
import { createHash } from "node:crypto";
import { TokenManager } from "mcp-oauth-client";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";

/** What the program tells its parent. */
export type Report =
  | { selected: true }
  | { opened: string }
  | { tokenHash: string; issuer: string }
  | { failed: string };

const [directory = "", key = "", server = ""] = process.argv.slice(2);
const say = (report: Report): void => void process.send?.(report);

const tokens = new TokenManager({
  clientName: "Program",
  store: encryptedFileStore({ directory, key }),
  openBrowser: (url) => say({ opened: url.href }),
});
tokens.on("authorization_server_selected", () => say({ selected: true }));
try {
  const { accessToken, issuer } = await tokens.get(server);
  say({ tokenHash: createHash("sha256").update(accessToken.reveal()).digest("hex"), issuer });
} catch (error) {
  say({ failed: String(error) });
} finally {
  await tokens.close();
  process.disconnect();
}
