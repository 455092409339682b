import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Notice, noticePage, resultPage } from "../../src/adapters/loopback/result-page.ts";
import type { RedirectPage } from "../../src/ports/redirect-receiver.ts";
import { type RunningChromium, startChromium } from "../servers/chromium.ts";
import { never, redirects, SIGNED_IN } from "../unit/adapters/loopback-client.ts";

const ATTACK = `<img src=x onerror="window.owned=1"><script>window.owned=1</script>"'`;
const LONG_HOST = `${"a-rather-long-label.".repeat(9)}example.com`;
const { open, closeAll } = redirects();
let chromium: RunningChromium;
let elsewhere: Server;
let elsewhereUrl: string;
let elsewherePage = "";

beforeAll(async () => {
  chromium = await startChromium();
  elsewhere = createServer((_request, response) => response.setHeader("Content-Type", "text/html").end(elsewherePage));
  await new Promise<void>((resolve) => elsewhere.listen(0, "127.0.0.1", resolve));
  elsewhereUrl = `http://localhost:${(elsewhere.address() as AddressInfo).port}/`;
}, 30_000);

afterEach(closeAll);

afterAll(async () => {
  await chromium.close();
  await new Promise((resolve) => elsewhere.close(resolve));
});

interface Watched {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly requests: string[];
  readonly complaints: string[];
}

async function newPage(colorScheme: "light" | "dark" = "light"): Promise<Watched> {
  const context = await chromium.browser.newContext({ colorScheme });
  const page = await context.newPage();
  const requests: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requests.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, context, requests, complaints };
}

describe("the result page in a browser [RUR-3]", () => {
  it("shows the outcome, takes the code out of the address bar, and loads nothing else", async () => {
    const pending = await open();
    const { page, context, requests, complaints } = await newPage();
    const arrival = pending.arrival("s", never());
    const shown = page.goto(`${pending.redirectUri}?code=SECRET&state=s&iss=x#fragment`);
    await (await arrival).respond(SIGNED_IN);
    await shown;
    await pending.close();
    expect(page.url()).toBe(pending.redirectUri);
    expect(await page.evaluate(() => `${location.href} ${document.documentElement.outerHTML}`)).not.toContain("SECRET");
    expect(await page.title()).toBe("You are signed in");
    expect(await page.locator("html").getAttribute("lang")).toBe("en");
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
    expect(await page.getByRole("heading", { level: 1 }).innerText()).toBe("You are signed in");
    expect(await page.getByRole("main").innerText()).toContain("You can close this tab and return to Acme Agent.");
    expect(requests.filter((url) => !url.startsWith("data:"))).toHaveLength(1);
    expect(complaints).toEqual([]);
    await context.close();
  });

  it("runs nothing that gets into it, and connects nowhere", async () => {
    const pending = await open();
    const { page, context, complaints } = await newPage();
    const arrival = pending.arrival("s", never());
    const shown = page.goto(`${pending.redirectUri}?state=s&error=${encodeURIComponent(ATTACK)}`);
    await (await arrival).respond({ outcome: "failed", clientName: ATTACK, serverName: ATTACK });
    await shown;
    expect(complaints.filter((text) => !text.includes("400"))).toEqual([]);
    expect(await page.getByRole("main").innerText()).toContain(ATTACK.slice(0, 20));
    await page.evaluate((attack) => {
      document.body.insertAdjacentHTML("beforeend", attack);
      const script = document.createElement("script");
      script.textContent = "window.owned=1";
      document.body.append(script);
    }, ATTACK);
    expect(
      await page.evaluate(() =>
        fetch("/").then(
          () => "connected",
          () => "refused",
        ),
      ),
    ).toBe("refused");
    expect(await page.evaluate(() => "owned" in window)).toBe(false);
    expect(complaints.join("\n")).toContain("Content Security Policy");
    await context.close();
  });

  it("takes a form_post from another origin's page, and is not shown in a frame there", async () => {
    const pending = await open();
    const { page, context } = await newPage();
    elsewherePage = `<form method=post action="${pending.redirectUri}"><input name=state value=s><input name=code value="ü+"></form>
      <script>document.forms[0].submit()</script>`;
    const arrival = pending.arrival("s", never());
    const shown = page.goto(elsewhereUrl).then(() => page.waitForURL(pending.redirectUri));
    const { parameters, respond } = await arrival;
    expect(parameters.get("code")).toBe("ü+");
    await respond(SIGNED_IN);
    await shown;
    expect(await page.title()).toBe("You are signed in");

    elsewherePage = `<iframe src="${pending.redirectUri}?state=x"></iframe>`;
    await page.goto(elsewhereUrl);
    const frame = page.frames().find((candidate) => candidate !== page.mainFrame());
    expect(frame?.url()).not.toContain("/callback");
    await context.close();
  });

  it("tells a person who reloads or reuses a link what to do", async () => {
    const pending = await open();
    const { page, context } = await newPage();
    await page.goto(`${pending.redirectUri}?state=unknown&code=SECRET`);
    expect(await page.title()).toBe("This link is not valid");
    expect(page.url()).toBe(pending.redirectUri);
    await context.close();
  });
});

/** The lowest contrast of any text with what lies behind it (WCAG 2.2, 1.4.3). */
function lowestContrast(): number {
  const channels = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (colour: string): number => {
    const [red = 0, green = 0, blue = 0] = channels(colour).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const behind = (element: Element | null): string => {
    if (element === null) return "rgb(255,255,255)";
    const colour = getComputedStyle(element).backgroundColor;
    return channels(colour)[3] === 0 ? behind(element.parentElement) : colour;
  };
  const pairs = [...document.querySelectorAll("h1, p, bdi")].map((element) => [
    getComputedStyle(element).color,
    behind(element),
  ]);
  const circle = document.querySelector("circle");
  const sign = document.querySelector("svg g");
  if (circle !== null && sign !== null) pairs.push([getComputedStyle(sign).stroke, getComputedStyle(circle).fill]);
  const ratios = pairs.map(([text = "", back = ""]) => {
    const [dark = 0, light = 0] = [luminance(text), luminance(back)].sort((left, right) => left - right);
    return (light + 0.05) / (dark + 0.05);
  });
  return Math.min(...ratios);
}

describe.each(["light", "dark"] as const)("the pages in the %s scheme", (scheme) => {
  const names = { clientName: "Acme Agent", serverName: LONG_HOST };
  const outcomes: readonly RedirectPage["outcome"][] = ["signed-in", "denied", "failed"];
  const notices: readonly Notice[] = ["received", "used", "unknown"];
  const pages = [
    ...outcomes.map((outcome) => [outcome, resultPage({ outcome, ...names })] as const),
    ...notices.map((notice) => [notice, noticePage(notice)] as const),
  ];

  it.each(pages)("%s can be read at every width", async (_name, html) => {
    const { page, context } = await newPage(scheme);
    elsewherePage = html;
    await page.goto(elsewhereUrl);
    for (const width of [320, 375, 1280]) {
      await page.setViewportSize({ width, height: 700 });
      expect(await page.evaluate(lowestContrast)).toBeGreaterThanOrEqual(4.5);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
      expect(await page.evaluate(() => matchMedia("(prefers-color-scheme: dark)").matches)).toBe(scheme === "dark");
    }
    await context.close();
  });
});
