// What is good passes, also where a defence is gone: else a case would fail for another reason than its defence.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertOpenableUrl } from "mcp-oauth-client";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";
import { expect, it } from "vitest";
import { closing, startHost, startScripted } from "../flow/support/harness.ts";

it("control: a good server is signed in to, and its token is found again", async () => {
  const place = await mkdtemp(join(tmpdir(), "control-"));
  closing({ close: () => rm(place, { recursive: true, force: true }) });
  const open = () => encryptedFileStore({ key: new Uint8Array(32).fill(1), directory: join(place, "store") });
  const server = await startScripted({
    token: (_request, _usual, { json }) => json({ access_token: "good", token_type: "Bearer", expires_in: 3600 }),
  });
  const signedIn = await startHost({ store: open() }).tokens.signIn(server.mcpUrl);
  expect(signedIn.accessToken.reveal()).toBe("good");
  const found = await startHost({ store: open(), interactive: false }).tokens.get(server.mcpUrl);
  expect(found.accessToken.reveal()).toBe("good");
  expect(assertOpenableUrl("https://as.example.com/a?b=c").href).toBe("https://as.example.com/a?b=c");
});
