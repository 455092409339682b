// Access tokens for scripts.
import { describe, expect, it } from "vitest";
import { type Clock, systemClock } from "../../../src/core/clock.ts";
import { requires } from "../../support/requires.ts";
import { startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { anySecret, keepKey, signIn } from "./support/sign-in.ts";
import { openTerminal } from "./support/terminal.ts";

it("shows what is known about the token, and the token itself only when asked", async () => {
  const { as, mcp } = await startPair();
  const home = await newHome();
  await signIn(home, mcp.url);
  const url = mcp.url.href;
  const described = await runCli(["token", url], home);
  expect(described.exitCode).toBe(0);
  expect(described.stdout.trimEnd().split("\n")).toEqual([
    `  server    ${url}`,
    "  account   default",
    `  issuer    ${as.issuer}`,
    "  type      Bearer",
    "  scopes    mcp:tools",
    "  expires   in 60 minutes",
  ]);
  expect(described.stdout + described.stderr).not.toMatch(anySecret);
  const data = await runCli(["token", url, "--json"], home);
  expect(Object.keys(jsonOf(data))).toEqual(["server", "account", "tokenType", "issuer", "scope", "expiresAt"]);
  expect(data.stdout).not.toMatch(anySecret);
  const revealed = await runCli(["token", url, "--reveal"], home);
  expect(revealed).toMatchObject({ exitCode: 0, stderr: "", stdout: expect.stringMatching(/^eyJ\S+\n$/) });
  const header = await runCli(["token", url, "--header"], home);
  expect(header.stdout).toBe(`Authorization: Bearer ${revealed.stdout}`);
  expect(jsonOf(await runCli(["token", url, "--json", "--reveal"], home)).accessToken).toBe(revealed.stdout.trim());
});

it("never asks anybody to sign in: exit code 3 and the command to type, without a request", async () => {
  const { mcp } = await startPair();
  const home = await newHome();
  const result = await runCli(["token", mcp.url.href, "--account", "work"], home);
  expect(result).toEqual({
    exitCode: 3,
    stdout: "",
    stderr: `Error: You are not signed in to ${mcp.url.href} (account work).\nSign in: mcp-oauth login ${mcp.url.href} --account work\n`,
  });
  expect(mcp.log.requests).toEqual([]);
});

/** Half an hour ago: of an hour that a token lives, half is left. */
const halfAnHourAgo = (): Clock => ({ ...systemClock, now: () => Date.now() - 30 * 60_000 });

it("refreshes the token that does not last as long as it has to", async () => {
  const server = await startScripted();
  const home = await newHome();
  await signIn(home, server.mcpUrl, "default", halfAnHourAgo());
  const args = ["token", server.mcpUrl.href, "--json", "--min-ttl"];
  await runCli([...args, "600"], home);
  expect(server.log.count("POST", "/token")).toBe(1);
  const asked = Date.now();
  const { expiresAt } = jsonOf<{ expiresAt: number }>(await runCli([...args, "2400"], home));
  expect(expiresAt).toBeGreaterThanOrEqual(asked + 2_400_000);
  expect(server.log.count("POST", "/token")).toBe(2);
});

it("hands out no token that does not last as long as it has to, where none does: exit code 1", async () => {
  const server = await startScripted();
  const home = await newHome();
  await signIn(home, server.mcpUrl);
  const args = ["token", server.mcpUrl.href, "--min-ttl", "86400"];
  const refused = await runCli([...args, "--reveal"], home);
  expect(refused).toMatchObject({ exitCode: 1, stdout: "" });
  expect(refused.stderr).toContain("expires in 60 minutes, and none is to be had that is good for 86400 s.");
  expect(jsonOf(await runCli([...args, "--json", "--reveal"], home)).error).toMatchObject({ code: "min_ttl" });
});

it("tells of the session on the same address with another slash", async () => {
  const { mcpUrl } = await startScripted();
  const home = await newHome();
  await signIn(home, mcpUrl);
  const result = await runCli(["token", `${mcpUrl.href}/`], home);
  expect(result).toMatchObject({ exitCode: 3, stdout: "" });
  expect(result.stderr).toContain(`You are signed in to ${mcpUrl.href}; did you mean that?`);
});

it("exit code 3 with the reason when the session has ended", async () => {
  const server = await startScripted();
  const home = await newHome();
  await signIn(home, server.mcpUrl, "default", halfAnHourAgo());
  server.refreshTokens.clear();
  const { stderr, exitCode } = await runCli(["token", server.mcpUrl.href, "--min-ttl", "2400"], home);
  expect(exitCode).toBe(3);
  expect(stderr).toContain(`Sign in: mcp-oauth login ${server.mcpUrl.href}`);
});

it("says of a token that is bound to a key that it is of no use by itself", async () => {
  const { mcp } = await startPair({ features: { dpop: true } }, { dpop: "required" });
  const home = await newHome();
  await signIn(home, mcp.url);
  const described = await runCli(["token", mcp.url.href], home);
  expect(described.stdout).toContain("  type      DPoP");
  expect(described.stderr).toContain("bound to a key (DPoP, RFC 9449) and is of no use by itself");
  expect(await runCli(["token", mcp.url.href, "--header"], home)).toMatchObject({ exitCode: 1, stdout: "" });
});

it("prints a key behind the name of the header that carries it", async () => {
  const url = "https://mcp.example.com/mcp";
  const home = await newHome();
  await keepKey(home, url, "a-key", "X-API-Key");
  expect(await runCli(["token", url, "--header"], home)).toEqual({
    exitCode: 0,
    stdout: "X-API-Key: a-key\n",
    stderr: "",
  });
  expect((await runCli(["token", url], home)).stdout).toContain("  header    X-API-Key\n");
  expect(jsonOf(await runCli(["token", url, "--json"], home))).toMatchObject({ header: "X-API-Key" });
  await keepKey(home, url, "a-key");
  expect((await runCli(["token", url, "--header"], home)).stdout).toBe("Authorization: Bearer a-key\n");
});

describe.runIf(requires("terminal"))("in a terminal", () => {
  it("does not put the token on the screen by --header alone", async () => {
    const { mcp } = await startPair();
    const home = await newHome();
    await signIn(home, mcp.url);
    const terminal = await openTerminal(["token", mcp.url.href, "--header"], home);
    expect(await terminal.exitCode()).toBe(2);
    expect(await terminal.everything()).not.toMatch(anySecret);
    const revealing = await openTerminal(["token", mcp.url.href, "--header", "--reveal"], home);
    expect(await revealing.exitCode()).toBe(0);
    expect(await revealing.everything()).toContain("Authorization: Bearer eyJ");
  });
});
