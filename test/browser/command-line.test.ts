// `mcp-oauth login` with the browser that people have: the program opens it, the person types and presses.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newHome, startCli } from "../integration/cli/support/run-cli.ts";
import { closing } from "../integration/flow/support/harness.ts";
import { startPair } from "../integration/flow/support/real-servers.ts";
import { startBetterAuthServer } from "../servers/better-auth-server.ts";
import { type RunningChromium, startChromium } from "../servers/chromium.ts";
import { startPlayedBrowser } from "../support/played-browser.ts";
import { requires } from "../support/requires.ts";

describe.runIf(requires("chromium"))("a person signs in from the command line", () => {
  let chromium: RunningChromium;

  beforeAll(async () => {
    chromium = await startChromium();
  });
  afterAll(() => chromium.close());

  /** Runs the program with a fresh browser that it opens. */
  async function login(url: URL, ...args: string[]): Promise<{ page: Page; run: ReturnType<typeof startCli> }> {
    const context = closing(await chromium.browser.newContext());
    const page = await context.newPage();
    const open = (address: string): void => void page.goto(address).catch(() => undefined);
    const browser = closing(await startPlayedBrowser({ open }));
    const home = await newHome();
    return { page, run: startCli(["login", url.href, ...args], { env: { ...home.env, ...browser.env } }) };
  }

  async function logIn(page: Page): Promise<void> {
    await page.getByLabel("User name").fill("bob");
    await page.getByLabel("Password").fill("secret");
    await page.getByRole("button", { name: "Sign in" }).click();
  }

  it("at oidc-provider: the program is done when the page says so", async () => {
    const { mcp } = await startPair();
    const { page, run } = await login(mcp.url, "--client-name", "Acme Agent");
    await logIn(page);
    expect(await page.getByRole("main").innerText()).toContain("Acme Agent");
    await page.getByRole("button", { name: "Allow" }).click();
    await page.getByRole("heading", { level: 1, name: "You are signed in" }).waitFor();
    const { stdout, exitCode, stderr } = await run.ended;
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain(`Signed in to ${mcp.url.href}`);
  });

  it("the person says no: exit code 4", async () => {
    const { mcp } = await startPair();
    const { page, run } = await login(mcp.url);
    await logIn(page);
    await page.getByRole("button", { name: "Deny" }).click();
    await page.getByRole("heading", { level: 1, name: "Access was not granted" }).waitFor();
    expect((await run.ended).exitCode).toBe(4);
  });

  it("at better-auth, with a code that is entered on its page", async () => {
    const server = closing(await startBetterAuthServer());
    const { page, run } = await login(server.url, "--device");
    const code = (await run.printed(/code: +\S+/)).replace(/code: +/, "");
    await page.goto(await run.printed(/^http:\S+\/device$/m));
    await page.getByLabel("Code").fill(code);
    await page.getByRole("button", { name: "Continue" }).click();
    await logIn(page);
    await page.getByRole("button", { name: "Allow" }).click();
    const { stdout, exitCode, stderr } = await run.ended;
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain(`Signed in to ${server.url.href}`);
  });
});
