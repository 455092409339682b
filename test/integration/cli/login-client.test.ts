// Signing in from the command line with a client that was registered by hand.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { startPair } from "../flow/support/real-servers.ts";
import { newDesktop } from "./support/desktop.ts";
import { runCli } from "./support/run-cli.ts";

const registered = { client_id: "by-hand", redirect_uris: ["http://127.0.0.1/callback"], application_type: "native" };
const publicClient = { ...registered, token_endpoint_auth_method: "none" };
const confidential = {
  ...registered,
  client_secret: "the-secret-of-the-client",
  token_endpoint_auth_method: "client_secret_basic",
};

it("uses a public one at the authorization server that the server names, and says so", async () => {
  const { as, mcp } = await startPair({ registration: false, clients: [publicClient] });
  const desktop = await newDesktop();
  const none = await runCli(["login", mcp.url.href], desktop);
  expect(none.exitCode).toBe(5);
  expect(none.stderr).toContain(`mcp-oauth login ${mcp.url.href} --client-id ID`);
  const { stderr, exitCode } = await runCli(["login", mcp.url.href, "--client-id", "by-hand"], desktop);
  expect(exitCode, stderr).toBe(0);
  expect(stderr).toContain(`The client by-hand is used at ${as.issuer}, which ${mcp.url.href} names.`);
});

it("does not use it elsewhere than where --issuer says", async () => {
  const { mcp } = await startPair({ clients: [publicClient], registration: false });
  const args = ["login", mcp.url.href, "--client-id", "by-hand", "--issuer", "https://auth.example.com"];
  const desktop = await newDesktop();
  expect((await runCli(args, desktop)).exitCode).toBe(2);
  expect(desktop.browser.visited).toEqual([]);
});

it("sends a secret, from a file, stdin or the environment, only to an issuer that was named", async () => {
  const { as, mcp } = await startPair({ clients: [confidential] });
  const desktop = await newDesktop();
  const file = join(desktop.folder, "secret");
  await writeFile(file, "the-secret-of-the-client\n");
  const args = ["login", mcp.url.href, "--client-id", "by-hand"];
  const fromFile = [...args, "--client-secret-file", file];
  const unnamed = await runCli(fromFile, desktop);
  expect(unnamed.exitCode).toBe(2);
  expect(unnamed.stderr).toContain(`add: --issuer ${as.issuer}`);
  expect(as.log.count("POST", "/token")).toBe(0);
  const issuer = ["--issuer", as.issuer];
  const environment = { ...desktop.env, MCP_OAUTH_CLIENT_SECRET: "the-secret-of-the-client" };
  for (const { exitCode, stdout, stderr } of [
    await runCli([...fromFile, ...issuer], desktop),
    await runCli([...args, "--client-secret-file", "-", ...issuer], {
      ...desktop,
      stdin: "the-secret-of-the-client",
    }),
    await runCli([...args, ...issuer], { env: environment }),
  ]) {
    expect(exitCode, stderr).toBe(0);
    expect(stdout + stderr).not.toContain("the-secret-of-the-client");
  }
  expect(as.log.count("POST", "/reg")).toBe(0);
});
