// The demo as `npm run demo` runs it, in a home and a folder for temporary files of its own: so what it leaves is seen.
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type PlayedBrowser, startPlayedBrowser } from "../support/played-browser.ts";
import { requires } from "../support/requires.ts";
import { type SecretService, startSecretService } from "../support/secret-service.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
let home: string;
let browser: PlayedBrowser;

beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "demo-home-"));
  await mkdir(join(home, "tmp"));
  browser = await startPlayedBrowser();
});
afterEach(async () => {
  await browser.close();
  await rm(home, { recursive: true, force: true });
});

interface Demo {
  process: ChildProcess;
  /** What it has printed so far. */
  output: () => string;
  exitCode: () => Promise<number | null>;
}

function start(args: readonly string[] = [], environment: Record<string, string> = {}): Demo {
  const env = {
    DBUS_SESSION_BUS_ADDRESS: process.env.DBUS_SESSION_BUS_ADDRESS,
    ...browser.env,
    HOME: home,
    TMPDIR: join(home, "tmp"),
    ...environment,
  };
  const child = spawn(process.execPath, [join(root, "examples/demo/run.mjs"), ...args], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk;
    });
  }
  const ended = once(child, "close");
  const exitCode = async (): Promise<number | null> => ((await ended) as [number | null])[0];
  return { process: child, output: () => output, exitCode };
}

async function expectNothingLeft(): Promise<void> {
  expect(await readdir(home)).toEqual(["tmp"]);
  expect(await readdir(join(home, "tmp"))).toEqual([]);
}

function expectReadable(output: string): void {
  for (const line of output.split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  // No colours where nobody sees them, and nothing that looks like a token or a code.
  expect(output).not.toContain("\u001b");
  expect(output).not.toMatch(/[A-Za-z0-9_-]{32}/);
}

async function printed({ process: child, output }: Demo, text: string): Promise<void> {
  while (!output().includes(text) && child.exitCode === null) await sleep(20);
}

function stepsOf(output: string): string[] {
  return [...output.matchAll(/^ ✓ (.{12})/gm)].map(([, step = ""]) => step.trim());
}

it("signs in by itself, and every step works", async () => {
  const demo = start();
  expect(await demo.exitCode(), demo.output()).toBe(0);
  expectReadable(demo.output());
  expect(demo.output()).toMatch(/^ token store +encrypted-file/m);
  const first = ["challenge", "discovery", "registration", "sign-in", "token", "connected", "tool call"];
  const second = ["old token", "refresh", "connected", "tool call"];
  const rest = ["refresh", "tool call", "sign-out", "old token", "token store"];
  expect(stepsOf(demo.output())).toEqual([...first, ...second, ...rest]);
  expect(demo.output()).toContain("Every step worked: 16 steps");
  expect(demo.output()).toContain("18 requests by the client");
  expect(browser.visited).toEqual([]);
  await expectNothingLeft();
});

it("says which step failed when the person declines, and fails", async () => {
  browser.deny = true;
  const demo = start(["--browser"]);
  expect(await demo.exitCode(), demo.output()).toBe(1);
  expectReadable(demo.output());
  expect(stepsOf(demo.output())).toEqual(["challenge", "discovery", "registration"]);
  expect(demo.output()).toMatch(/^ ✗ sign-in /m);
  expect(demo.output()).not.toContain("Every step worked");
  await expectNothingLeft();
});

it("tidies up when it is interrupted", async () => {
  const demo = start();
  await printed(demo, "tool call");
  demo.process.kill("SIGINT");
  expect(await demo.exitCode(), demo.output()).toBe(130);
  expect(demo.output()).toContain("Interrupted. Nothing is left behind.");
  await expectNothingLeft();
});

describe.runIf(requires("secret-service"))("with a keychain", () => {
  let keychain: SecretService;
  beforeAll(async () => {
    keychain = await startSecretService();
  });
  afterAll(() => keychain.stop());

  async function itemsLeft(): Promise<string> {
    const { stdout, stderr } = await run(
      "secret-tool",
      ["search", "--all", "--unlock", "service", "mcp-oauth-client demo"],
      {
        env: { PATH: process.env.PATH, ...keychain.env },
      },
    );
    return stdout + stderr;
  }

  it("opens the person's browser, uses the keychain, and leaves nothing in it", async () => {
    const demo = start(["--browser"], keychain.env);
    expect(await demo.exitCode(), demo.output()).toBe(0);
    expectReadable(demo.output());
    expect(demo.output()).toMatch(/^ token store +keychain/m);
    expect(demo.output()).toContain("login and consent, by you");
    expect(browser.visited).toHaveLength(1);
    expect(await itemsLeft()).toBe("");
    await expectNothingLeft();
  });

  it("leaves nothing in it when it is interrupted, either", async () => {
    const demo = start([], keychain.env);
    await printed(demo, "tool call");
    // Seen from here the entries are there, so the search finds what it should.
    expect(await itemsLeft()).toContain("mcp-oauth-client demo");
    demo.process.kill("SIGINT");
    expect(await demo.exitCode(), demo.output()).toBe(130);
    expect(await itemsLeft()).toBe("");
    await expectNothingLeft();
  });
});
