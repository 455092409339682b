// Signing in from the command line in a terminal of 80 x 24.
import { readdir } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.ts";
import { startBetterAuthServer } from "../../servers/better-auth-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { requires } from "../../support/requires.ts";
import { closing, startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { newDesktop, sessionsOf } from "./support/desktop.ts";
import { newHome, startCli } from "./support/run-cli.ts";
import { anySecret, signIn } from "./support/sign-in.ts";
import { openTerminal } from "./support/terminal.ts";

describe.runIf(requires("terminal"))("in a terminal of 80 x 24", () => {
  it("waits with a spinner, and leaves the cursor and a clean screen", async () => {
    const { mcp } = await startPair();
    const desktop = await newDesktop({ open: (address) => void opened.push(address) });
    const opened: string[] = [];
    const terminal = await openTerminal(["login", mcp.url.href], desktop);
    await terminal.shows(/^[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] Waiting for you to sign in there/m);
    expect(await terminal.hasCursor()).toBe(false);
    await expect.poll(() => opened).toHaveLength(1);
    await new UserAgent().open(opened[0]!);
    expect(await terminal.exitCode()).toBe(0);
    expect(await terminal.hasCursor()).toBe(true);
    const screen = await terminal.everything();
    expect(screen).not.toContain("Waiting");
    expect(screen).toContain(`Signed in to ${mcp.url.href}\n\n  account   default`);
    expect(screen).not.toMatch(anySecret);
  });

  it("says that another sign-in may have to end first, and goes on when it has", async () => {
    const { mcp } = await startPair();
    const { env } = await newDesktop({ open: () => undefined });
    const first = await openTerminal(["login", mcp.url.href], { env });
    await first.shows("Waiting for you to sign in there");
    const second = await openTerminal(["login", mcp.url.href], { env });
    await second.shows("or for another sign-in to this server to end");
    await first.press("C-c");
    await second.shows("Waiting for you to sign in there");
  });

  it("takes the address of the page that the browser ended on", async () => {
    const { mcp } = await startPair();
    const home = await newHome();
    const terminal = await openTerminal(["login", mcp.url.href, "--paste"], home);
    const address = new URL(await terminal.shows(/http:\S+\/auth\?\S+/));
    await terminal.shows("Address:");
    // The browser is on another machine: nothing listens there, and the person copies where it ended.
    const { host } = new URL(address.searchParams.get("redirect_uri")!);
    let ended = "";
    const elsewhere = new UserAgent({ onRequest: ({ url }) => new URL(url).host === host && stop(url) });
    const stop = (url: string): never => {
      ended = url;
      throw new Error("nothing listens on that machine");
    };
    await elsewhere.open(address).catch(() => undefined);
    await terminal.type("nonsense");
    await terminal.press("Enter");
    await terminal.shows("That did not work");
    await terminal.type(ended);
    await terminal.press("Enter");
    expect(await terminal.exitCode()).toBe(0);
    expect(await terminal.everything()).toContain(`Signed in to ${mcp.url.href}`);
  });

  it("shows a QR code for another device, all of it at once: better-auth", async () => {
    const server = closing(await startBetterAuthServer());
    const terminal = await openTerminal(["login", server.url.href, "--device"], await newHome());
    await terminal.shows("Waiting for the code to be entered");
    const screen = await terminal.screen();
    expect(screen).toMatch(/[▀▄█]{20}/);
    expect(screen).toContain(`mcp-oauth wants to sign in to ${server.url.href}`);
    const [, code = ""] = screen.match(/The code is (\S+) and ends/) ?? [];
    const [address = ""] = screen.match(/^http:\S+$/m) ?? [];
    await new UserAgent().enterUserCode(address, code);
    expect(await terminal.exitCode()).toBe(0);
    expect(await terminal.everything()).toContain(`Signed in to ${server.url.href}`);
  });

  it("Ctrl-C while it waits: nothing is left, neither a listener nor a session, and the cursor is there", async () => {
    const { as, mcp } = await startPair();
    const opened: string[] = [];
    const desktop = await newDesktop({ open: (address) => void opened.push(address) });
    const terminal = await openTerminal(["login", mcp.url.href], desktop);
    await terminal.shows("Waiting for you to sign in there");
    await expect.poll(() => opened).toHaveLength(1);
    await terminal.press("C-c");
    expect(await terminal.exitCode()).toBe(130);
    expect(await terminal.everything()).toMatch(/Interrupted\.$/);
    expect(await terminal.hasCursor()).toBe(true);
    const redirectUri = new URL(opened[0]!).searchParams.get("redirect_uri")!;
    await expect(fetch(redirectUri)).rejects.toThrow();
    expect(await sessionsOf(desktop)).toEqual([]);
    const files = await readdir(desktop.folder, { recursive: true });
    expect(files.filter((file) => /\.(tmp|lock)$|~$/.test(file))).toEqual([]);
    expect(as.log.count("POST", "/token")).toBe(0);
  });

  it("Ctrl-C while it asks for an address", async () => {
    const { mcp } = await startPair();
    const terminal = await openTerminal(["login", mcp.url.href, "--paste"], await newHome());
    await terminal.shows("Address:");
    await terminal.press("C-c");
    expect(await terminal.exitCode()).toBe(130);
    expect(await terminal.everything()).toMatch(/Address: \nInterrupted\.$/);
  });
});

it("ends at the second Ctrl-C when a refresh is under way, which the first lets finish", async () => {
  const server = await startScripted();
  const home = await newHome();
  // Of an hour that the token lives, half is left.
  await signIn(home, server.mcpUrl, "default", { ...systemClock, now: () => Date.now() - 30 * 60_000 });
  server.options.token = (request, _usual, helpers) => helpers.hang(request);
  const run = startCli(["token", server.mcpUrl.href, "--min-ttl", "2400"], home);
  await expect.poll(() => server.log.count("POST", "/token"), { timeout: 10_000 }).toBe(2);
  run.process.kill("SIGINT");
  await run.printed("Interrupted.");
  await run.printed("Ctrl-C again ends it at once.");
  expect(run.process.exitCode).toBeNull();
  run.process.kill("SIGINT");
  expect((await run.ended).exitCode).toBe(130);
});
