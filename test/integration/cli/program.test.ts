// The program as a whole: help, what it does not understand, exit codes, colours.

import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { PassThrough } from "node:stream";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { Output } from "../../../src/cli/output.ts";
import { createProgram } from "../../../src/cli/program.ts";
import { requires } from "../../support/requires.ts";
import { cliPath, jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { tooWide } from "./support/sign-in.ts";
import { openTerminal } from "./support/terminal.ts";

const ESCAPE = "\u001b";
const nowhere = new PassThrough() as unknown as NodeJS.WriteStream;
const output = new Output({ stdout: nowhere, stderr: nowhere, json: false, environment: {} });
const commands = createProgram("0.0.0", output).commands.map((command) => command.name());

it("has the commands that its help lists, and says its version", async () => {
  const home = await newHome();
  const { stdout, exitCode } = await runCli(["--help"], home);
  expect(exitCode).toBe(0);
  for (const name of commands) expect(stdout).toMatch(new RegExp(`^  ${name} .* {2}\\w+ \\w+`, "m"));
  expect(tooWide(stdout)).toEqual([]);
  expect(await runCli(["--version"], home)).toMatchObject({
    exitCode: 0,
    stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
  });
});

it.each([...commands, "client-metadata lint"])(
  "%s --help has examples that it understands, and the exit codes, in 80 columns",
  async (name) => {
    const home = await newHome();
    const { stdout, stderr, exitCode } = await runCli([...name.split(" "), "--help"], home);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(tooWide(stdout)).toEqual([]);
    expect(stdout).not.toContain(ESCAPE);
    expect(stdout).toMatch(new RegExp(`^Usage: mcp-oauth ${name} [^\n]*\n\n[A-Z]`));
    expect(stdout).toMatch(/Exit codes:\n {2}0 +done\n/);
    const [described = "", examples = ""] = stdout.split("Examples:\n");
    // Each says what it does.
    expect(examples).toMatch(/^ {2}# \S.*\n {2}\$ .*mcp-oauth \S/);
    const known = new Set(described.match(/--[a-z-]+/g));
    const used = examples.split("\nExit codes:")[0]?.match(/--[a-z-]+/g) ?? [];
    expect(used.filter((option) => !known.has(option))).toEqual([]);
  },
);

describe("what it does not understand", () => {
  const url = "https://mcp.example.com";

  it.each([
    [["logn"], "unknown command 'logn'\n(Did you mean login?)"],
    [["login", url, "--devise"], "unknown option '--devise'\n(Did you mean --device?)"],
    [["login"], "missing required argument 'url'"],
    [["login", url, "--timeout", "soon"], "It must be a whole number from 1 to 2147483."],
    [["login", url, "--device", "--paste"], "option '--device' cannot be used with option '--paste'"],
    [["client-metadata", "lint"], "missing required argument 'file-or-url'"],
    [["login", "mcp.example.com"], "it must start with https://"],
    [["login", "http://mcp.example.com"], "only https is allowed"],
    [["logout"], "Name the server to sign out of, or say --all."],
    [["client-metadata"], "A document needs --url and --name."],
  ])("%j: exit code 2, and says what is wrong", async (args, message) => {
    const { stdout, stderr, exitCode } = await runCli(args, await newHome());
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(message);
  });

  it.each([
    [["logn"], "usage", "unknown command 'logn' (Did you mean login?)"],
    [["token", url, "--header"], "usage", "option '--header' cannot be used with option '--json'"],
    [["login", "http://mcp.example.com"], "insecure_url", "only https is allowed"],
    [["logout"], "usage", "Name the server to sign out of, or say --all."],
  ])("%j --json: says so as one JSON document on stdout", async (args, code, message) => {
    const result = await runCli([...args, "--json"], await newHome());
    expect(result).toMatchObject({ exitCode: 2, stderr: "" });
    expect(jsonOf(result)).toMatchObject({ error: { code, message: expect.stringContaining(message) } });
  });
});

describe("colours", () => {
  const args = ["login", "mcp.example.com"];

  it("are not used where the output is piped, unless FORCE_COLOR says so", async () => {
    const { env } = await newHome();
    expect((await runCli(args, { env })).stderr).not.toContain(ESCAPE);
    expect((await runCli(args, { env: { ...env, FORCE_COLOR: "1" } })).stderr).toContain(`${ESCAPE}[31mError:`);
    expect((await runCli(args, { env: { ...env, FORCE_COLOR: "0" } })).stderr).not.toContain(ESCAPE);
    expect((await runCli(["login", "--help"], { env })).stdout).not.toContain(ESCAPE);
    expect((await runCli(["login", "--help"], { env: { ...env, FORCE_COLOR: "1" } })).stdout).toContain(ESCAPE);
  });

  describe.runIf(requires("terminal"))("in a terminal", () => {
    it("are used, unless NO_COLOR says otherwise; long lines are broken between words", async () => {
      const { env } = await newHome();
      const colourful = await openTerminal(args, { env });
      expect(await colourful.exitCode()).toBe(2);
      expect(await colourful.everything({ colours: true })).toContain(`${ESCAPE}[31mError:`);
      const plain = await openTerminal(args, { env: { ...env, NO_COLOR: "1" } });
      await plain.exitCode();
      const text = await plain.everything({ colours: true });
      expect(text).not.toContain(ESCAPE);
      expect(text).toMatch(/^Error: "mcp\.example\.com" is not .*\S\n\S/);
    });

    it("help fits into 80 columns and is no wider than eyes can follow", async () => {
      const { env } = await newHome();
      const wide = await openTerminal(["login", "--help"], { env, columns: 250, rows: 60 });
      await wide.exitCode();
      const widest = Math.max(...(await wide.everything()).split("\n").map((line) => line.length));
      expect(widest).toBeGreaterThan(80);
      expect(widest).toBeLessThanOrEqual(120);
    });
  });
});

it("ends quietly when nobody reads its output to the end", async () => {
  const { env } = await newHome();
  // The reader is gone before the program writes.
  const script = `"${process.execPath}" "${cliPath}" --help 2>&1 >&3 | cat >&2; exit 0`;
  const { stderr } = await promisify(execFile)("sh", ["-c", `{ ${script} ; } 3>&1 | true`], { env });
  expect(stderr).toBe("");
});

/** A device on which nothing can be written. */
const FULL = "/dev/full";

describe.runIf(existsSync(FULL))("where nothing can be written", () => {
  const url = "https://mcp.example.com";

  it("says so in one line when that is its result", async () => {
    const { env } = await newHome();
    const script = `"${process.execPath}" "${cliPath}" --help >${FULL}`;
    const failed = promisify(execFile)("sh", ["-c", script], { env });
    await expect(failed).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^Error: The output could not be written: .*ENOSPC.*\n$/),
    });
  });

  it("keeps its exit code when those are remarks", async () => {
    const { env } = await newHome();
    const script = `"${process.execPath}" "${cliPath}" token ${url} 2>${FULL}`;
    await expect(promisify(execFile)("sh", ["-c", script], { env })).rejects.toMatchObject({ code: 3, stdout: "" });
  });
});
