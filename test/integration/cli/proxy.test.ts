// The bridge as hosts use it: the official SDKs' stdio clients start the built program, which talks to real servers behind a
// real authorization server.
import { execFile } from "node:child_process";
import { once } from "node:events";
import { cp, mkdtemp, rm, symlink } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Client as ClientV2 } from "@modelcontextprotocol/client";
import { describe, expect, it, vi } from "vitest";
import type { FaultHandler } from "../../servers/fault-injection.ts";
import type { ProtectedMcpServerOptions } from "../../servers/protected-mcp-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { type PlayedBrowser, startPlayedBrowser } from "../../support/played-browser.ts";
import { closing } from "../flow/support/harness.ts";
import { type Pair, startPair } from "../flow/support/real-servers.ts";
import { type HostKind, type ProxyHost, startProxyHost } from "./support/proxy-host.ts";
import { initialize, messagesOf, startRawHost } from "./support/raw-host.ts";
import { type CliEnvironment, cliPath, jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { signIn } from "./support/sign-in.ts";

const modern = "SDK v2 on the 2026-07-28 wire";
/** Every kind of host and every kind of server, though not each with each. */
const pairs: { kind: HostKind; server: Partial<ProtectedMcpServerOptions> }[] = [
  { kind: "SDK v1", server: { sdk: "v1" } },
  { kind: "SDK v1", server: { sdk: "v1", transport: "sse" } },
  { kind: "SDK v1", server: { sdk: "v2" } },
  { kind: "SDK v2", server: { sdk: "v2", stateless: true } },
  { kind: modern, server: { sdk: "v1" } },
  { kind: modern, server: { sdk: "v1", transport: "sse" } },
  { kind: modern, server: { sdk: "v2" } },
];
const PATIENCE = { timeout: 20_000, interval: 20 };

interface Surroundings extends Pair {
  readonly browser: PlayedBrowser;
  readonly env: CliEnvironment;
  start(kind?: HostKind, ...options: string[]): Promise<ProxyHost>;
}

async function surroundings(...options: Parameters<typeof startPair>): Promise<Surroundings> {
  const pair = await startPair(...options);
  const browser = closing(await startPlayedBrowser());
  const env = { ...(await newHome()).env, ...browser.env };
  const start: Surroundings["start"] = (kind = "SDK v1", ...more) =>
    startProxyHost({ kind, env, args: [pair.mcp.url.href, ...more] });
  return { ...pair, browser, env, start };
}

it.each(pairs)("lets $kind use a server with $server, and signs in once", async ({ kind, server }) => {
  const { mcp, browser, start } = await surroundings({}, server);
  const host = await start(kind);
  expect(await host.toolNames()).toEqual(["echo", "whoami", "admin", "count", "slow"]);
  expect(await host.call("echo", { text: "grüß dich\u2028🙂" })).toBe("grüß dich\u2028🙂");
  expect(JSON.parse(await host.call("whoami"))).toMatchObject({ scopes: ["mcp:tools"] });
  await host.close();
  expect(mcp.sessionCount).toBe(0);
  expect(browser.visited).toHaveLength(1);
});

it.each([
  { kind: "SDK v1", revision: "2025-11-25", named: undefined },
  { kind: modern, revision: "2026-07-28", named: "echo" },
] as const)("speaks the revision of $kind, and tells it that the tools changed", async ({ kind, revision, named }) => {
  const { mcp, start } = await surroundings({}, { sdk: "v2" });
  const host = await start(kind);
  await host.call("echo", { text: "hi" });
  const [call] = mcp.log.find("POST", "/mcp").slice(-1);
  expect(call?.headers["mcp-protocol-version"]).toBe(revision);
  expect(call?.headers["mcp-name"]).toBe(named);
  if (kind === modern) await (host.client as ClientV2).listen({ toolsListChanged: true });
  // A stream that is not up yet misses it.
  const told = async (): Promise<boolean> => mcp.notifyToolsChanged().then(() => host.toolChanges() > 0);
  await vi.waitUntil(told, PATIENCE);
});

it.each([
  { kind: "SDK v1", server: { sdk: "v1", path: "/mcp/" } },
  { kind: "SDK v1", server: { sdk: "v1", transport: "sse", path: "/sse/" } },
  { kind: modern, server: { sdk: "v2", path: "/mcp/" } },
] as const)("lets $kind use $server, which redirects before it asks who is there", async ({ kind, server }) => {
  const { mcp, browser, env } = await surroundings({}, server);
  const moved = (_request: unknown, response: ServerResponse): unknown =>
    response.writeHead(307, { location: server.path }).end();
  mcp.respond(server.path.slice(0, -1), moved);
  const host = await startProxyHost({ kind, env, args: [mcp.url.href.slice(0, -1)] });
  expect(await host.call("echo", { text: "moved" })).toBe("moved");
  if (kind === modern) await (host.client as ClientV2).listen({ toolsListChanged: true });
  const told = async (): Promise<boolean> => mcp.notifyToolsChanged().then(() => host.toolChanges() > 0);
  await vi.waitUntil(told, PATIENCE);
  await host.close();
  expect(mcp.sessionCount).toBe(0);
  expect(browser.visited).toHaveLength(1);
});

it.each([
  { fault: "an overload", answer: (_request, response) => response.writeHead(503).end() },
  { fault: "a cut", answer: (request) => request.socket.destroy() },
] satisfies { fault: string; answer: FaultHandler }[])(
  "hears what the server says by itself after $fault where that began",
  async ({ answer }) => {
    const { mcp, start } = await surroundings();
    const fault = mcp.respond("GET /mcp", answer, { times: 1 });
    const host = await start();
    const told = async (): Promise<boolean> => mcp.notifyToolsChanged().then(() => host.toolChanges() > 0);
    await vi.waitUntil(told, PATIENCE);
    expect(fault.hits).toBe(1);
  },
);

it("finds the older transport after a request that was cancelled before it was answered", async () => {
  const { mcp, env } = await surroundings({}, { sdk: "v1", transport: "sse" });
  const run = startRawHost([mcp.url.href], env);
  const cancelled = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } };
  run.say(`{"jsonrpc":"2.0","id":1,"method":"ping"}\n${JSON.stringify(cancelled)}`);
  run.say(initialize(2));
  expect(await run.hears(2)).toMatchObject({ result: { serverInfo: { name: "fixture-v1" } } });
});

it("does not send a call that was cancelled while it waited for a sign-in", async () => {
  const { as, mcp } = await startPair();
  const opened: string[] = [];
  const browser = closing(await startPlayedBrowser({ open: (address) => opened.push(address) }));
  const home = await newHome();
  await signIn(home, mcp.url);
  const host = await startProxyHost({ kind: "SDK v1", env: { ...home.env, ...browser.env }, args: [mcp.url.href] });
  await host.call("echo", { text: "before" });
  as.revokeAll();
  const abort = new AbortController();
  const givenUp = expect(host.call("echo", { text: "given up" }, { signal: abort.signal })).rejects.toThrow("enough");
  await vi.waitUntil(() => opened.length === 1, PATIENCE);
  abort.abort("enough");
  await givenUp;
  const later = host.call("echo", { text: "later" });
  await new UserAgent().open(opened[0] ?? "");
  expect(await later).toBe("later");
  // What was sent beside it has arrived by then.
  await host.call("slow", { ms: 300 });
  const passed = mcp.log.find("POST", "/mcp").filter(({ status }) => status !== 401);
  expect(passed.filter(({ body }) => body.includes("given up"))).toEqual([]);
});

it("asks for more scopes where a tool needs them", async () => {
  const { browser, start } = await surroundings();
  const host = await start();
  expect(await host.call("admin")).toBe("done, as an administrator");
  expect(browser.visited).toHaveLength(2);
});

it("answers 300 calls that come at once when the token has ended, and refreshes it once", async () => {
  const { mcp, as, browser, start } = await surroundings();
  const host = await start();
  await host.call("echo", { text: "before" });
  mcp.invalidateAll();
  const texts = Array.from({ length: 300 }, (_, index) => `number ${index}`);
  expect(await Promise.all(texts.map((text) => host.call("echo", { text })))).toEqual(texts);
  const refreshes = as.log.find("POST", "/token").filter(({ body }) => body.includes("grant_type=refresh_token"));
  expect(refreshes).toHaveLength(1);
  expect(browser.visited).toHaveLength(1);
});

it("opens no page for a stream that nobody waits for, and takes it up when somebody has signed in", async () => {
  const { mcp, as, browser, start } = await surroundings();
  const host = await start();
  const told = async (): Promise<boolean> => mcp.notifyToolsChanged().then(() => host.toolChanges() > 0);
  await vi.waitUntil(told, PATIENCE);
  const before = host.toolChanges();
  as.revokeAll();
  mcp.dropStreams();
  await vi.waitUntil(() => host.stderr().includes("The next request of the host will ask you"), PATIENCE);
  expect(browser.visited).toHaveLength(1);
  expect(await host.call("echo", { text: "hi" })).toBe("hi");
  expect(browser.visited).toHaveLength(2);
  const toldAgain = async (): Promise<boolean> => mcp.notifyToolsChanged().then(() => host.toolChanges() > before);
  await vi.waitUntil(toldAgain, PATIENCE);
});

describe.each([{ sdk: "v1" }, { sdk: "v1", transport: "sse" }] as const)("with %j", (options) => {
  it("begins a session that the server has lost anew, and the host sees nothing of it", async () => {
    const { mcp, start } = await surroundings({}, options);
    const host = await start();
    await host.call("echo", { text: "before" });
    await mcp.dropSessions();
    mcp.dropStreams();
    if ("transport" in options) await vi.waitUntil(() => mcp.sessionCount === 0, PATIENCE);
    const texts = ["one", "two", "three"];
    expect(await Promise.all(texts.map((text) => host.call("echo", { text })))).toEqual(texts);
    expect(mcp.sessionCount).toBe(1);
    expect(host.stderr()).toContain("begun anew");
  });
});

describe("when nobody signs in", () => {
  it("answers every request with the reason, and asks once", async () => {
    const { mcp, browser, env } = await surroundings();
    browser.deny = true;
    const run = startRawHost([mcp.url.href], env);
    run.say(`${initialize(1)}\n${initialize(2)}`);
    const denied = { error: { code: -32000, data: { code: "authorization_denied" } } };
    for (const id of [1, 2]) expect(await run.hears(id)).toMatchObject(denied);
    run.say(initialize(3));
    expect(await run.hears(3)).toMatchObject(denied);
    expect(browser.visited).toHaveLength(1);
  });

  it("refuses only what needs more than there is, and asks once for that", async () => {
    const { mcp, browser, env, start } = await surroundings();
    const host = await start();
    await host.call("echo", { text: "before" });
    browser.deny = true;
    const denied = { data: { code: "authorization_denied" } };
    await expect(host.call("admin")).rejects.toMatchObject(denied);
    expect(await host.toolNames()).toContain("admin");
    expect(await host.call("echo", { text: "after" })).toBe("after");
    await expect(host.call("admin")).rejects.toMatchObject(denied);
    expect(browser.visited).toHaveLength(2);
    browser.deny = false;
    const login = await runCli(["login", mcp.url.href, "--scope", "mcp:admin"], { env });
    expect(login).toMatchObject({ exitCode: 0 });
    expect(await host.call("admin")).toBe("done, as an administrator");
    expect(browser.visited).toHaveLength(3);
  });

  it("goes on at once when somebody has signed in elsewhere", async () => {
    const { mcp, browser, env } = await surroundings();
    browser.deny = true;
    const run = startRawHost([mcp.url.href], env);
    run.say(initialize(1));
    expect(await run.hears(1)).toMatchObject({ error: { data: { code: "authorization_denied" } } });
    browser.deny = false;
    expect(await runCli(["login", mcp.url.href], { env })).toMatchObject({ exitCode: 0 });
    run.say(initialize(2));
    expect(await run.hears(2)).toMatchObject({ result: { serverInfo: { name: "fixture-v1" } } });
    expect(browser.visited).toHaveLength(2);
  });

  it("with --no-login says what to type, and goes on as soon as somebody has", async () => {
    const { mcp, browser, env } = await surroundings();
    const run = startRawHost([mcp.url.href, "--no-login"], env);
    run.say(initialize(1));
    expect(JSON.stringify(await run.hears(1))).toContain(`mcp-oauth login ${mcp.url.href}`);
    expect(browser.visited).toEqual([]);
    const elsewhere = await startProxyHost({ kind: "SDK v1", env, args: [mcp.url.href] });
    await elsewhere.close();
    run.say(initialize(2));
    expect(await run.hears(2)).toMatchObject({ result: { serverInfo: { name: "fixture-v1" } } });
  });
});

describe("as a process", () => {
  it("writes nothing but MCP to stdout, whatever it is told", async () => {
    const { mcp, env } = await surroundings();
    const run = startRawHost([mcp.url.href], env);
    const lines = [
      "",
      "not json",
      "[]",
      '{"jsonrpc":"2.0"}',
      "7",
      `[${initialize(1)}]`,
      '{"jsonrpc":"2.0","method":"x"}',
    ];
    run.say(lines.join("\r\n"));
    await run.hears(1);
    run.process.stdin?.end();
    const { stdout, exitCode } = await run.ended;
    const codes = messagesOf(stdout).map(({ error }) => error?.code);
    expect(codes.sort()).toEqual([-32600, -32600, -32700, undefined]);
    expect(exitCode).toBe(0);
  });

  it("refuses a request that it cannot read under the id for which its host waits", async () => {
    const { env } = await newHome();
    const run = startRawHost(["http://127.0.0.1:1/mcp"], env);
    run.say('{"jsonrpc":"2.0","id":9,"method":"ping","params":[1]}');
    expect(await run.hears(9)).toMatchObject({ error: { code: -32600 } });
  });

  it("ends when its stdin ends, and ends the session", async () => {
    const { mcp, env } = await surroundings();
    const run = startRawHost([mcp.url.href], env);
    run.say(initialize(1));
    await run.hears(1);
    expect(mcp.sessionCount).toBe(1);
    run.process.stdin?.end();
    expect((await run.ended).exitCode).toBe(0);
    expect(mcp.log.count("DELETE", "/mcp")).toBe(1);
    expect(mcp.sessionCount).toBe(0);
  });

  it("ends at SIGTERM, and ends the session", async () => {
    const { mcp, env } = await surroundings();
    const run = startRawHost([mcp.url.href], env);
    run.say(initialize(1));
    await run.hears(1);
    run.process.kill("SIGTERM");
    expect((await run.ended).exitCode).toBe(130);
    expect(mcp.sessionCount).toBe(0);
  });

  it("ends when its host dies, and ends the session", async () => {
    const { mcp, env } = await surroundings();
    const run = startRawHost([mcp.url.href], env);
    run.say(initialize(1));
    await run.hears(1);
    run.process.stdout?.destroy();
    run.say('{"jsonrpc":"2.0","id":2,"method":"ping"}');
    await once(run.process, "exit");
    expect(mcp.sessionCount).toBe(0);
  });

  it("ends during a sign-in, and leaves no listener", async () => {
    const { mcp, env } = await surroundings();
    const run = startRawHost([mcp.url.href], { ...env, BROWSER: "/bin/true" });
    run.say(initialize(1));
    await run.printed("Waiting for you to sign in");
    run.process.stdin?.end();
    expect((await run.ended).exitCode).toBe(0);
  });

  it("goes on when the host has closed its stderr", async () => {
    const { env } = await newHome();
    const run = startRawHost(["http://127.0.0.1:1/mcp"], env);
    // The host hears of a server that is not there, and so would whoever reads the remarks.
    for (const id of [1, 2, 3]) {
      run.process.stderr?.destroy();
      run.say(initialize(id));
      expect(await run.hears(id)).toMatchObject({ error: { message: expect.stringContaining("127.0.0.1:1") } });
    }
    run.process.stdin?.end();
    expect((await run.ended).exitCode).toBe(0);
  });

  it.each([
    { args: ["nonsense"], says: "is not the URL of an MCP server" },
    { args: ["nonsense", "--json"], says: "is not the URL of an MCP server" },
    { args: ["--nonsense", "--json"], says: "unknown option" },
  ])("refuses $args, with nothing on stdout", async ({ args, says }) => {
    const { env } = await newHome();
    const { exitCode, stdout, stderr } = await runCli(["proxy", ...args], { env });
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: "" });
    expect(stderr).toContain(says);
  });

  it("refuses as JSON where its configuration was to be JSON", async () => {
    const { env } = await newHome();
    const refused = jsonOf(await runCli(["proxy", "nonsense", "--print-config", "--json"], { env }));
    expect(refused).toMatchObject({ error: { code: "invalid_argument" } });
  });
});

it("serves the MCP Inspector", async () => {
  const { mcp, env } = await surroundings();
  const inspector = await unpackInspector();
  const run = promisify(execFile);
  const started = [inspector, "--cli", process.execPath, cliPath, "proxy", mcp.url.href];
  const list = await run(process.execPath, [...started, "--method", "tools/list"], { env });
  expect(JSON.parse(list.stdout).tools).toHaveLength(5);
  const call = ["--method", "tools/call", "--tool-name", "echo", "--tool-arg", "text=inspected"];
  const called = await run(process.execPath, [...started, ...call], { env });
  expect(JSON.parse(called.stdout).content).toEqual([{ type: "text", text: "inspected" }]);
});

/** The Inspector's command line expects to lie inside of the Inspector. */
async function unpackInspector(): Promise<string> {
  const packages = fileURLToPath(new URL("../../../node_modules", import.meta.url));
  const published = join(packages, "@modelcontextprotocol/inspector-cli");
  const folder = await mkdtemp(join(tmpdir(), "inspector-"));
  closing({ close: () => rm(folder, { recursive: true, force: true }) });
  await cp(join(published, "build"), join(folder, "cli/build"), { recursive: true });
  for (const place of ["", "cli"]) await cp(join(published, "package.json"), join(folder, place, "package.json"));
  await symlink(packages, join(folder, "node_modules"));
  return join(folder, "cli/build/cli.js");
}
