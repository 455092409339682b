// Signing in from the command line, with a browser and without one.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { requires } from "../../support/requires.ts";
import { type SecretService, startSecretService } from "../../support/secret-service.ts";
import { closing, startScripted } from "../flow/support/harness.ts";
import { startPair } from "../flow/support/real-servers.ts";
import { newDesktop, sessionsOf } from "./support/desktop.ts";
import { jsonOf, newHome, runCli, startCli } from "./support/run-cli.ts";
import { anySecret, signIn, tooWide } from "./support/sign-in.ts";

describe("with a browser", () => {
  it("says where the sign-in goes before it opens anything, and then what was granted, by whom, and until when", async () => {
    const { as, mcp } = await startPair();
    const desktop = await newDesktop();
    const { stdout, stderr, exitCode } = await runCli(["login", mcp.url.href], desktop);
    expect(exitCode, stderr).toBe(0);
    const [where = "", address] = stderr.split(
      "\n\n  Your browser opens. If it does not, open this address in it:\n\n",
    );
    expect(where).toMatch(new RegExp(`^  through +${new URL(as.issuer).host}$`, "m"));
    expect(address?.split("\n")[0]).toBe(desktop.browser.visited[0]);
    expect(stderr).toContain(`Try it: mcp-oauth tools ${mcp.url.href}`);
    for (const line of [
      `Signed in to ${mcp.url.href}`,
      "  account   default",
      `  issuer    ${as.issuer}`,
      "  scopes    mcp:tools",
      "  expires   in 60 minutes",
      "  refresh   in 48 minutes, when it is used",
      "  stored    encrypted file",
    ]) {
      expect(stdout.split("\n")).toContain(line);
    }
    expect(tooWide(stdout + stderr)).toEqual([]);
    expect(stdout + stderr).not.toMatch(anySecret);
    expect(await sessionsOf(desktop)).toMatchObject([{ server: mcp.url.href, account: "default", state: "signed_in" }]);
  });

  it("prints nothing but the session to stdout with --json, and still says where the sign-in goes", async () => {
    const { as, mcp } = await startPair();
    const args = ["login", mcp.url.href, "--json", "--account", "work", "--client-name", "Acme Agent"];
    const desktop = await newDesktop();
    const result = await runCli(args, desktop);
    expect(result.exitCode).toBe(0);
    expect(result.stderr).toMatch(new RegExp(`^  through +${new URL(as.issuer).host}$`, "m"));
    expect(result.stderr.split("\n")).toContain(desktop.browser.visited[0]);
    expect(jsonOf(result)).toEqual({
      needsSignIn: true,
      session: expect.objectContaining({
        server: mcp.url.href,
        account: "work",
        issuer: as.issuer,
        scope: "mcp:tools",
      }),
    });
    expect(result.stdout).not.toMatch(anySecret);
    const [registration] = as.log.find("POST", "/reg").map(({ body }) => JSON.parse(body) as Record<string, unknown>);
    expect(registration).toMatchObject({ client_name: "Acme Agent" });
  });

  it("asks for the scopes that it is told to, and says which were not granted", async () => {
    const server = await startScripted({ tokenResponse: { scope: "mcp:tools" } });
    const desktop = await newDesktop();
    const { stderr } = await runCli(["login", server.mcpUrl.href, "--scope", "mcp:tools files:write"], desktop);
    expect(new URL(desktop.browser.visited[0]!).searchParams.get("scope")).toContain("files:write");
    expect(stderr).toContain("Asked for, and not granted: files:write");
  });

  it("says that somebody is signed in already, and signs in again", async () => {
    const { mcp } = await startPair();
    const desktop = await newDesktop();
    await signIn(desktop, mcp.url);
    const { stderr, exitCode } = await runCli(["login", mcp.url.href], desktop);
    expect(exitCode).toBe(0);
    expect(stderr).toMatch(/You signed in .* as account default\. This sign-in takes the place of that one\./);
    expect(desktop.browser.visited).toHaveLength(1);
    expect(await sessionsOf(desktop)).toHaveLength(1);
  });

  it("listens where it is told to", async () => {
    const { mcp } = await startPair();
    const desktop = await newDesktop();
    const { port } = closing(await startScriptedServer());
    const taken = await runCli(["login", mcp.url.href, "--redirect-port", String(port)], desktop);
    expect(taken.exitCode).toBe(1);
    expect(taken.stderr).toContain("--redirect-port PORT");
    expect(desktop.browser.visited).toEqual([]);
    await runCli(["login", mcp.url.href, "--redirect-host", "localhost", "--redirect-path", "/back"], desktop);
    const redirectUri = new URL(desktop.browser.visited[0]!).searchParams.get("redirect_uri");
    expect(redirectUri).toMatch(/^http:\/\/localhost:\d+\/back$/);
  });

  it("exit code 4 when the person says no, and no session", async () => {
    const { mcp } = await startPair();
    const desktop = await newDesktop();
    desktop.browser.deny = true;
    expect(await runCli(["login", mcp.url.href], desktop)).toMatchObject({ exitCode: 4, stdout: "" });
    expect(await sessionsOf(desktop)).toEqual([]);
  });

  it("exit code 6 when nobody does anything in time, or the server cannot be reached", async () => {
    const { mcp } = await startPair();
    const desktop = await newDesktop({ open: () => undefined });
    const late = await runCli(["login", mcp.url.href, "--timeout", "1"], desktop);
    expect(late.exitCode).toBe(6);
    expect(late.stderr).toContain("--timeout SECONDS gives more time");
    const gone = await startScriptedServer();
    await gone.close();
    expect((await runCli(["login", `${gone.url}/mcp`], desktop)).exitCode).toBe(6);
  });

  it("waits no longer than it may for a server that never answers", async () => {
    const silent = closing(await startScriptedServer({ "*": (request, { hang }) => hang(request) }));
    const args = ["login", `${silent.url}/mcp`, "--timeout", "1"];
    for (const more of [[], ["--client-id", "app"]]) {
      const { stderr, exitCode } = await runCli([...args, ...more], await newHome());
      expect(exitCode, stderr).toBe(6);
      expect(stderr).toContain("could not begin within 1 s: a server did not answer");
    }
  });

  it("signs in where the session of another server cannot be read", async () => {
    const [{ mcpUrl: damaged }, { mcp }] = [await startScripted(), await startPair()];
    const desktop = await newDesktop();
    await signIn(
      { ...desktop, env: { ...desktop.env, MCP_OAUTH_CLIENT_KEY: Buffer.alloc(32, 7).toString("base64") } },
      damaged,
    );
    expect(await runCli(["status"], desktop)).toMatchObject({
      exitCode: 7,
      stdout: expect.not.stringContaining(mcp.url.href),
    });
    const { stdout, stderr, exitCode } = await runCli(["login", mcp.url.href], desktop);
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain(`Signed in to ${mcp.url.href}`);
    expect((await runCli(["token", mcp.url.href], desktop)).exitCode).toBe(0);
  });

  it("takes no empty text for a client id or name", async () => {
    const home = await newHome();
    for (const option of ["--client-id", "--client-name"]) {
      const { stderr, exitCode } = await runCli(["login", "https://mcp.example.com/mcp", option, ""], home);
      expect(exitCode, stderr).toBe(2);
      expect(stderr).toContain("It must not be empty.");
    }
  });

  it("exit code 5 when the server's metadata is wrong, with the way to find out why", async () => {
    const server = await startScripted({ metadata: { issuer: "https://elsewhere.example.com" } });
    const { stderr, exitCode } = await runCli(["login", server.mcpUrl.href], await newDesktop());
    expect(exitCode).toBe(5);
    expect(stderr).toContain(`Find out why: mcp-oauth doctor ${server.mcpUrl.href}`);
  });

  it("exit code 7 before anything is opened where the session could not be kept", async () => {
    const { mcp } = await startPair();
    const desktop = await newDesktop();
    const { MCP_OAUTH_CLIENT_KEY: _key, ...env } = desktop.env;
    const { stderr, exitCode } = await runCli(["login", mcp.url.href], { env });
    expect(exitCode).toBe(7);
    expect(stderr).toContain("export MCP_OAUTH_CLIENT_KEY=$(openssl rand -base64 32)");
    expect(desktop.browser.visited).toEqual([]);
  });

  it("says that a server needs no sign-in where it answers anybody", async () => {
    const open = closing(
      await startScriptedServer({ "POST /mcp": (_request, { json }) => json({ jsonrpc: "2.0", id: 1, result: {} }) }),
    );
    const desktop = await newDesktop();
    const result = await runCli(["login", `${open.url}/mcp`], desktop);
    expect(result).toMatchObject({
      exitCode: 0,
      stdout: `${open.url}/mcp needs no sign-in: it answers requests without a token.\n`,
    });
    expect(desktop.browser.visited).toEqual([]);
  });

  it.each([
    ["a page", 200, "<html>Welcome</html>", "text/html"],
    ["broken JSON", 200, '{"jsonrpc":"2.0"', "application/json"],
    ["JSON of something else", 200, '{"status":"ok"}', "application/json"],
    ["an error page", 400, "Bad request", "text/plain"],
  ])("does not take %s for a server that needs no sign-in: exit code 5", async (_what, status, body, type) => {
    const page = closing(
      await startScriptedServer({ "/mcp": (_request, { text }) => text(body, status, { "content-type": type }) }),
    );
    const result = await runCli(["login", `${page.url}/mcp`], await newHome());
    expect(result).toMatchObject({ exitCode: 5, stdout: "" });
    expect(result.stderr).toContain(`Find out why: mcp-oauth doctor ${page.url}/mcp`);
  });
});

describe("without a browser", () => {
  it("exit code 5 where the server has no sign-in on another device, with what it has", async () => {
    const { mcpUrl } = await startScripted();
    const { stderr, exitCode } = await runCli(["login", mcpUrl.href, "--device"], await newHome());
    expect(exitCode).toBe(5);
    expect(stderr).toContain("Sign in with a browser, or with --paste.");
  });

  it("says why, and takes a code on another device where the server has that: oidc-provider", async () => {
    const { mcp } = await startPair({ features: { deviceFlow: true } });
    const home = await newHome();
    const run = startCli(["login", mcp.url.href], { env: { ...home.env, SSH_CONNECTION: "10.0.0.1 5 10.0.0.2 22" } });
    const code = await run.printed(/code: +\S+/);
    const address = await run.printed(/http:\S+\/device$/m);
    await new UserAgent().enterUserCode(address, code.replace(/code: +/, ""));
    const { stdout, stderr, exitCode } = await run.ended;
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain(
      "No browser could be opened: this is an SSH session, and a browser would open on the other machine.",
    );
    expect(stdout).toContain(`Signed in to ${mcp.url.href}`);
  });

  it("says why, and otherwise shows the address to open: on this machine it works by itself", async () => {
    const { mcp } = await startPair();
    const run = startCli(["login", mcp.url.href], await newHome());
    await new UserAgent().open(await run.printed(/^http:\S+\/auth\?\S+$/m));
    const { stderr, exitCode } = await run.ended;
    expect(exitCode, stderr).toBe(0);
    expect(stderr).toContain("No browser could be opened: there is no display");
  });
});

describe.runIf(requires("secret-service"))("with a keychain", () => {
  let keychain: SecretService;
  beforeAll(async () => {
    keychain = await startSecretService();
  });
  afterAll(() => keychain.stop());

  it("keeps the session there, and not a word of it anywhere else", async () => {
    const { mcp } = await startPair();
    const desktop = await newDesktop();
    const { MCP_OAUTH_CLIENT_KEY: _key, ...env } = { ...desktop.env, ...keychain.env };
    const { stdout, stderr, exitCode } = await runCli(["login", mcp.url.href], { env });
    expect(exitCode, stderr).toBe(0);
    expect(stdout).toContain("  stored    keychain");
    const grep = promisify(execFile)("grep", ["-rl", "eyJ", desktop.folder]);
    await expect(grep).rejects.toMatchObject({ code: 1, stdout: "" });
    expect((await runCli(["logout", mcp.url.href], { env })).exitCode).toBe(0);
    expect((await runCli(["status", mcp.url.href], { env })).exitCode).toBe(3);
  });
});
