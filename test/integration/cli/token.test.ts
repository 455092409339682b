// Access tokens for scripts.
import { describe, expect, it } from "vitest";
import { requires } from "../../support/requires.ts";
import { startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { anySecret, signIn } from "./support/sign-in.ts";
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

it("refreshes the token that does not last as long as it has to", async () => {
  // A tenth of its life is left to clocks that differ, so after a moment it is good for less than 8 s.
  const server = await startScripted({ accessTokenSeconds: 9 });
  const home = await newHome();
  await signIn(home, server.mcpUrl);
  const args = ["token", server.mcpUrl.href, "--min-ttl", "8", "--json"];
  const asked = Date.now();
  const { expiresAt } = jsonOf<{ expiresAt: number }>(await runCli(args, home));
  expect(expiresAt).toBeGreaterThanOrEqual(asked + 8000);
  expect(server.log.count("POST", "/token")).toBe(2);
});

it("exit code 3 with the reason when the session has ended", async () => {
  // A tenth of its life is left to clocks that differ, so after a moment it is good for less than 8 s.
  const server = await startScripted({ accessTokenSeconds: 9 });
  const home = await newHome();
  await signIn(home, server.mcpUrl);
  server.refreshTokens.clear();
  const { stderr, exitCode } = await runCli(["token", server.mcpUrl.href, "--min-ttl", "8"], home);
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
