// Sessions that are ended from the command line.
import { expect, it } from "vitest";
import { startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { damageWhatIsWrittenBy, signIn } from "./support/sign-in.ts";

it("revokes, removes, and says what the server did; a second time there is nothing to do", async () => {
  const { as, mcp } = await startPair();
  const home = await newHome();
  await signIn(home, mcp.url);
  expect(await runCli(["logout", mcp.url.href], home)).toEqual({
    exitCode: 0,
    stdout: `Signed out of ${mcp.url.href}\n  ${as.issuer} has revoked the tokens.\n`,
    stderr: "Signing out\n",
  });
  expect(as.log.count("POST", "/token/revocation")).toBe(2);
  const again = await runCli(["logout", mcp.url.href], home);
  expect(again).toMatchObject({ exitCode: 0, stdout: `You were not signed in to ${mcp.url.href}.\n` });
  expect((await runCli(["status", mcp.url.href], home)).exitCode).toBe(3);
});

it("says when the tokens stay good, and why: exit code 0 where the server has no revocation, 5 and 6 where it failed", async () => {
  const server = await startScripted({ metadata: { revocation_endpoint: undefined } });
  const home = await newHome();
  await signIn(home, server.mcpUrl);
  const unsupported = await runCli(["logout", server.mcpUrl.href], home);
  expect(unsupported).toMatchObject({ exitCode: 0 });
  expect(unsupported.stdout).toContain("offers no revocation: the tokens stay good until they expire.");
  server.options.metadata = {};
  for (const [status, exitCode, text] of [
    [400, 5, "did not revoke the tokens: they stay good until they expire."],
    [503, 5, "could not be reached: the tokens stay good until they expire."],
  ] as const) {
    await signIn(home, server.mcpUrl);
    server.options.revoke = (_request, _usual, { json }) => json({ error: "invalid_request" }, status);
    const result = await runCli(["logout", server.mcpUrl.href], home);
    expect(result.stdout).toContain(text);
    expect(result.exitCode).toBe(exitCode);
    expect((await runCli(["status", server.mcpUrl.href], home)).exitCode).toBe(3);
  }
});

it("ends with --all --account that account's sessions alone, on all servers", async () => {
  const [one, other] = [await startScripted(), await startScripted()];
  const home = await newHome();
  for (const { mcpUrl } of [one, other]) for (const account of ["default", "work"]) await signIn(home, mcpUrl, account);
  const ended = await runCli(["logout", one.mcpUrl.href, "--all", "--account", "work", "--json"], home);
  expect(jsonOf(ended).results).toMatchObject([{ server: one.mcpUrl.href, account: "work" }]);
  const rest = await runCli(["logout", "--all", "--account", "work", "--json"], home);
  expect(jsonOf(rest).results).toMatchObject([{ server: other.mcpUrl.href, account: "work" }]);
  const { sessions } = jsonOf<{ sessions: { account: string }[] }>(await runCli(["status", "--json"], home));
  expect(sessions.map(({ account }) => account)).toEqual(["default", "default"]);
});

it("says that it has removed what it could not read, and that its tokens stay good: exit code 7", async () => {
  const { mcpUrl, log } = await startScripted();
  const home = await newHome();
  await signIn(home, mcpUrl);
  const env = { ...home.env, MCP_OAUTH_CLIENT_KEY: Buffer.alloc(32, 7).toString("base64") };
  const { stdout, exitCode } = await runCli(["logout", mcpUrl.href], { env });
  expect(exitCode).toBe(7);
  expect(stdout).toContain(`Removed a session that could not be read: ${mcpUrl.href}\n`);
  expect(stdout).toContain("its tokens could not be revoked: they stay good until they expire.");
  expect(log.count("POST", "/revoke")).toBe(0);
  expect((await runCli(["status", mcpUrl.href], home)).exitCode).toBe(3);
});

it("tells of the session on the same address with another slash", async () => {
  const { mcpUrl } = await startScripted();
  const home = await newHome();
  await signIn(home, `${mcpUrl.href}/`);
  const { stdout, stderr, exitCode } = await runCli(["logout", mcpUrl.href], home);
  expect({ stdout, exitCode }).toEqual({ stdout: `You were not signed in to ${mcpUrl.href}.\n`, exitCode: 0 });
  expect(stderr).toContain(`You are signed in to ${mcpUrl.href}/; did you mean that?`);
});

it("ends the session of one account, all of a server, or all there are, and removes clients", async () => {
  const { as, mcp } = await startPair();
  const other = await startScripted();
  const home = await newHome();
  const left = async (): Promise<number> =>
    jsonOf<{ sessions: unknown[] }>(await runCli(["status", "--json"], home)).sessions.length;
  for (const account of ["default", "work", "home"]) await signIn(home, mcp.url, account);
  await signIn(home, other.mcpUrl);
  await runCli(["logout", mcp.url.href, "--account", "work"], home);
  expect(await left()).toBe(3);
  const result = await runCli(["logout", mcp.url.href, "--all", "--unregister", "--json"], home);
  const { results } = jsonOf<{ results: unknown[] }>(result);
  expect(results).toMatchObject([{ revocation: "revoked" }, { revocation: "revoked", registration: "removed" }]);
  expect(as.clientCount()).toBe(0);
  expect(await left()).toBe(1);
  expect((await runCli(["logout", "--all"], home)).stdout).toContain(`Signed out of ${other.mcpUrl.href}`);
  expect(await left()).toBe(0);
  expect(await runCli(["logout", "--all"], home)).toMatchObject({ exitCode: 0, stdout: "No sessions.\n" });
});

it("ends all sessions that can be read, and says what is left: exit code 7", async () => {
  const { as, mcp } = await startPair();
  const home = await newHome();
  await signIn(home, mcp.url);
  await damageWhatIsWrittenBy(home, () => signIn(home, mcp.url, "work"));
  const result = await runCli(["logout", "--all", "--json"], home);
  expect(result.exitCode).toBe(7);
  expect(jsonOf(result).results).toMatchObject([
    { server: mcp.url.href, account: "default", revocation: "revoked" },
    { server: "", account: "", revocation: "unreadable", error: { code: "store_unreadable" } },
  ]);
  expect(as.log.count("POST", "/token/revocation")).toBe(2);
  const { stdout } = await runCli(["logout", "--all"], home);
  expect(stdout).toContain("Left as they are: credentials that cannot be read\n");
});
