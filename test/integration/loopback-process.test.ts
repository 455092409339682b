import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { request } from "../unit/adapters/loopback-client.ts";

const run = promisify(execFile);
const source = (path: string): string => JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "loopback-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Bundles a program that uses the adapters, so that a plain Node process can run it. */
async function program(name: string, body: string): Promise<string> {
  const outfile = join(folder, `${name}.mjs`);
  const imports = `import { loopbackReceiver } from ${source("adapters/loopback/receiver.ts")};`;
  const resolveDir = fileURLToPath(new URL("../../", import.meta.url));
  await build({
    stdin: { contents: `${imports}\n${body}`, loader: "ts", resolveDir },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    logLevel: "error",
    outfile,
  });
  return outfile;
}

const NEVER = "new AbortController().signal";

describe("a process with a loopback listener", () => {
  it("ends by itself once the redirect is closed, even with an idle connection to it", async () => {
    const file = await program(
      "ends",
      `import { connect } from "node:net";
       const pending = await loopbackReceiver().open({ host: "localhost" });
       const arrival = pending.arrival("s", ${NEVER});
       const url = new URL(pending.redirectUri);
       const idle = connect({ host: "127.0.0.1", port: Number(url.port) });
       idle.on("error", () => undefined).unref();
       const answer = fetch(pending.redirectUri + "?state=s", { keepalive: true });
       const { respond } = await arrival;
       await respond({ outcome: "signed-in", clientName: "a", serverName: "b" });
       await pending.close();
       const closedAt = performance.now();
       process.on("exit", () => process.stdout.write(String(performance.now() - closedAt)));
       if ((await (await answer).text()).includes("signed in") === false) process.exitCode = 1;`,
    );
    const { stdout } = await run(process.execPath, [file], { timeout: 10_000 });
    expect(Number(stdout)).toBeLessThan(1000);
  });

  it("still gets the page to the browser when it exits right after close", async () => {
    const file = await program(
      "exits",
      `const pending = await loopbackReceiver().open({});
       const arrival = pending.arrival("s", ${NEVER});
       process.stdout.write(pending.redirectUri + "\\n");
       const { respond } = await arrival;
       void respond({ outcome: "signed-in", clientName: "a", serverName: "b" });
       await pending.close();
       process.exit(0);`,
    );
    for (let round = 0; round < 10; round += 1) {
      const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
      const uri = await new Promise<string>((resolve) =>
        child.stdout.once("data", (data) => resolve(String(data).trim())),
      );
      expect((await request(`${uri}?state=s`)).body).toMatch(/You are signed in[^]*<\/html>\n$/);
    }
  });

  it("stays alive while a sign-in is pending", async () => {
    const file = await program(
      "stays",
      `const pending = await loopbackReceiver().open({});
       process.stdout.write(pending.redirectUri + "\\n");
       pending.arrival("s", ${NEVER}).then(() => process.exit(3));`,
    );
    const child = spawn(process.execPath, [file], { stdio: ["ignore", "pipe", "inherit"] });
    const uri = await new Promise<string>((resolve) =>
      child.stdout.once("data", (data) => resolve(String(data).trim())),
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(child.exitCode).toBeNull();
    const ended = new Promise((resolve) => child.once("exit", resolve));
    await request(`${uri}?state=s`).catch(() => undefined);
    expect(await ended).toBe(3);
  });

  it("survives a sign-in that closes without ever looking at its arrival", async () => {
    const file = await program(
      "ignores",
      `const pending = await loopbackReceiver().open({});
       void pending.arrival("s", ${NEVER});
       void pending.arrival("t", AbortSignal.abort());
       await pending.close();
       await new Promise((resolve) => setTimeout(resolve, 50));
       process.stdout.write("fine");`,
    );
    expect((await run(process.execPath, [file])).stdout).toBe("fine");
  });

  it("loads no HTTP server before a redirect is opened", async () => {
    const file = await program(
      "lazy",
      `const loaded = () => process.moduleLoadList.some((name) => /NativeModule (_http_server|http)$/.test(name));
       const before = loaded();
       const receiver = loopbackReceiver();
       await (await receiver.open({})).close();
       process.stdout.write(JSON.stringify([before, loaded()]));`,
    );
    expect(JSON.parse((await run(process.execPath, [file])).stdout)).toEqual([false, true]);
  });
});
