// What is told of sessions.
import { describe, expect, it } from "vitest";
import { requires } from "../../support/requires.ts";
import { startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { damageWhatIsWrittenBy, signIn, tooWide } from "./support/sign-in.ts";
import { openTerminal } from "./support/terminal.ts";

it("says that there is no session, where it looked, and how to get one", async () => {
  const home = await newHome();
  expect(await runCli(["status"], home)).toEqual({
    exitCode: 0,
    stdout: "No sessions.\n",
    stderr: "Looked in: encrypted file\nSign in: mcp-oauth login URL\n",
  });
  expect(jsonOf(await runCli(["status", "--json"], home))).toEqual({ sessions: [] });
  const url = "https://mcp.example.com/mcp?a=1&b=2";
  expect(await runCli(["status", url, "--account", "work"], home)).toEqual({
    exitCode: 3,
    stdout: `You are not signed in to ${url} (account work).\n`,
    stderr: `Looked in: encrypted file\nSign in: mcp-oauth login '${url}' --account work\n`,
  });
});

it("shows every session in its own block, or those of one server or account; exit code 0 and 3", async () => {
  const { as, mcp } = await startPair();
  const other = await startScripted({
    accessTokenSeconds: 90,
    tokenResponse: { refresh_token: undefined, scope: undefined },
  });
  const home = await newHome();
  await signIn(home, mcp.url);
  await signIn(home, mcp.url, "work");
  await signIn(home, other.mcpUrl);
  const { stdout, stderr, exitCode } = await runCli(["status"], home);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(tooWide(stdout)).toEqual([]);
  expect(stdout).not.toMatch(/eyJ/);
  const blocks = stdout.trimEnd().split("\n\n");
  expect(blocks).toHaveLength(3);
  const work = blocks.find((block) => block.includes("work"))?.split("\n");
  expect(work).toEqual([
    mcp.url.href,
    "  account     work",
    `  issuer      ${as.issuer}`,
    expect.stringMatching(/^ {2}client {6}\S+$/),
    "  scopes      mcp:tools",
    expect.stringMatching(/^ {2}signed in {3}(just now|\d+ seconds? ago)$/),
    "  expires     in 60 minutes",
    "  refresh     in 48 minutes, when it is used",
    "  stored      encrypted file",
  ]);
  const short = blocks.find((block) => block.startsWith(other.mcpUrl.href));
  expect(short).toMatch(/^ {2}expires {5}in \d+ seconds$/m);
  expect(short).toContain("  refresh     not possible: sign in again when it has expired");

  const servers = async (...args: string[]): Promise<unknown[]> =>
    jsonOf<{ sessions: { server: string; account: string }[] }>(
      await runCli(["status", "--json", ...args], home),
    ).sessions.map(({ server, account }) => `${account} ${server}`);
  expect(await servers(mcp.url.href)).toEqual([`default ${mcp.url.href}`, `work ${mcp.url.href}`]);
  expect(await servers("--account", "work")).toEqual([`work ${mcp.url.href}`]);
  expect((await runCli(["status", mcp.url.href], home)).exitCode).toBe(0);
  expect((await runCli(["status", other.mcpUrl.href, "--account", "work"], home)).exitCode).toBe(3);
});

it("sends nothing of what a server chose to the terminal that it would obey", async () => {
  const server = await startScripted({ tokenResponse: { scope: "mcp:tools \u001b[2J\u202egnp" } });
  const home = await newHome();
  await signIn(home, server.mcpUrl);
  const { stdout } = await runCli(["status"], home);
  expect(stdout).toContain("mcp:tools");
  expect(stdout.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);
});

it("tells of a session that cannot be read, and of sessions that cannot", async () => {
  const { mcp } = await startPair();
  const home = await newHome();
  await signIn(home, mcp.url);
  const MCP_OAUTH_CLIENT_KEY = Buffer.alloc(32, 7).toString("base64");
  const env = { ...home.env, MCP_OAUTH_CLIENT_KEY };
  const result = await runCli(["status", mcp.url.href, "--json"], { env });
  expect(result.exitCode).toBe(7);
  expect(result.stdout).toContain("store_unreadable");
  expect((await runCli(["status", mcp.url.href], { env })).exitCode).toBe(7);
});

it("shows what can be read beside what cannot, not even whose it is; exit code 7 where that may be what was asked for", async () => {
  const [one, other] = [await startScripted(), await startScripted()];
  const home = await newHome();
  await signIn(home, one.mcpUrl);
  await signIn(home, other.mcpUrl);
  await damageWhatIsWrittenBy(home, () => signIn(home, other.mcpUrl, "work"));
  const all = await runCli(["status"], home);
  expect(all.exitCode).toBe(7);
  expect(all.stdout).toMatch(/\nCredentials that cannot be read\n\n? {2}state +unreadable\n/);
  expect(all.stdout).toMatch(/records\/\S+\.record\s+cannot be read/);
  const { sessions } = jsonOf<{ sessions: { server: string; state: string }[] }>(
    await runCli(["status", "--json"], home),
  );
  expect(sessions.map(({ server, state }) => `${server} ${state}`).sort()).toEqual(
    [` unreadable`, `${one.mcpUrl.href} signed_in`, `${other.mcpUrl.href} signed_in`].sort(),
  );
  const found = await runCli(["status", one.mcpUrl.href], home);
  expect(found.exitCode).toBe(0);
  expect(found.stdout).not.toContain("cannot be read");
  const missed = await runCli(["status", other.mcpUrl.href, "--account", "work"], home);
  expect(missed.exitCode).toBe(7);
});

describe.runIf(requires("terminal"))("in a terminal", () => {
  it("is readable at 80 columns and at 40, with long scopes under one another", async () => {
    const scope = Array.from({ length: 12 }, (_, index) => `files:scope-number-${index}`).join(" ");
    const server = await startScripted({ tokenResponse: { scope } });
    const home = await newHome();
    await signIn(home, server.mcpUrl);
    for (const columns of [80, 40]) {
      const terminal = await openTerminal(["status"], { ...home, columns });
      await terminal.exitCode();
      const lines = (await terminal.screen()).split("\n");
      const scopes = lines.filter((line) => line.includes("files:scope-number"));
      expect(scopes.length).toBeGreaterThan(3);
      for (const line of scopes.slice(1)) expect(line).toMatch(/^ {14}files:/);
    }
  });
});
