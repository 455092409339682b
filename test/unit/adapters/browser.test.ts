import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { type BrowserOpenerOptions, browserOpener, whyNoBrowser } from "../../../src/adapters/browser.ts";
import type { Clock } from "../../../src/core/clock.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";

const URL_TO_OPEN = new URL("https://as.example.com/authorize?client_id=a&state=b");
const desktop = { environment: { DISPLAY: ":0" }, platform: "linux" };

/** A program that opens URLs: ends, fails or goes on as a test says. */
class Launcher extends EventEmitter {
  exitCode: number | null = null;
}

async function failureOf(promise: Promise<unknown>): Promise<McpOAuthError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(McpOAuthError);
  return error as McpOAuthError;
}

describe("whyNoBrowser (pain 19)", () => {
  it.each([
    ["Linux desktop on X11", "linux", { DISPLAY: ":0" }],
    ["Linux desktop on Wayland", "linux", { WAYLAND_DISPLAY: "wayland-0" }],
    ["SSH with X forwarding", "linux", { SSH_CONNECTION: "1 2 3 4", DISPLAY: "localhost:10.0" }],
    ["WSL without WSLg", "linux", { WSL_DISTRO_NAME: "Ubuntu" }],
    [
      "remote development with a helper",
      "linux",
      { SSH_CONNECTION: "1 2 3 4", BROWSER: "/vscode/bin/helpers/browser.sh" },
    ],
    ["Codespaces", "linux", { CI: "true", BROWSER: "/vscode/browser.sh" }],
    ["macOS", "darwin", {}],
    ["Windows", "win32", {}],
    ["Android", "android", {}],
    ["CI switched off", "linux", { CI: "false", DISPLAY: ":0" }],
    ["FreeBSD desktop", "freebsd", { DISPLAY: ":0" }],
  ])("%s: there is one", (_name, platform, environment) => {
    expect(whyNoBrowser({ platform, environment })).toBeUndefined();
  });

  it.each([
    ["SSH", "linux", { SSH_CONNECTION: "1 2 3 4", SSH_TTY: "/dev/pts/0" }, "SSH"],
    ["SSH to macOS", "darwin", { SSH_CONNECTION: "1 2 3 4" }, "SSH"],
    ["SSH to macOS with a BROWSER that open does not ask", "darwin", { SSH_TTY: "/dev/x", BROWSER: "firefox" }, "SSH"],
    ["SSH to Windows", "win32", { SSH_CLIENT: "1 2 3" }, "SSH"],
    ["SSH to WSL", "linux", { SSH_CONNECTION: "1 2 3 4", WSL_DISTRO_NAME: "Ubuntu" }, "SSH"],
    ["a container", "linux", {}, "display"],
    ["an empty DISPLAY", "linux", { DISPLAY: "", WAYLAND_DISPLAY: "" }, "display"],
    ["CI", "linux", { CI: "true", DISPLAY: ":99" }, "CI"],
    ["CI on macOS", "darwin", { CI: "1" }, "CI"],
    ["BROWSER=none", "linux", { BROWSER: "none", DISPLAY: ":0" }, "BROWSER"],
  ])("%s: there is none", (_name, platform, environment, why) => {
    expect(whyNoBrowser({ platform, environment })).toContain(why);
  });
});

describe("browserOpener", () => {
  function opener(act: (launcher: Launcher) => void, options: BrowserOpenerOptions = {}) {
    const opened: string[] = [];
    const open = browserOpener({
      ...desktop,
      launch: async (url) => {
        opened.push(url);
        const launcher = new Launcher();
        setImmediate(() => act(launcher));
        return launcher;
      },
      ...options,
    });
    return { open, opened };
  }

  it("opens the URL and resolves when the launcher ended well", async () => {
    const { open, opened } = opener((launcher) => launcher.emit("exit", 0));
    await open(URL_TO_OPEN);
    expect(opened).toEqual([URL_TO_OPEN.href]);
  });

  it("opens nothing that is not https or loopback http, and nothing where there is no browser", async () => {
    const { open, opened } = opener((launcher) => launcher.emit("exit", 0));
    for (const url of ["javascript:alert(1)", "file:///etc/passwd", "http://as.example.com/", "ms-settings:x"]) {
      expect((await failureOf(open(new URL(url)))).code).toBe("insecure_url");
    }
    const none = opener((launcher) => launcher.emit("exit", 0), { environment: {} });
    expect((await failureOf(none.open(URL_TO_OPEN))).code).toBe("browser_unavailable");
    expect([...opened, ...none.opened]).toEqual([]);
  });

  it.each([
    ["ends with an exit code", (launcher: Launcher) => launcher.emit("exit", 3), "exit code 3"],
    ["is killed", (launcher: Launcher) => launcher.emit("exit", null, "SIGKILL"), "exit code none"],
    ["cannot run", (launcher: Launcher) => launcher.emit("error", new Error("EACCES")), "could not be run"],
  ])("says that no browser could be opened when the launcher %s", async (_what, act, why) => {
    const error = await failureOf(opener(act).open(URL_TO_OPEN));
    expect(error.code).toBe("browser_unavailable");
    expect(error.message).toContain(why);
    expect(error.message).not.toContain("state=b");
  });

  it("says so when the launcher cannot be started, with the cause", async () => {
    const cause = new Error("spawn ENOENT");
    const error = await failureOf(browserOpener({ ...desktop, launch: () => Promise.reject(cause) })(URL_TO_OPEN));
    expect(error).toMatchObject({ code: "browser_unavailable", cause });
  });

  it("knows a launcher that had ended before it was looked at", async () => {
    for (const [exitCode, code] of [
      [0, undefined],
      [1, "browser_unavailable"],
    ] as const) {
      const launcher = Object.assign(new Launcher(), { exitCode });
      const outcome = browserOpener({ ...desktop, launch: async () => launcher })(URL_TO_OPEN);
      if (code === undefined) await outcome;
      else expect((await failureOf(outcome)).code).toBe(code);
    }
  });

  it("takes a launcher that lives on for the browser itself", async () => {
    const delays: number[] = [];
    const clock: Clock = {
      now: () => 0,
      schedule(callback, delayMs) {
        delays.push(delayMs);
        const timer = setImmediate(callback);
        return () => clearImmediate(timer);
      },
    };
    const launcher = new Launcher();
    await browserOpener({ ...desktop, clock, launch: async () => launcher })(URL_TO_OPEN);
    expect(delays).toEqual([3000]);
    // A browser that is closed much later with an error, or fails, concerns nobody.
    launcher.emit("error", new Error("late"));
    await new Promise((resolve) => setImmediate(resolve));
  });
});
