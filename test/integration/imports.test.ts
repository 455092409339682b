import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const recorder = new URL("../support/record-imports.mjs", import.meta.url).href;

/** What a process of its own loads when it imports a module: every module that is resolved, by the name it was asked for. */
async function loadedBy(
  specifier: string,
  folder: string,
): Promise<{ packages: string[]; builtins: string[]; files: string[] }> {
  const record = join(folder, "loaded.txt");
  await writeFile(record, "");
  const code = `import(${JSON.stringify(specifier)})`;
  await run(process.execPath, ["--import", recorder, "--input-type=module", "--eval", code], {
    cwd: root,
    env: { ...process.env, RECORD_IMPORTS: record },
  });
  const specifiers = [...new Set((await readFile(record, "utf8")).trim().split("\n"))].sort();
  const isBuiltin = (name: string): boolean => name.startsWith("node:") || builtinModules.includes(name);
  const isFile = (name: string): boolean => /^([./]|file:)/.test(name);
  return {
    packages: specifiers.filter((name) => !isBuiltin(name) && !isFile(name)),
    builtins: specifiers.filter(isBuiltin),
    files: specifiers.filter(isFile),
  };
}

describe("importing the package", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "imports-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(["mcp-oauth-client", "mcp-oauth-client/keychain", "mcp-oauth-client/encrypted-file"])(
    "loads no other package: %s",
    async (specifier) => {
      expect((await loadedBy(specifier, folder)).packages).toEqual([specifier]);
    },
  );

  test("loads none of the parts of Node.js that take long to load", async () => {
    const { builtins } = await loadedBy("mcp-oauth-client", folder);
    const slow = ["child_process", "crypto", "fs", "http", "http2", "https", "os", "tls", "util"].map(
      (name) => `node:${name}`,
    );
    expect(builtins.filter((name) => slow.includes(name))).toEqual([]);
  });

  test("is seen when it loads more", async () => {
    const entry = join(folder, "planted.mjs");
    const ours = pathToFileURL(join(root, "dist/index.js")).href;
    await writeFile(
      entry,
      `import ${JSON.stringify(ours)};\nimport ${JSON.stringify(pathToFileURL(join(folder, "next.mjs")).href)};\n`,
    );
    await writeFile(join(folder, "next.mjs"), 'import "node:http";\nawait import("node:https");\n');
    const { builtins } = await loadedBy(pathToFileURL(entry).href, folder);
    expect(builtins).toEqual(expect.arrayContaining(["node:http", "node:https"]));
  });

  test.each(["undici", "open", "@napi-rs/keyring", "@modelcontextprotocol/sdk/client/auth.js"])(
    "is seen when it loads %s",
    async (name) => {
      const { packages } = await loadedBy(name, folder);
      expect(packages).toContain(name);
    },
  );
});
