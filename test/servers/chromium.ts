// A real browser for the few tests that need one. Nothing is downloaded: it is there, or the test says how to get it.
import { accessSync, constants } from "node:fs";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const CANDIDATES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export interface RunningChromium {
  readonly browser: Browser;
  readonly context: BrowserContext;
  readonly page: Page;
  close(): Promise<void>;
}

export interface ChromiumOptions {
  /** Default true. */
  headless?: boolean;
  viewport?: { width: number; height: number };
  colorScheme?: "light" | "dark";
}

/** Why no browser can be started and the one command that helps; `undefined` when all is well. */
export function missing(): string | undefined {
  if (executable() !== undefined) return undefined;
  const wanted = process.env.CHROMIUM_PATH;
  const reason = wanted
    ? `CHROMIUM_PATH names ${wanted}, which cannot be executed`
    : `no Chromium at ${CANDIDATES.join(", ")}`;
  return `${reason}. Install it with: apt-get install -y chromium`;
}

/** Each start has a fresh profile, which is deleted at `close()`. */
export async function startChromium(options: ChromiumOptions = {}): Promise<RunningChromium> {
  const executablePath = executable();
  if (executablePath === undefined) throw new Error(missing());
  const browser = await chromium.launch({ executablePath, headless: options.headless ?? true, args: FLAGS });
  const context = await browser.newContext({
    ...(options.viewport ? { viewport: options.viewport } : {}),
    ...(options.colorScheme ? { colorScheme: options.colorScheme } : {}),
  });
  return { browser, context, page: await context.newPage(), close: () => browser.close() };
}

function executable(): string | undefined {
  const wanted = process.env.CHROMIUM_PATH;
  return (wanted ? [wanted] : CANDIDATES).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
