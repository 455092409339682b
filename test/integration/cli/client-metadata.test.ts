// Client ID metadata documents, made and checked.
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startScriptedServer } from "../../servers/scripted-server.ts";
import { closing } from "../flow/support/harness.ts";
import { jsonOf, newHome, runCli, startCli } from "./support/run-cli.ts";

const url = "https://app.example.com/client.json";
const make = ["client-metadata", "--url", url, "--name", "My App"];

describe("client-metadata", () => {
  it("prints a document that its own check finds nothing wrong with, with and without --json", async () => {
    const home = await newHome();
    const made = await runCli(make, home);
    expect(made).toMatchObject({ exitCode: 0, stderr: "" });
    expect(jsonOf(made)).toMatchObject({ client_id: url, client_name: "My App", token_endpoint_auth_method: "none" });
    expect(await runCli([...make, "--json"], home)).toEqual(made);
    const checked = await runCli(["client-metadata", "lint", "-"], { ...home, stdin: made.stdout });
    expect(checked).toEqual({
      exitCode: 0,
      stderr: "",
      stdout: "The document is a good client ID metadata document.\n",
    });
  });

  it("takes redirect URIs, scopes, keys and addresses", async () => {
    const home = await newHome();
    const file = join(home.folder, "keys.json");
    await writeFile(file, JSON.stringify({ keys: [{ kty: "EC", crv: "P-256", x: "x", y: "y" }] }));
    const options = ["--redirect", "https://app.example.com/a", "--redirect", "https://app.example.com/b"];
    const more = ["--scope", "a b", "--device", "--jwks", file, "--logo-uri", "https://app.example.com/logo.png"];
    const { stdout } = await runCli([...make, ...options, ...more], home);
    expect(JSON.parse(stdout)).toMatchObject({
      redirect_uris: ["https://app.example.com/a", "https://app.example.com/b"],
      application_type: "web",
      scope: "a b",
      grant_types: expect.arrayContaining(["urn:ietf:params:oauth:grant-type:device_code"]),
      token_endpoint_auth_method: "private_key_jwt",
      jwks: { keys: [{ kty: "EC" }] },
      logo_uri: "https://app.example.com/logo.png",
    });
  });

  it("refuses to make a document that no server would take, above all one with a private key", async () => {
    const home = await newHome();
    const file = join(home.folder, "keys.json");
    await writeFile(file, JSON.stringify({ keys: [{ kty: "EC", d: "the-private-part" }] }));
    const secret = await runCli([...make, "--jwks", file], home);
    expect(secret).toMatchObject({ exitCode: 1, stdout: "" });
    expect(secret.stderr).toContain("jwks contains a private key");
    expect(secret.stderr).not.toContain("the-private-part");
    expect(
      (await runCli(["client-metadata", "--url", "https://app.example.com", "--name", "My App"], home)).exitCode,
    ).toBe(2);
    expect((await runCli([...make, "--redirect", "http://app.example.com/"], home)).exitCode).toBe(1);
    expect((await runCli([...make, "--jwks", join(home.folder, "none")], home)).exitCode).toBe(2);
  });
});

describe("client-metadata lint", () => {
  it("says what is wrong with a file, line by line; exit code 1 for errors, not for warnings", async () => {
    const home = await newHome();
    const file = join(home.folder, "client.json");
    await writeFile(
      file,
      JSON.stringify({ client_id: url, redirect_uris: ["http://evil.example.com/"], client_secret: "s" }),
    );
    const { stdout, exitCode } = await runCli(["client-metadata", "lint", file], home);
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^error {2}client_secret {2}must not be in a public document$/m);
    expect(stdout).toMatch(/^warning {2}token_endpoint_auth_method {2}is missing/m);
    const data = await runCli(["client-metadata", "lint", file, "--json"], home);
    expect(data.exitCode).toBe(1);
    expect(jsonOf(data).findings).toContainEqual({
      level: "error",
      member: "client_secret",
      message: "must not be in a public document",
    });
    const { stdout: document } = await runCli(make, home);
    const { application_type: _left, ...rest } = JSON.parse(document) as Record<string, unknown>;
    await writeFile(file, JSON.stringify(rest));
    expect((await runCli(["client-metadata", "lint", file], home)).exitCode).toBe(0);
    const moved = await runCli(["client-metadata", "lint", file, "--url", "https://app.example.com/other.json"], home);
    expect(moved).toMatchObject({ exitCode: 1, stdout: expect.stringContaining("must be the document's own URL") });
  });

  it("says that a file names no client id, and not what is wrong with none", async () => {
    const home = await newHome();
    const made = JSON.parse((await runCli(make, home)).stdout) as Record<string, unknown>;
    const stdin = JSON.stringify({ ...made, client_id: undefined });
    const { stdout, exitCode } = await runCli(["client-metadata", "lint", "-"], { ...home, stdin });
    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/^error {2}client_id {2}is missing: .*$\n$/m);
  });

  it("exit code 6 where the address cannot be reached, and 130 at Ctrl-C while it does not answer", async () => {
    const home = await newHome();
    const gone = await startScriptedServer();
    await gone.close();
    expect((await runCli(["client-metadata", "lint", `${gone.url}/client.json`], home)).exitCode).toBe(6);
    const silent = closing(await startScriptedServer({ "*": (request, { hang }) => hang(request) }));
    const run = startCli(["client-metadata", "lint", `${silent.url}/client.json`, "--json"], home);
    await expect.poll(() => silent.log.requests.length, { interval: 10 }).toBe(1);
    run.process.kill("SIGINT");
    const ended = await run.ended;
    expect(ended.exitCode).toBe(130);
    expect(jsonOf(ended)).toEqual({ error: { code: "aborted", message: "Interrupted." } });
  });

  it("checks a document where it is served, and how", async () => {
    const home = await newHome();
    const server = closing(await startScriptedServer());
    server.routes["GET /client.json"] = (_request, { text }) => text("{}", 200, { "content-type": "text/plain" });
    const { stdout, exitCode } = await runCli(["client-metadata", "lint", `${server.url}/client.json`], home);
    expect(exitCode).toBe(1);
    expect(stdout).toContain("is served as text/plain");
  });
});
