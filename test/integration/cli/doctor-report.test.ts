// What leaves the machine: the report to attach to a bug report, and what is on the screen.
import { lstat, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { RunningScriptedAuthorizationServer } from "../../servers/scripted-authorization-server.ts";
import { requires } from "../../support/requires.ts";
import { startScripted } from "../flow/support/harness.ts";
import { jsonOf, newHome, runCli, startCli } from "./support/run-cli.ts";
import { openTerminal } from "./support/terminal.ts";

const canaries = {
  query: "canary-query-4711",
  path: "canarypath0815segment23",
  userAgentCookie: "canary-cookie-4711",
  session: "canary-session-4711",
  clientSecret: "canary-client-secret-4711",
  registrationToken: "canary-registration-token-4711",
  challenge: "canary-challenge-4711",
  header: "canary-header-4711",
  page: "eyJjYW5hcnkiOjF9.eyJjYW5hcnktcGFnZSI6MX0.canary_page_4711",
  body: "canary-body-token-4711",
  // Too short to be looked for elsewhere, and known by its name alone.
  short: "k-4711",
};

/** A server that lets secrets slip wherever one can be. */
async function startLeaky(): Promise<{ server: RunningScriptedAuthorizationServer; url: string }> {
  const path = `/${canaries.path}/mcp`;
  const server = await startScripted({
    metadata: { token_endpoint_auth_methods_supported: ["client_secret_basic"] },
    register: async (request, _usual, { json, url }) =>
      json(
        {
          client_id: "client",
          client_secret: canaries.clientSecret,
          client_secret_expires_at: 0,
          registration_access_token: canaries.registrationToken,
          registration_client_uri: `${url}/register/client`,
          redirect_uris: (request.json() as { redirect_uris: string[] }).redirect_uris,
        },
        201,
      ),
  });
  const url = `${server.url}${path}?api_key=${canaries.query}`;
  const resource = `${server.url}${path}?api_key=${canaries.query}`;
  server.options.routes = {
    [path]: (_request, { json }) => {
      const challenge = `Bearer realm="${canaries.query}", resource_metadata="${server.url}/metadata?sig=${canaries.challenge}"`;
      const headers = { "www-authenticate": challenge, "mcp-session-id": canaries.session, "x-debug": canaries.header };
      const answer = json(
        { access_token: canaries.body, who: canaries.userAgentCookie, deep: [{ apiKey: canaries.short }] },
        401,
        headers,
      );
      answer.headers.append("set-cookie", `sid=${canaries.userAgentCookie}; HttpOnly`);
      return answer;
    },
    "GET /metadata": (_request, { json }) => json({ resource, authorization_servers: [server.url] }),
    "GET /authorize": (_request, { html }) => html(`<input value="${canaries.page}">`, 400),
    "DELETE /register/client": (request, { json }) =>
      json({ error: "invalid_token", error_description: `unknown ${request.headers.authorization}` }, 401),
  };
  return { server, url };
}

it("leaves every secret out of the report, the screen and the JSON, and keeps what a reader needs", async () => {
  const { server, url } = await startLeaky();
  const home = await newHome();
  const file = join(home.folder, "report.json");
  const args = ["doctor", url, "--register", "--verbose"];
  const shown = await runCli([...args, "--report", file], home);
  const data = await runCli([...args, "--json"], home);
  const report = await readFile(file, "utf8");
  // The server was given what it was asked for, and gave away what it could.
  expect(server.log.count("DELETE", "/register/client")).toBe(2);
  expect(server.log.find("DELETE", "/register/client")[0]?.headers.authorization).toContain(canaries.registrationToken);
  for (const [place, canary] of Object.entries(canaries)) {
    for (const text of [shown.stdout, shown.stderr, data.stdout, report]) expect(text, place).not.toContain(canary);
    expect(report, place).not.toContain(encodeURIComponent(canary));
  }
  expect([shown.exitCode, data.exitCode], shown.stdout).toEqual([0, 0]);
  const parsed = JSON.parse(report) as Record<string, unknown>;
  expect(parsed).toMatchObject({
    format: "mcp-oauth doctor report",
    formatVersion: 1,
    package: { name: "mcp-oauth-client", version: "0.1.0" },
    verdict: { id: "can_sign_in" },
  });
  expect(parsed.platform).toMatch(/^Node v\d+/);
  for (const kept of ["www-authenticate", "/metadata?sig=[redacted]", "code_challenge_methods_supported", "RFC 7591"]) {
    expect(report).toContain(kept);
  }
});

it("writes the report for its owner alone, and replaces nothing unless told to", async () => {
  const { mcpUrl, log } = await startScripted();
  const home = await newHome();
  const file = join(home.folder, "report.json");
  const mine = join(home.folder, "mine");
  await writeFile(mine, "mine");
  await symlink(mine, file);
  const run = (...more: string[]) => runCli(["doctor", mcpUrl.href, "--report", file, ...more], home);
  const refused = await run();
  expect([refused.exitCode, refused.stdout]).toEqual([2, ""]);
  expect(refused.stderr).toContain("exists already");
  expect(log.requests).toHaveLength(0);
  expect((await run("--force")).exitCode).toBe(0);
  expect((await lstat(file)).mode & 0o777).toBe(0o600);
  expect((await lstat(file)).isSymbolicLink()).toBe(false);
  // What the link led to is not written through.
  expect(await readFile(mine, "utf8")).toBe("mine");
});

it("says so where the report cannot be written, before anything is asked", async () => {
  const { mcpUrl, log } = await startScripted();
  const home = await newHome();
  const result = await runCli(
    ["doctor", mcpUrl.href, "--report", join(home.folder, "no", "report.json"), "--json"],
    home,
  );
  expect(result.exitCode).toBe(1);
  expect(jsonOf(result).error).toMatchObject({ message: expect.stringContaining("ENOENT") });
  expect(log.requests).toHaveLength(0);
});

it("shows nothing of a server that a terminal would obey, and keeps to its columns without one", async () => {
  const evil = "\u001b[2J\u001b]0;owned\u0007\u202e";
  const { mcpUrl } = await startScripted({
    protectedResource: (usual) => ({ ...usual, scopes_supported: [`${evil}scope`], [evil]: evil }),
    metadata: (usual) => ({ ...usual, scopes_supported: [evil] }),
  });
  const home = await newHome();
  const { stdout, stderr, exitCode } = await runCli(["doctor", mcpUrl.href, "--verbose"], home);
  expect(exitCode).toBe(0);
  for (const text of [stdout, stderr])
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
  expect(stdout).toContain("owned");
});

it("survives metadata that is nested without end", async () => {
  const nested = `${'{"a":['.repeat(5000)}${"]}".repeat(5000)}`;
  const { mcpUrl } = await startScripted({
    routes: { "GET /.well-known/oauth-protected-resource/mcp": (_request, { text }) => text(nested) },
  });
  const { exitCode, stdout } = await runCli(["doctor", mcpUrl.href, "--json"], await newHome());
  expect([exitCode, stdout.includes("has no resource identifier")]).toEqual([5, true]);
});

it("keeps to 80 columns without a terminal", async () => {
  const { mcpUrl } = await startScripted({ challenge: null });
  const { stdout } = await runCli(["doctor", mcpUrl.href], await newHome());
  // A single word, mostly an address, stays whole so that it can be copied.
  const long = stdout.split("\n").filter((line) => line.length > 80 && line.trim().includes(" "));
  expect(long).toEqual([]);
  expect(stdout).toMatch(/^Verdict\n✓ mcp-oauth-client can sign in here/m);
});

it("does not understand an address that is none, nor an unknown option", async () => {
  const home = await newHome();
  for (const args of [["stdio-server"], ["https://u:p@mcp.example.com/mcp"], ["https://mcp.example.com", "--fix"]])
    expect((await runCli(["doctor", ...args], home)).exitCode, args.join(" ")).toBe(2);
});

it("leaves at once at Ctrl-C, and leaves no report", async () => {
  const { mcpUrl } = await startScripted({ mcp: (request, _usual, { hang }) => hang(request) });
  const home = await newHome();
  const file = join(home.folder, "report.json");
  const run = startCli(["doctor", mcpUrl.href, "--report", file], home);
  await run.printed("Asking the server");
  run.process.kill("SIGINT");
  expect(await run.ended).toMatchObject({ exitCode: 130, stdout: "" });
  await expect(lstat(file)).rejects.toMatchObject({ code: "ENOENT" });
});

describe.runIf(requires("terminal"))("in a terminal", () => {
  it("ends with the verdict on the screen and the cursor shown", async () => {
    const { mcpUrl } = await startScripted({ metadata: { registration_endpoint: undefined } });
    const terminal = await openTerminal(["doctor", mcpUrl.href], await newHome());
    expect(await terminal.exitCode()).toBe(5);
    expect(await terminal.screen()).toMatch(/✗ mcp-oauth-client cannot sign in here/);
    expect(await terminal.hasCursor()).toBe(true);
    const all = await terminal.everything({ colours: true });
    expect(all).toContain("1. MCP server");
    expect(all).toContain("Problem:");
    expect(all).toContain("\u001b[31m");
  });
});
