import { type Clock, delay, systemClock } from "../core/clock.ts";
import { McpOAuthError } from "../core/errors.ts";
import { assertOpenableUrl } from "../core/openable-url.ts";
import type { OpenBrowser } from "../ports/browser.ts";

/**
 * How long a launcher is watched for failing, in milliseconds. One that is still there then has become the browser
 * itself, as `xdg-open` does when it has to start one.
 */
const WATCH_MS = 3000;

/** What the decision whether there is a browser depends on. */
export interface BrowserSurroundings {
  /** Default: that of this process. */
  environment?: Readonly<Record<string, string | undefined>>;
  /** As in `process.platform`. Default: that of this process. */
  platform?: string;
}

/** The program that opens URLs, as far as it is watched: how it ended, or that it could not be run. */
export interface BrowserLauncher {
  readonly exitCode: number | null;
  once(event: "exit", listener: (code: number | null) => void): unknown;
  once(event: "error", listener: (error: Error) => void): unknown;
}

/** Options of {@link browserOpener}. */
export interface BrowserOpenerOptions extends BrowserSurroundings {
  /** Starts the program that opens a URL, without a shell. Default: the package `open`. */
  launch?: (url: string) => Promise<BrowserLauncher>;
  /** Where the time comes from. Default: the machine's clock. */
  clock?: Clock;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

/**
 * Why no browser that the user sees can be opened from here, or `undefined` when one probably can.
 *
 * `BROWSER` decides where it is set: remote development environments put a program there that opens the browser on the
 * user's own machine. Otherwise a browser is out of reach in CI, in an SSH session without a display, and on Unix systems
 * (so also in containers) without one. WSL opens the browser of Windows.
 */
export function whyNoBrowser(surroundings: BrowserSurroundings = {}): string | undefined {
  const { environment = process.env, platform = process.platform } = surroundings;
  const isDesktopSystem = platform === "darwin" || platform === "win32";
  const hasDisplay = isSet(environment.DISPLAY) || isSet(environment.WAYLAND_DISPLAY);
  const isSsh = ["SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY"].some((name) => isSet(environment[name]));
  const isWsl = isSet(environment.WSL_DISTRO_NAME) || isSet(environment.WSL_INTEROP);
  if (!isDesktopSystem && isSet(environment.BROWSER)) {
    return environment.BROWSER === "none" ? "the environment variable BROWSER is set to none" : undefined;
  }
  if (isSet(environment.CI) && !["0", "false"].includes(environment.CI ?? "")) return "this is a CI job";
  if (isSsh && !hasDisplay) return "this is an SSH session, and a browser would open on the other machine";
  if (isDesktopSystem || isWsl || platform === "android" || hasDisplay) return undefined;
  return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)";
}

function unavailable(why: string, cause?: unknown): McpOAuthError {
  const message = `No browser could be opened: ${why}. Open the sign-in URL by hand, or sign in with a device code.`;
  return new McpOAuthError("browser_unavailable", message, cause === undefined ? {} : { cause });
}

async function launchWithOpen(url: string): Promise<BrowserLauncher> {
  // Loaded here, so that importing the package does not load it.
  const { default: open } = await import("open");
  return open(url);
}

/** Rejects when the launcher fails; resolves when it ends well, or lives on as the browser. */
async function watch(launcher: BrowserLauncher, clock: Clock): Promise<void> {
  const stop = new AbortController();
  const ended = new Promise<number | null>((resolve, reject) => {
    // On Windows it has ended by now, and tells of it no more.
    if (launcher.exitCode !== null) resolve(launcher.exitCode);
    launcher.once("exit", (code) => resolve(code));
    launcher.once("error", reject);
  });
  let exitCode: number | null;
  try {
    exitCode = await Promise.race([ended, delay(clock, WATCH_MS, stop.signal).then(() => 0)]);
  } catch (error) {
    throw unavailable("the program that opens URLs could not be run", error);
  } finally {
    stop.abort();
  }
  if (exitCode !== 0) throw unavailable(`the program that opens URLs ended with exit code ${exitCode ?? "none"}`);
}

/**
 * Makes a function that opens URLs in the user's browser: the system's default one, never an embedded view (RFC 8252
 * section 8.12).
 *
 * The function throws `insecure_url` for what {@link assertOpenableUrl} refuses, and `browser_unavailable` at once where
 * no browser can be expected, or when the program that opens it fails within three seconds.
 */
export function browserOpener(options: BrowserOpenerOptions = {}): (url: URL) => Promise<void> {
  const { launch = launchWithOpen, clock = systemClock } = options;
  return async (url) => {
    const openable = assertOpenableUrl(url);
    const obstacle = whyNoBrowser(options);
    if (obstacle !== undefined) throw unavailable(obstacle);
    let launcher: BrowserLauncher;
    try {
      launcher = await launch(openable.href);
    } catch (error) {
      throw unavailable("the program that opens URLs could not be started", error);
    }
    await watch(launcher, clock);
  };
}

/**
 * Opens a URL in the user's default browser with the package `open`, without a shell.
 *
 * @throws `insecure_url` for a URL that is neither https nor loopback http, `browser_unavailable` where no browser can be
 * expected (CI, SSH or a container without a display), or when the program that opens it fails within three seconds.
 */
export const openInBrowser: OpenBrowser = browserOpener();
