// A person's path through a real browser: the library opens the sign-in, the person types and presses, the tool answers.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { findMcpOAuthError, TokenManager } from "mcp-oauth-client";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startAuthorizationServer } from "../servers/authorization-server.ts";
import { startBetterAuthServer } from "../servers/better-auth-server.ts";
import { type RunningChromium, startChromium } from "../servers/chromium.ts";
import { startProtectedMcpServer } from "../servers/protected-mcp-server.ts";
import { requires } from "../support/requires.ts";

const SIZES = { desktop: { width: 1280, height: 800 }, mobile: { width: 375, height: 667 } };

describe.runIf(requires("chromium"))("a person signs in", () => {
  /** Named by whoever wants to look at the pages; the screenshots are otherwise gone after the test. */
  const keptScreenshots = process.env.SCREENSHOTS;
  const cleanups: (() => unknown)[] = [];
  let screenshots: string;
  let chromium: RunningChromium;
  let page: Page;

  beforeAll(async () => {
    screenshots = keptScreenshots ?? (await mkdtemp(join(tmpdir(), "sign-in-screenshots-")));
    chromium = await startChromium();
  });
  afterAll(async () => {
    await chromium.close();
    if (keptScreenshots === undefined) await rm(screenshots, { recursive: true });
  });
  beforeEach(async () => {
    // A browser ignores the port in cookies: without a context of its own, a test would be signed in by the one before.
    const context = await chromium.browser.newContext({ viewport: SIZES.desktop });
    cleanups.push(() => context.close());
    page = await context.newPage();
  });
  afterEach(async () => {
    for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  });

  function closing<Closable extends { close(): unknown }>(closable: Closable): Closable {
    cleanups.push(() => closable.close());
    return closable;
  }

  /** Takes the page at both sizes and in both colour schemes, and sees that nothing sticks out of it. */
  async function photograph(name: string): Promise<void> {
    for (const [size, viewport] of Object.entries(SIZES)) {
      await page.setViewportSize(viewport);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(viewport.width);
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        await page.screenshot({ path: join(screenshots, `${name}-${size}-${colorScheme}.png`) });
      }
    }
  }

  interface Visit {
    /** Settles when the MCP client is connected, or cannot be. */
    connecting: Promise<void>;
    client: Client;
    /** What the library wanted opened. */
    opened: URL[];
  }

  /** Connects an MCP client whose token manager has this test's page as its browser. */
  function visit(url: URL): Visit {
    const opened: URL[] = [];
    const openBrowser = (address: URL): void => {
      opened.push(address);
      // Like a browser that is started: nobody waits for what becomes of the page.
      void page.goto(address.href).catch(() => undefined);
    };
    const tokens = closing(new TokenManager({ clientName: "Acme Agent", store: "memory", openBrowser }));
    const client = closing(new Client({ name: "test", version: "1.0.0" }));
    const connecting = client.connect(new StreamableHTTPClientTransport(url, { fetch: tokens.fetch(url) }));
    // Looked at later; until then a failure is not one that nobody handles.
    connecting.catch(() => undefined);
    return { connecting, client, opened };
  }

  async function startServers(): Promise<URL> {
    const authorizationServer = closing(await startAuthorizationServer());
    const { verifyAccessToken, issuer } = authorizationServer;
    return closing(await startProtectedMcpServer({ sdk: "v2", verifyAccessToken, authorizationServers: [issuer] })).url;
  }

  async function logIn(name: string): Promise<void> {
    await page.getByLabel("User name").fill(name);
    await page.getByLabel("Password").fill("secret");
    await page.getByRole("button", { name: "Sign in" }).click();
  }

  /** Every address that the browser remembers for this tab, as its back button would show them. */
  async function historyOf(): Promise<URL[]> {
    const session = await page.context().newCDPSession(page);
    const { entries } = await session.send("Page.getNavigationHistory");
    return entries.map((entry) => new URL(entry.url));
  }

  /** Waits for the last page, and sees that neither the address bar nor the history has what came back by redirect. */
  async function expectEnd(heading: string): Promise<void> {
    await page.getByRole("heading", { level: 1, name: heading }).waitFor();
    const { origin, pathname, search } = new URL(page.url());
    expect([pathname, search]).toEqual(["/callback", ""]);
    const history = await historyOf();
    expect(history.filter((entry) => entry.searchParams.has("code"))).toEqual([]);
    expect(history.filter((entry) => entry.origin === origin).map((entry) => entry.search)).toEqual([""]);
  }

  it("at oidc-provider: login, consent, and the tool answers", async () => {
    const { connecting, client, opened } = visit(await startServers());
    await page.getByRole("heading", { name: "Sign in" }).waitFor();
    expect(opened).toHaveLength(1);
    await photograph("login");
    await logIn("bob");
    await page.getByRole("heading", { name: "Allow access?" }).waitFor();
    expect(await page.getByRole("main").innerText()).toContain("Acme Agent");
    await photograph("consent");
    await page.getByRole("button", { name: "Allow" }).click();
    await connecting;
    const { content } = await client.callTool({ name: "whoami" });
    expect(content).toEqual([{ type: "text", text: expect.stringContaining('"subject":"bob"') }]);
    await expectEnd("You are signed in");
    await photograph("signed-in");
    expect(opened).toHaveLength(1);
  });

  it("at oidc-provider: the person says no, and both the page and the host say so", async () => {
    const { connecting, opened } = visit(await startServers());
    await logIn("bob");
    await page.getByRole("button", { name: "Deny" }).click();
    const error: unknown = await connecting.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(findMcpOAuthError(error)).toMatchObject({ code: "authorization_denied", oauthError: "access_denied" });
    await expectEnd("Access was not granted");
    await photograph("denied");
    expect(opened).toHaveLength(1);
  });

  it("at better-auth: login, consent, and the tool answers", async () => {
    const { connecting, client } = visit(closing(await startBetterAuthServer()).url);
    await logIn("carol");
    await page.getByRole("button", { name: "Allow" }).click();
    await connecting;
    expect(await client.callTool({ name: "echo", arguments: { text: "hello" } })).toMatchObject({
      content: [{ type: "text", text: "hello" }],
    });
    await expectEnd("You are signed in");
  });

  it("at better-auth: the person says no", async () => {
    const { connecting } = visit(closing(await startBetterAuthServer()).url);
    await logIn("carol");
    await page.getByRole("button", { name: "Deny" }).click();
    const error: unknown = await connecting.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(findMcpOAuthError(error)?.code).toBe("authorization_denied");
    await expectEnd("Access was not granted");
  });
});
