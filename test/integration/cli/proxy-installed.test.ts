// The bridge out of the packed package: from nothing by the line that --print-config gives, without an SDK, and with the
// first version of the SDK instead of the second.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { startPair } from "../flow/support/real-servers.ts";
import { type HostKind, startProxyHost } from "./support/proxy-host.ts";
import { jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { startTalkativeServer, startTalkativeServerV2, type TalkativeServer } from "./support/talkative-server.ts";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../../..", import.meta.url));
const PATIENCE = { timeout: 20_000, interval: 10 };

let folder: string;
let tarball: string;
const installed = (): string => join(folder, "node_modules/.bin/mcp-oauth");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "installed-cli-"));
  const quietly = ["--ignore-scripts", "--loglevel=error"];
  const { stdout } = await run("npm", ["pack", "--json", `--pack-destination=${folder}`, ...quietly], { cwd: root });
  tarball = join(folder, JSON.parse(stdout)[0].filename);
  await writeFile(join(folder, "package.json"), '{ "private": true }');
  await run("npm", ["install", tarball, "--prefer-offline", "--no-audit", "--no-fund", ...quietly], { cwd: folder });
}, 120_000);
afterAll(() => rm(folder, { recursive: true, force: true }));

it("works from nothing by the line that --print-config gives", { timeout: 120_000 }, async () => {
  const { url } = await startTalkativeServer();
  const { env } = await newHome();
  const printed = jsonOf(await runCli(["proxy", url.href, "--print-config", "--json"], { env }));
  const configured = { command: "npx", args: expect.arrayContaining(["proxy", url.href]) };
  expect(printed).toEqual({
    mcpServers: { "127-0-0-1": configured },
    servers: { "127-0-0-1": { type: "stdio", ...configured } },
  });
  const { command, args } = (printed.mcpServers as Record<string, { command: string; args: string[] }>)[
    "127-0-0-1"
  ] ?? {
    command: "",
    args: [],
  };
  expect([command, ...args].join(" ")).toBe(
    `npx -y -p mcp-oauth-client -p @modelcontextprotocol/client mcp-oauth proxy ${url.href}`,
  );
  // What has not been published yet stands in its place; everything else comes as it will.
  const program = [command, ...args.map((word) => (word === "mcp-oauth-client" ? tarball : word))] as const;
  const npm = { npm_config_prefer_offline: "true", npm_config_audit: "false", npm_config_update_notifier: "false" };
  const surroundings = Object.entries(process.env).filter((each): each is [string, string] => each[1] !== undefined);
  const host = await startProxyHost({
    kind: "SDK v2",
    env: { ...Object.fromEntries(surroundings), ...npm },
    args: [],
    program: [program[0], ...program.slice(1)],
    // Not in a folder where the package is at home.
    cwd: tmpdir(),
  });
  expect(await host.toolNames()).toContain("elicit");
  expect(await host.call("elicit")).toBe('{"answer":"elicited"}');
});

it.each(["proxy", "tools"])("says how to add an SDK where there is none: %s", async (command) => {
  const { env } = await newHome();
  const url = "https://mcp.example.com/mcp";
  const ended = await run(installed(), [command, url], { env }).catch((error) => error);
  expect(ended).toMatchObject({ code: 1, stdout: "" });
  expect(ended.stderr).toContain("\n  $ npm install @modelcontextprotocol/client\n");
  const line = `npx -y -p mcp-oauth-client -p @modelcontextprotocol/client mcp-oauth ${command} ${url}`;
  expect(ended.stderr).toContain(`\n  $ ${line}\n`);
});

const redirecting = (): Promise<TalkativeServer> => startTalkativeServer({ redirects: true });
const withFirstSdk: { kind: HostKind; server: string; start: () => Promise<TalkativeServer>; mirrored: boolean }[] = [
  { kind: "SDK v1", server: "sessions", start: startTalkativeServer, mirrored: false },
  { kind: "SDK v1", server: "sessions behind a redirect", start: redirecting, mirrored: false },
  { kind: "SDK v2 on the 2026-07-28 wire", server: "no sessions", start: startTalkativeServerV2, mirrored: true },
];

/** Puts the first SDK beside the package, where it stays for the tests that follow. */
async function installFirstSdk(): Promise<void> {
  const scope = join(folder, "node_modules/@modelcontextprotocol");
  await mkdir(scope, { recursive: true });
  await symlink(join(root, "node_modules/@modelcontextprotocol/sdk"), join(scope, "sdk")).catch(() => undefined);
}

it.each(withFirstSdk)("does with the first SDK what it does with the second, for $kind and $server", async (each) => {
  const { kind, start, mirrored } = each;
  await installFirstSdk();
  const server = await start();
  const host = await startProxyHost({
    kind,
    env: (await newHome()).env,
    args: [server.url.href],
    program: [installed(), "proxy"],
  });
  expect(await host.toolNames()).toContain("elicit");
  expect(await host.call("elicit")).toBe('{"answer":"elicited"}');
  const abort = new AbortController();
  const call = expect(host.call("wait", {}, { signal: abort.signal })).rejects.toThrow("enough");
  await vi.waitUntil(() => server.calls.waiting === 1, PATIENCE);
  abort.abort("enough");
  await call;
  await vi.waitUntil(() => server.calls.cancelled === 1, PATIENCE);
  if (!mirrored) return;
  expect(await host.call("mirrored", { region: "here" })).toBe("here");
  const [last] = server.log.find("POST").slice(-1);
  expect(last?.headers).toMatchObject({ "mcp-protocol-version": "2026-07-28", "mcp-param-region": "here" });
});

it.each(["tools", "call"])(
  "ends with the first SDK, too, when the stream of an older server cannot be had: %s",
  async (command) => {
    await installFirstSdk();
    const { mcp } = await startPair({}, { transport: "sse" });
    // Such a server guards its stream alone, and says nothing of tokens to whoever posts.
    mcp.respond("POST /sse", (_request, response) => response.writeHead(405).end());
    const { env } = await newHome();
    const args = [command, mcp.url.href, ...(command === "call" ? ["echo"] : [])];
    const ended = await run(installed(), args, { env, timeout: PATIENCE.timeout }).catch((error) => error);
    expect(ended).toMatchObject({ code: 3, killed: false, stdout: "" });
    expect(ended.stderr).toContain(`mcp-oauth login ${mcp.url.href}`);
  },
);
