// Each example as somebody runs it who copied it: unchanged, with the package as it is installed, and real servers.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type RunningAuthorizationServer, startAuthorizationServer } from "../servers/authorization-server.ts";
import { type RunningProtectedMcpServer, startProtectedMcpServer } from "../servers/protected-mcp-server.ts";
import { type PlayedBrowser, startPlayedBrowser } from "../support/played-browser.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const names = ["wrap-a-transport-v1", "wrap-a-transport-v2", "token-manager"];
const TOOLS = "5 tools: echo, whoami, admin, count, slow";

let folder: string;
let browser: PlayedBrowser;
let authorizationServer: RunningAuthorizationServer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "examples-"));
  await build({
    entryPoints: names.map((name) => join(root, "examples", `${name}.ts`)),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    format: "esm",
    logLevel: "error",
  });
  await mkdir(join(folder, "node_modules"));
  for (const [name, target] of [
    ["mcp-oauth-client", root],
    ["@modelcontextprotocol", join(root, "node_modules/@modelcontextprotocol")],
  ] as const) {
    await symlink(target, join(folder, "node_modules", name), "dir");
  }
  browser = await startPlayedBrowser();
  authorizationServer = await startAuthorizationServer();
}, 60_000);

afterAll(async () => {
  await authorizationServer.close();
  await browser.close();
  await rm(folder, { recursive: true, force: true });
});

interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

async function run(name: string, url: URL): Promise<Outcome> {
  const home = join(folder, "home");
  // Of the machine's own there is nothing: no home, no keychain, no display.
  const env = {
    ...browser.env,
    HOME: home,
    XDG_STATE_HOME: join(home, "state"),
    DBUS_SESSION_BUS_ADDRESS: process.env.DBUS_SESSION_BUS_ADDRESS,
  };
  const child = spawn(process.execPath, [join(folder, `${name}.mjs`), url.href], { env, cwd: folder });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
  return { code: code as number | null, stdout, stderr };
}

function serve(sdk: "v1" | "v2"): Promise<RunningProtectedMcpServer> {
  const { verifyAccessToken, issuer } = authorizationServer;
  return startProtectedMcpServer({ sdk, verifyAccessToken, authorizationServers: [issuer] });
}

describe.each(["v1", "v2"] as const)("the examples, with a server of SDK %s", (sdk) => {
  it.each(["wrap-a-transport-v1", "wrap-a-transport-v2"])("%s signs in and lists the tools", async (name) => {
    const server = await serve(sdk);
    const { code, stdout, stderr } = await run(name, server.url);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`${server.resource} wants a sign-in at ${new URL(authorizationServer.issuer).host}\n`);
    expect(stdout).toContain("A sign-in has started.");
    expect(stdout).toContain(`Connected. The server has ${TOOLS}`);
    expect(browser.visited.splice(0)).toHaveLength(1);
    await server.close();
  });

  it("token-manager gets a token, uses it and signs out", async () => {
    const server = await serve(sdk);
    const { code, stdout, stderr } = await run("token-manager", server.url);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`A token by ${authorizationServer.issuer} for: mcp:tools`);
    expect(stdout).toContain("by accident: [redacted]\n");
    expect(stdout).toContain("The server answers 200\n");
    expect(stdout).toContain(`Signed out of ${server.resource}: revoked\n`);
    expect(browser.visited.splice(0)).toHaveLength(1);
    await server.close();
  });
});

it.each(names)("%s says what happened when the person declines", async (name) => {
  const server = await serve("v2");
  browser.deny = true;
  const { code, stderr } = await run(name, server.url).finally(() => {
    browser.deny = false;
  });
  expect(code).toBe(1);
  expect(stderr).toMatch(/^.*(declined|denied|not granted).*\n$/i);
  expect(browser.visited.splice(0)).toHaveLength(1);
  await server.close();
});
