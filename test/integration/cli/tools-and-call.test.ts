import { describe, expect, it } from "vitest";
import type { ProtectedMcpServerOptions } from "../../servers/protected-mcp-server.ts";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { startPlayedBrowser } from "../../support/played-browser.ts";
import { requires } from "../../support/requires.ts";
import { closing } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { type CliEnvironment, jsonOf, newHome, runCli, startCli } from "./support/run-cli.ts";
import { startTalkativeServer } from "./support/talkative-server.ts";
import { openTerminal } from "./support/terminal.ts";

/** A home in which somebody has signed in to a server. */
async function signedIn(options: Partial<ProtectedMcpServerOptions>): Promise<{ url: string; env: CliEnvironment }> {
  const { mcp } = await startPair({}, options);
  const browser = closing(await startPlayedBrowser());
  const env = { ...(await newHome()).env, ...browser.env };
  const url = mcp.url.href;
  const { exitCode, stderr } = await runCli(["login", url], { env });
  expect(exitCode, stderr).toBe(0);
  return { url, env };
}

const servers = [{ sdk: "v1" }, { sdk: "v1", transport: "sse" }, { sdk: "v2" }] as const;

describe.each(servers)("on a server with %j", (options) => {
  it("lists tools and calls one", async () => {
    const { url, env } = await signedIn(options);
    const listed = await runCli(["tools", url], { env });
    expect(listed, listed.stderr).toMatchObject({ exitCode: 0 });
    expect(listed.stdout).toMatch(/^echo\n {2}text +string$/m);
    expect(listed.stdout).toMatch(/^count\n {2}to +integer$/m);
    const called = await runCli(["call", url, "echo", '{"text":"hello\\u001b[31m"}'], { env });
    expect(called).toMatchObject({ exitCode: 0, stdout: "hello\u001b[31m\n" });
  });
});

it("gives everything with --json", async () => {
  const { url, env } = await signedIn({ sdk: "v2" });
  const listed = jsonOf(await runCli(["tools", url, "--json"], { env }));
  expect(listed).toMatchObject({ server: { url, name: "fixture-v2", version: "2.0.0" } });
  expect(listed.tools).toContainEqual(expect.objectContaining({ name: "echo", inputSchema: expect.anything() }));
  const called = jsonOf(await runCli(["call", url, "echo", "-", "--json"], { env, stdin: '{"text":"hi"}' }));
  expect(called).toMatchObject({ content: [{ type: "text", text: "hi" }] });
});

it("reads arguments by name as the tool wants them", async () => {
  const { url } = await startTalkativeServer();
  const { env } = await newHome();
  const text = await runCli(["call", url.href, "length", "--arg", "text=12345=6"], { env });
  expect(text).toMatchObject({ exitCode: 0, stdout: "7\n" });
  const number = await runCli(["call", url.href, "repeat", "--arg", "times=3"], { env });
  expect(number).toMatchObject({ exitCode: 0, stdout: "xxx\n" });
  const wrong = await runCli(["call", url.href, "repeat", "--arg", "times=many"], { env });
  expect(wrong.exitCode).toBe(2);
  expect(wrong.stderr).toContain('The parameter "times" takes number; this is not: "many"');
  const unknown = await runCli(["call", url.href, "nothing", "--arg", "a=b"], { env });
  expect(unknown).toMatchObject({ exitCode: 1, stdout: "" });
  expect(unknown.stderr).toContain(`mcp-oauth tools ${url.href}`);
});

it("says what the tool says when it fails, and fails", async () => {
  const { url, env } = await signedIn({ sdk: "v1" });
  const failed = await runCli(["call", url, "count", '{"to":"three"}'], { env });
  expect(failed.exitCode).toBe(1);
  expect(failed.stdout).toContain("expected number");
  expect(failed.stderr).toMatch(/^The tool says that it failed\.\n$/m);
  const arguments_ = await runCli(["call", url, "echo", "[1]"], { env });
  expect(arguments_).toMatchObject({ exitCode: 2, stdout: "" });
});

it("asks nobody where nobody is, and says what to type", async () => {
  const { mcp } = await startPair();
  const browser = closing(await startPlayedBrowser());
  const env = { ...(await newHome()).env, ...browser.env };
  const { exitCode, stdout, stderr } = await runCli(["tools", mcp.url.href], { env });
  expect({ exitCode, stdout }).toEqual({ exitCode: 3, stdout: "" });
  expect(stderr).toContain(`mcp-oauth login ${mcp.url.href}`);
  const asData = await runCli(["call", mcp.url.href, "echo", "--json"], { env });
  expect(asData.exitCode).toBe(3);
  expect(jsonOf(asData)).toMatchObject({ error: { code: "interaction_required", server: mcp.url.href } });
  expect(browser.visited).toEqual([]);
});

it("tells a server that is not there, or is no MCP server, from others", async () => {
  const { env } = await newHome();
  const server = closing(await startScriptedServer());
  const strange = await runCli(["tools", `${server.url}/mcp`], { env });
  expect(strange.exitCode).toBe(5);
  expect(strange.stderr).toContain("answered with HTTP status 404");
  await server.close();
  const gone = await runCli(["tools", `${server.url}/mcp`], { env });
  expect(gone.exitCode).toBe(6);
  expect(gone.stderr).toContain(`${new URL(server.url).host} could not be reached: ECONNREFUSED.`);
});

it.each([
  ["a page", new Response("<h1>Welcome</h1>", { headers: { "content-type": "text/html" } })],
  ["JSON that is broken", new Response("{oops", { headers: { "content-type": "application/json" } })],
  ["JSON that is no answer", Response.json({ hello: "world" })],
])("is not content with %s, and says who finds out why", async (_, answer) => {
  const { env } = await newHome();
  const server = closing(await startScriptedServer({ "*": () => answer.clone() }));
  const url = `${server.url}/mcp`;
  const { exitCode, stdout, stderr } = await runCli(["tools", url], { env });
  expect({ exitCode, stdout }).toEqual({ exitCode: 5, stdout: "" });
  expect(stderr).toContain(`${new URL(url).host} answered with what is not MCP`);
  expect(stderr).toContain(`Find out why: mcp-oauth doctor ${url}`);
});

it("writes nothing but its result to stdout, whatever the SDK has to say of a server without tools", async () => {
  const { env } = await newHome();
  const result = { protocolVersion: "2025-06-18", capabilities: {}, serverInfo: { name: "bare", version: "1" } };
  const server = closing(
    await startScriptedServer({
      "POST /mcp": (request, { json, text }) => {
        const { id, method } = request.json() as { id?: number; method: string };
        if (id === undefined) return text("", 202);
        const known = method === "initialize";
        return json({ jsonrpc: "2.0", id, ...(known ? { result } : { error: { code: -32601, message: "unknown" } }) });
      },
    }),
  );
  const listed = await runCli(["tools", `${server.url}/mcp`, "--json"], { env });
  expect(jsonOf(listed)).toMatchObject({ server: { name: "bare" }, tools: [] });
});

it("says what it waits for: for a server that does not answer, and for a tool", async () => {
  const { env } = await newHome();
  const mute = closing(await startScriptedServer({ "*": (request, { hang }) => hang(request) }));
  const connecting = startCli(["tools", `${mute.url}/mcp`], { env });
  const talkative = await startTalkativeServer();
  const calling = startCli(["call", talkative.url.href, "wait"], { env });
  await connecting.printed(`Connecting to ${new URL(mute.url).host}`);
  connecting.process.kill("SIGINT");
  expect(await connecting.ended).toMatchObject({ exitCode: 130, stdout: "" });
  await calling.printed('Waiting for "wait"');
  talkative.goOn();
  expect(await calling.ended).toMatchObject({ exitCode: 0, stdout: "went on\n" });
});

describe.runIf(requires("terminal"))("at a terminal", () => {
  it("lets a person sign in on the way, and shows tools in 80 columns", async () => {
    const { mcp } = await startPair();
    const browser = closing(await startPlayedBrowser());
    const env = { ...(await newHome()).env, ...browser.env };
    const terminal = await openTerminal(["tools", mcp.url.href], { env });
    expect(await terminal.exitCode(), await terminal.everything()).toBe(0);
    const screen = await terminal.everything();
    expect(screen).toContain(`Sign in to   ${mcp.url.href}`);
    expect(screen).toContain(`Try one:\n  $ mcp-oauth call ${mcp.url.href} echo --arg text=VALUE`);
    expect(await terminal.hasCursor()).toBe(true);
    expect(browser.visited).toHaveLength(1);
  });

  it("ends at Ctrl-C while it waits for a sign-in", async () => {
    const { mcp } = await startPair();
    const env = { ...(await newHome()).env, BROWSER: "/bin/true" };
    const terminal = await openTerminal(["tools", mcp.url.href], { env });
    await terminal.shows("Waiting for you to sign in");
    await terminal.press("C-c");
    expect(await terminal.exitCode()).toBe(130);
    expect(await terminal.everything()).toContain("Interrupted.");
    expect(await terminal.hasCursor()).toBe(true);
  });

  it("obeys no escape sequence of a tool's answer", async () => {
    const { mcp } = await startPair();
    const browser = closing(await startPlayedBrowser());
    const env = { ...(await newHome()).env, ...browser.env };
    const terminal = await openTerminal(["call", mcp.url.href, "echo", '{"text":"a\\u001b[2Jb\\n  c"}'], { env });
    expect(await terminal.exitCode(), await terminal.everything()).toBe(0);
    expect(await terminal.everything()).toContain("a [2Jb\n  c");
  });
});
