// What is really started, on each platform. `open` decides that by the platform when it is loaded, so each case is a
// process of its own.
import { execFile } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const run = promisify(execFile);
const HOSTILE =
  "https://as.example.com/a'b;c?x=1&calc&y=$(calc)`calc`\"|calc^%COMSPEC%#'; Start calc; '‘;calc;’".replaceAll(
    " ",
    "+",
  );
const HARMLESS = /^https:\/\/as\.example\.com\/[A-Za-z0-9\-._~:/?#@&=+,%]+$/;
let folder: string;
let bundle: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "browser-"));
  // Not where the fake xdg-open lies: the package open prefers one that lies beside it to the one in PATH.
  bundle = join(folder, "bundle", "browser.mjs");
  await build({
    entryPoints: [fileURLToPath(new URL("../../../src/adapters/browser.ts", import.meta.url))],
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
    outfile: bundle,
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a program that opens `url`; gives what it printed as JSON. */
async function runProgram(prelude: string, url: string, environment: Record<string, string> = {}): Promise<unknown> {
  const file = join(folder, `program-${Math.abs(prelude.length * 31 + url.length)}.mjs`);
  const openIt = `const { openInBrowser } = await import(${JSON.stringify(bundle)});
    const outcome = await openInBrowser(new URL(${JSON.stringify(url)})).then(() => "opened", (error) => error.code + ": " + error.message);`;
  await writeFile(
    file,
    `${prelude}\n${openIt}\nprocess.stdout.write(JSON.stringify({ outcome, spawned: globalThis.spawned }));`,
  );
  const { stdout } = await run(process.execPath, [file], { env: { PATH: "/usr/bin:/bin", ...environment } });
  return JSON.parse(stdout);
}

/** Pretends another platform, and records instead of starting anything. */
function pretend(platform: string, exitCode = 0): string {
  return `import childProcess from "node:child_process";
    import { EventEmitter } from "node:events";
    Object.defineProperty(process, "platform", { value: ${JSON.stringify(platform)} });
    for (const other of ["exec", "execFile", "execSync", "execFileSync", "spawnSync", "fork"]) {
      childProcess[other] = () => { throw new Error("unexpected " + other); };
    }
    globalThis.spawned = [];
    childProcess.spawn = (command, args, options) => {
      globalThis.spawned.push({ command, args, shell: options?.shell ?? false });
      const child = Object.assign(new EventEmitter(), { exitCode: null, unref: () => undefined });
      setTimeout(() => child.emit("spawn"), 1);
      setTimeout(() => { child.exitCode = ${exitCode}; child.emit("exit", ${exitCode}); child.emit("close", ${exitCode}); }, 5);
      return child;
    };`;
}

interface Recorded {
  readonly outcome: string;
  readonly spawned: readonly { readonly command: string; readonly args: readonly string[]; readonly shell: unknown }[];
}

describe("how a URL is opened (CVE-2025-6514) [URL-3] [NAT-1]", () => {
  it("on Windows is one single-quoted word of PowerShell, without a character that could end it", async () => {
    const recorded = (await runProgram(pretend("win32"), HOSTILE)) as Recorded;
    expect(recorded.outcome).toBe("opened");
    expect(recorded.spawned).toHaveLength(1);
    const [{ command, args, shell }] = recorded.spawned as [Recorded["spawned"][number]];
    expect(command).toMatch(/powershell\.exe$/);
    expect(shell).toBe(false);
    expect(args.at(-2)).toBe("-EncodedCommand");
    const script = Buffer.from(args.at(-1) ?? "", "base64").toString("utf16le");
    const [, url] = /^\$ProgressPreference = 'SilentlyContinue'; Start '([^'‘’‚‛]*)'$/.exec(script) ?? [];
    expect(url).toMatch(HARMLESS);
  });

  it("on Windows fits into a command line even at its longest", async () => {
    const url = `https://as.example.com/?q=${"a".repeat(8192 - 26)}`;
    const recorded = (await runProgram(pretend("win32"), url)) as Recorded;
    expect(recorded.spawned[0]?.args.join(" ").length).toBeGreaterThan(20_000);
    expect(recorded.spawned[0]?.args.join(" ").length).toBeLessThan(32_000);
  });

  it("on Windows notices that PowerShell failed", async () => {
    const recorded = (await runProgram(pretend("win32", 1), HOSTILE)) as Recorded;
    expect(recorded.outcome).toMatch(/^browser_unavailable: .*exit code 1/);
  });

  it.each([
    ["darwin", "open", {}],
    ["linux", "xdg-open", { DISPLAY: ":0" }],
  ])("on %s is one argument of %s", async (platform, command, environment) => {
    const recorded = (await runProgram(pretend(platform), HOSTILE, environment)) as Recorded;
    expect(recorded).toEqual({
      outcome: "opened",
      spawned: [{ command, args: [expect.stringMatching(HARMLESS)], shell: false }],
    });
  });

  it("arrives at a real xdg-open in PATH as one word, exactly", async () => {
    const url =
      "https://as.example.com/authorize?client_id=a%20b&scope=x+y&redirect_uri=http%3A%2F%2F127.0.0.1%3A1%2Fcb&state=-_.~";
    const output = join(folder, "arguments");
    await writeFile(join(folder, "xdg-open"), `#!/bin/sh\nprintf '%s\\n' "$#" "$@" > '${output}'\n`);
    await chmod(join(folder, "xdg-open"), 0o755);
    const environment = { PATH: `${folder}:/usr/bin:/bin`, DISPLAY: ":0" };
    expect(await runProgram("", url, environment)).toMatchObject({ outcome: "opened" });
    expect(await readFile(output, "utf8")).toBe(`1\n${url}\n`);
  });

  it("goes through the real xdg-open script of the package open unharmed, to the program in BROWSER", async () => {
    const { openInBrowser } = await import("../../../src/adapters/browser.ts");
    const output = join(folder, "browser-arguments");
    const owned = join(folder, "owned");
    const browser = join(folder, "browser.sh");
    await writeFile(browser, `#!/bin/sh\nprintf '%s\\n' "$#" "$@" > '${output}'\n`);
    await chmod(browser, 0o755);
    const before = { ...process.env };
    // With %s the script substitutes the URL into a command and leaves it to word splitting: the worst case.
    for (const value of [browser, `${browser} %s`]) {
      Object.assign(process.env, { BROWSER: value, CI: "", DISPLAY: "" });
      try {
        await openInBrowser(
          new URL(`https://as.example.com/?x=$(touch\${IFS}${owned})&y=\`touch\${IFS}${owned}\`;touch\${IFS}${owned}`),
        );
      } finally {
        for (const name of ["BROWSER", "CI", "DISPLAY"]) {
          if (before[name] === undefined) delete process.env[name];
          else process.env[name] = before[name];
        }
      }
      const [count, url] = (await readFile(output, "utf8")).split("\n");
      expect(count).toBe("1");
      expect(url).toMatch(HARMLESS);
      await expect(readFile(owned)).rejects.toThrow(/ENOENT/);
    }
  });

  it("says so when xdg-open finds no browser, or is not there", async () => {
    await writeFile(join(folder, "xdg-open"), "#!/bin/sh\nexit 3\n");
    await chmod(join(folder, "xdg-open"), 0o755);
    const failing = await runProgram("", "https://as.example.com/", { PATH: `${folder}:/usr/bin:/bin`, DISPLAY: ":0" });
    expect(failing).toMatchObject({ outcome: expect.stringMatching(/^browser_unavailable: .*exit code 3/) });
    const missing = await runProgram("", "https://as.example.com/", { PATH: join(folder, "nowhere"), DISPLAY: ":0" });
    expect(missing).toMatchObject({ outcome: expect.stringMatching(/^browser_unavailable: .*could not be started/) });
  });
});
