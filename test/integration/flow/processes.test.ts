// Several processes of one user, over one encrypted file store.
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, it } from "vitest";
import { UserAgent } from "../../servers/user-agent.ts";
import { type RunningProgram, run } from "../../unit/stores/support/child.ts";
import { startScripted } from "./support/harness.ts";
import type { Report } from "./support/sign-in-program.ts";

const repository = fileURLToPath(new URL("../../../", import.meta.url));
const source = (name: string): string => join(repository, "src", `${name}.ts`);
let folder = "";
let program = "";

beforeAll(async () => {
  // Inside the repository, so that the program finds its dependencies.
  folder = await mkdtemp(join(repository, "node_modules", ".cache-flow-"));
  program = join(folder, "program.mjs");
  await build({
    entryPoints: [fileURLToPath(new URL("support/sign-in-program.ts", import.meta.url))],
    outfile: program,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node20",
    alias: {
      "mcp-oauth-client/encrypted-file": source("encrypted-file"),
      "mcp-oauth-client": source("index"),
    },
    external: ["oauth4webapi", "undici", "open", "@napi-rs/keyring", "keytar"],
    sourcemap: "inline",
    logLevel: "silent",
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Collects what a program says, until it has ended. */
async function listenTo({ child, ended }: RunningProgram, onReport: (report: Report) => void): Promise<void> {
  child.on("message", (message) => onReport(message as Report));
  await ended;
}

it("share one sign-in: one browser, one registration, one token request, the same token", async () => {
  const server = await startScripted();
  const directory = await mkdtemp(join(tmpdir(), "mcp-oauth-flow-"));
  const key = randomBytes(32).toString("base64");
  const start = (): RunningProgram => run(program, [directory, key, server.mcpUrl.href]);
  const reports: Report[] = [];
  const opened = (): string[] => reports.flatMap((report) => ("opened" in report ? [report.opened] : []));
  const ends = [start(), start(), start()].map((each) => listenTo(each, (report) => reports.push(report)));
  // All of them have met the challenge and want to sign in; one of them asks the person.
  await expect
    .poll(() => [reports.filter((report) => "selected" in report).length, opened().length], {
      timeout: 20_000,
      interval: 5,
    })
    .toEqual([3, 1]);
  await new UserAgent().open(opened()[0] ?? "");
  await Promise.all(ends);
  expect(opened()).toHaveLength(1);
  const results = reports.filter((report) => "tokenHash" in report);
  expect(results, JSON.stringify(reports)).toHaveLength(3);
  expect(new Set(results.map(({ tokenHash }) => tokenHash)).size).toBe(1);
  for (const path of ["/register", "/token"]) expect(server.log.count("POST", path)).toBe(1);

  // A later run asks nobody.
  server.log.clear();
  const later: Report[] = [];
  await listenTo(start(), (report) => later.push(report));
  expect(later).toEqual([results[0]]);
  expect(server.log.count("*")).toBe(0);
  await rm(directory, { recursive: true, force: true });
});
