// Sessions in the files of other programs, in exactly their formats: mcp-remote 0.1 and 0.15, gemini-cli.
import { createHash } from "node:crypto";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { requires } from "../../support/requires.ts";
import { type ForeignSession, signInElsewhere } from "../flow/support/foreign-session.ts";
import { type Pair, startAs, startPair } from "../flow/support/real-servers.ts";
import { type CliHome, jsonOf, newHome, runCli } from "./support/run-cli.ts";
import { openTerminal } from "./support/terminal.ts";

interface Stage extends Pair {
  readonly home: CliHome;
  readonly session: ForeignSession;
  readonly url: string;
}

async function setUp(...options: Parameters<typeof startPair>): Promise<Stage> {
  const pair = await startPair(...options);
  return { ...pair, home: await newHome(), session: await signInElsewhere(pair), url: pair.mcp.url.href };
}

async function write(path: string, value: unknown): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, JSON.stringify(value, null, 2), { mode: 0o600 });
  return path;
}

interface McpRemote {
  readonly version?: string;
  readonly tokens?: Record<string, unknown>;
  readonly client?: Record<string, unknown>;
}

/** What mcp-remote leaves behind; its registration is an answer of RFC 7591 with everything in it. */
async function leaveMcpRemote(stage: Stage, { version = "v1", tokens = {}, client = {} }: McpRemote = {}) {
  const { home, session, url } = stage;
  const hash = createHash("md5").update(url).digest("hex");
  const file = (name: string): string => join(home.folder, ".mcp-auth", `mcp-remote-${version}`, `${hash}_${name}`);
  const registration = {
    redirect_uris: ["http://localhost:3334/oauth/callback"],
    token_endpoint_auth_method: "none",
    grant_types: ["authorization_code", "refresh_token"],
    response_types: ["code"],
    client_name: "MCP CLI Proxy",
    client_id: session.client.clientId,
    ...client,
  };
  const noted = {
    access_token: session.accessToken,
    token_type: "Bearer",
    expires_in: 3600,
    scope: session.scope,
    refresh_token: session.refreshToken,
    ...tokens,
  };
  return {
    hash,
    files: [await write(file("tokens.json"), noted), await write(file("client_info.json"), registration)],
  };
}

function geminiEntry({ session, url }: Stage): Record<string, unknown> {
  const { accessToken, refreshToken, expiresAt, scope, issuer, client } = session;
  return {
    serverName: "fixture",
    token: { accessToken, refreshToken, expiresAt, tokenType: "Bearer", scope },
    clientId: client.clientId,
    tokenUrl: `${issuer}/token`,
    mcpServerUrl: url,
    updatedAt: Date.now(),
  };
}

async function leaveGeminiCli(stage: Stage, ...more: Record<string, unknown>[]): Promise<string> {
  const path = join(stage.home.folder, ".gemini/mcp-oauth-tokens.json");
  return write(path, [geminiEntry(stage), ...more]);
}

const run = ({ home }: Stage, ...args: string[]) => runCli(["import", ...args], { env: home.env });
const whoami = ({ home, url }: Stage) => runCli(["call", url, "whoami"], { env: home.env });
const refreshesOf = ({ as }: Stage): string[] =>
  as.log.find("POST", "/token").flatMap(({ body }) => (body.includes("grant_type=refresh_token") ? [body] : []));

describe("a session of mcp-remote", () => {
  it("is taken over, used without a sign-in, and refreshed by its client", async () => {
    const stage = await setUp();
    const expired = { expires_at: Date.now() - 1000, issuer: stage.session.issuer, requested_scope: "mcp:tools" };
    const { files } = await leaveMcpRemote(stage, { tokens: expired });
    const before = await Promise.all(files.map((file) => readFile(file, "utf8")));
    const result = await run(stage, "--yes");
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toContain(`Taken over: ${stage.url}`);
    expect(result.stdout + result.stderr).not.toContain(stage.session.accessToken);
    expect(result.stdout + result.stderr).not.toContain(stage.session.refreshToken);
    expect(refreshesOf(stage)).toEqual([]);
    expect(await whoami(stage)).toMatchObject({ exitCode: 0 });
    const [refresh] = refreshesOf(stage);
    expect(new URLSearchParams(refresh).get("client_id")).toBe(stage.session.client.clientId);
    expect(await Promise.all(files.map((file) => readFile(file, "utf8")))).toEqual(before);
  });

  it("of an old version, which notes neither the issuer nor the end, is taken over by what its token says", async () => {
    const stage = await setUp();
    await leaveMcpRemote(stage, { version: "0.1.18" });
    const { found, imported } = jsonOf<Record<string, unknown[]>>(await run(stage, "--yes", "--json"));
    expect(found).toEqual(imported);
    const expected = { origin: "mcp-remote", server: stage.url, issuer: stage.as.issuer, refreshable: true };
    expect(imported).toEqual([expect.objectContaining(expected)]);
    expect(await whoami(stage)).toMatchObject({ exitCode: 0 });
    expect(refreshesOf(stage)).toEqual([]);
  });

  it("whose files do not say which server it is of is found by the name of the server, or by a host's configuration", async () => {
    const stage = await setUp({ accessTokenFormat: "opaque" });
    const { hash } = await leaveMcpRemote(stage, { tokens: { issuer: stage.session.issuer } });
    const unknown = await run(stage, "--yes");
    expect(unknown).toMatchObject({ exitCode: 0 });
    expect(unknown.stdout).toContain(hash);
    expect(unknown.stdout).toContain("--server URL");
    expect(unknown.stderr).toContain("Nothing was taken over.");
    const other = jsonOf(await run(stage, "--server", `${stage.url}x`, "--json"));
    expect(other).toEqual({ found: [], imported: [], refused: [] });
    const named = jsonOf(await run(stage, "--server", stage.url, "--json"));
    expect(named.found).toEqual([expect.objectContaining({ server: stage.url })]);
    const started = { command: "npx", args: ["mcp-remote", stage.url, "--debug"] };
    await write(join(stage.home.folder, ".cursor/mcp.json"), { mcpServers: { fixture: started } });
    expect(await run(stage, "--yes")).toMatchObject({ exitCode: 0 });
    expect(await whoami(stage)).toMatchObject({ exitCode: 0 });
  });

  it.each([
    ["a client", { client: { client_id: undefined } }, "the client it belongs to was given by hand"],
    ["a token", { tokens: { access_token: undefined } }, "its file has no token"],
  ])("without %s is shown with the reason", async (_what, missing, reason) => {
    const stage = await setUp();
    await leaveMcpRemote(stage, { tokens: { issuer: stage.session.issuer }, ...missing });
    const { stdout, exitCode } = await run(stage, "--yes");
    expect(exitCode).toBe(0);
    expect(stdout.replace(/\s+/g, " ")).toContain(reason);
  });

  it("of another authorization server than the server has today is refused, and its tokens go nowhere", async () => {
    const stage = await setUp();
    const other = await startAs();
    await leaveMcpRemote(stage, { tokens: { issuer: other.issuer } });
    stage.as.log.clear();
    const result = await run(stage, "--yes");
    expect(result.exitCode).toBe(1);
    expect(result.stdout).toContain(`Not taken over: ${stage.url}`);
    expect(result.stdout).toContain(other.issuer);
    for (const { log } of [stage.as, other]) expect(log.count("POST")).toBe(0);
    expect(await whoami(stage)).toMatchObject({ exitCode: 3 });
  });

  it("replaces another only with --force, and removes the originals only when told to", async () => {
    const stage = await setUp();
    const { files } = await leaveMcpRemote(stage);
    expect(await run(stage, "--yes")).toMatchObject({ exitCode: 0 });
    const again = await run(stage, "--yes", "--delete-originals");
    expect(again.exitCode).toBe(1);
    expect(again.stdout).toContain("--force");
    await readFile(files[0] ?? "");
    expect(await run(stage, "--yes", "--delete-originals", "--force")).toMatchObject({ exitCode: 0 });
    for (const file of files) await expect(readFile(file)).rejects.toThrow("ENOENT");
  });
});

describe("a session of gemini-cli", () => {
  it("is taken over, and its entry alone is removed when told to", async () => {
    const stage = await setUp();
    const file = await leaveGeminiCli(stage, { serverName: "another", token: { accessToken: "x" } });
    const result = await run(stage, "--yes", "--delete-originals");
    expect(result, result.stderr).toMatchObject({ exitCode: 0 });
    expect(result.stdout).toContain(`Taken over: ${stage.url}`);
    expect(await whoami(stage)).toMatchObject({ exitCode: 0 });
    expect(JSON.parse(await readFile(file, "utf8"))).toMatchObject([{ serverName: "another" }]);
  });

  it("that is encrypted is named, and left", async () => {
    const stage = await setUp();
    await write(join(stage.home.folder, ".gemini/mcp-oauth-tokens-v2.json"), "00:11:22");
    const { stdout, stderr, exitCode } = await run(stage, "--yes");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("encrypted by gemini-cli");
    expect(stderr).toContain("Nothing was taken over.");
  });
});

it("names what cannot be read or is none, and takes over the rest", async () => {
  const stage = await setUp();
  const { files } = await leaveMcpRemote(stage, { tokens: { issuer: stage.session.issuer } });
  const [folder, hash] = [dirname(files[0] ?? ""), "0".repeat(32)];
  await symlink("nowhere", join(folder, `${hash}_tokens.json`));
  await symlink(`${"1".repeat(32)}_tokens.json`, join(folder, `${"1".repeat(32)}_tokens.json`));
  const entry = { ...geminiEntry(stage), mcpServerUrl: "not a url" };
  await write(join(stage.home.folder, ".gemini/mcp-oauth-tokens.json"), [entry]);
  const result = await run(stage, "--yes", "--json");
  expect(result, result.stderr).toMatchObject({ exitCode: 0 });
  const { found, imported } = jsonOf<{ found: Record<string, unknown>[]; imported: unknown[] }>(result);
  const problems = found.flatMap(({ label, problem }) => (problem === undefined ? [] : [[label, problem]]));
  expect(Object.fromEntries(problems)).toEqual({
    [hash]: "its file has no token",
    ["1".repeat(32)]: "its files cannot be read (ELOOP)",
    fixture: 'the address of its server is not a URL: "not a url"',
  });
  expect(imported).toEqual([expect.objectContaining({ server: stage.url, expiresAt: expect.any(Number) })]);
  expect(found.every(({ expiresAt = 0 }) => Number.isInteger(expiresAt))).toBe(true);
});

it("takes nothing over without being told to, where nobody can be asked", async () => {
  const stage = await setUp();
  await leaveMcpRemote(stage);
  const { stdout, stderr, exitCode } = await run(stage);
  expect(exitCode).toBe(0);
  expect(stdout).toContain(stage.url);
  expect(stderr).toContain("mcp-oauth import --yes");
  for (const line of (stdout + stderr).split("\n")) expect(line.length, line).toBeLessThanOrEqual(80);
  expect(await whoami(stage)).toMatchObject({ exitCode: 3 });
});

it("says so when there is nothing", async () => {
  const { env } = await newHome();
  expect(await runCli(["import"], { env })).toMatchObject({ exitCode: 0, stdout: "" });
  expect(jsonOf(await runCli(["import", "--json"], { env }))).toEqual({ found: [], imported: [], refused: [] });
});

describe.runIf(requires("terminal"))("at a terminal", () => {
  it.each([
    { answer: "y", says: "Taken over:", exitCode: 0 },
    { answer: "", says: "Nothing was taken over.", exitCode: 3 },
  ])("asks, and $says when the answer is '$answer'", async ({ answer, says, exitCode }) => {
    const stage = await setUp();
    await leaveMcpRemote(stage);
    const terminal = await openTerminal(["import"], { env: stage.home.env });
    await terminal.shows("Take over this session? [y/N]");
    await terminal.type(answer);
    await terminal.press("Enter");
    await terminal.shows(says);
    expect(await terminal.exitCode()).toBe(0);
    expect(await whoami(stage)).toMatchObject({ exitCode });
  });

  it("ends at Ctrl-C, with nothing taken over", async () => {
    const stage = await setUp();
    await leaveMcpRemote(stage);
    const terminal = await openTerminal(["import"], { env: stage.home.env });
    await terminal.shows("[y/N]");
    await terminal.press("C-c");
    expect(await terminal.exitCode()).toBe(130);
    expect(await terminal.hasCursor()).toBe(true);
    expect(await whoami(stage)).toMatchObject({ exitCode: 3 });
  });
});
