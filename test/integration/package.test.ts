import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
const subpaths = Object.keys(manifest.exports).filter((path) => path !== "./package.json");
const specifiers = subpaths.map((path) => path.replace(/^\./, "mcp-oauth-client"));

/** What somebody might write who has installed the package and nothing else. */
const consumer = `
import { findMcpOAuthError, McpOAuthError, TokenManager } from "mcp-oauth-client";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";
import { keychainStore } from "mcp-oauth-client/keychain";

const server = "https://mcp.example.com/mcp";
const tokens = new TokenManager({ clientName: "Consumer", store: "memory" });
export const guarded: typeof fetch = tokens.fetch(server);
export const stores = [keychainStore, encryptedFileStore];

export async function token(): Promise<string | undefined> {
  try {
    const { accessToken } = await tokens.get(server);
    return accessToken.reveal();
  } catch (error) {
    const ours: McpOAuthError | undefined = findMcpOAuthError(error);
    if (ours?.code === "interaction_required") return undefined;
    throw error;
  }
}

// @ts-expect-error: a misspelled option is an error, so the types are there and are not any.
new TokenManager({ clientname: "Consumer" });
`;

const resolutions = {
  nodenext: { module: "nodenext", moduleResolution: "nodenext" },
  bundler: { module: "esnext", moduleResolution: "bundler" },
};
const surroundings = {
  "the types of Node.js": { lib: ["es2023"], types: ["node"] },
  "the types of Node.js and of browsers": { lib: ["es2023", "dom", "dom.iterable"], types: ["node"] },
};
const compilations = Object.entries(resolutions).flatMap(([resolution, resolutionOptions]) =>
  Object.entries(surroundings).map(([surrounding, surroundingOptions]) => ({
    resolution,
    surrounding,
    options: { ...resolutionOptions, ...surroundingOptions, typeRoots: [join(root, "node_modules/@types")] },
  })),
);

describe("the package, installed into an empty folder", () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "installed-"));
    const quietly = ["--ignore-scripts", "--loglevel=error"];
    const { stdout } = await run("npm", ["pack", "--json", `--pack-destination=${folder}`, ...quietly], { cwd: root });
    const [{ filename }] = JSON.parse(stdout);
    await writeFile(join(folder, "package.json"), '{ "type": "module", "private": true }');
    const install = ["install", `./${filename}`, "--prefer-offline", "--no-audit", "--no-fund", ...quietly];
    await run("npm", install, { cwd: folder });
  }, 120_000);
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("brings no SDK, no keytar and no development tool along", async () => {
    const installed = await readdir(join(folder, "node_modules"));
    expect(installed).toContain("mcp-oauth-client");
    expect(installed).not.toContain("@modelcontextprotocol");
    expect(installed.filter((name) => name in manifest.devDependencies)).toEqual([]);
  });

  test("holds what it should and nothing else", async () => {
    const files = await readdir(join(folder, "node_modules/mcp-oauth-client"), {
      recursive: true,
      withFileTypes: true,
    });
    const kinds = new Set(
      files.filter((file) => file.isFile()).map((file) => file.name.replace(/^.*?(\.d\.ts|\.js|\.js\.map)$/, "*$1")),
    );
    const expected = [
      "*.d.ts",
      "*.js",
      "*.js.map",
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "SECURITY.md",
      "package.json",
    ];
    expect([...kinds].sort()).toEqual(expected);
  });

  test.each(compilations)("type-checks with $resolution and $surrounding", async ({ options }) => {
    await writeFile(join(folder, "consumer.ts"), consumer);
    const compilerOptions = { ...options, target: "es2022", strict: true, skipLibCheck: false, noEmit: true };
    const project = join(folder, "tsconfig.json");
    await writeFile(project, JSON.stringify({ compilerOptions, files: ["consumer.ts"] }));
    const { stdout } = await run(join(root, "node_modules/.bin/tsc"), ["-p", project]).catch((error) => error);
    expect(stdout).toBe("");
  });

  test.each(specifiers)("can be imported: %s", async (specifier) => {
    const code = `console.log(Object.keys(await import(${JSON.stringify(specifier)})).length > 0)`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], { cwd: folder });
    expect(stdout).toBe("true\n");
  });

  test.each(specifiers)("calls its classes what they are exported as: %s", async (specifier) => {
    const code = `
      const classes = Object.entries(await import(${JSON.stringify(specifier)})).filter(([, value]) => String(value).startsWith("class"));
      console.log(JSON.stringify(classes.map(([exported, { name }]) => [exported, name])));`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code], { cwd: folder });
    const classes: [exported: string, name: string][] = JSON.parse(stdout);
    expect(classes.filter(([exported, name]) => exported !== name)).toEqual([]);
    if (specifier === "mcp-oauth-client") expect(classes.length).toBeGreaterThan(2);
  });

  test("shows nothing but its entries", async () => {
    const code = 'await import("mcp-oauth-client/dist/index.js")';
    const inside = run(process.execPath, ["--input-type=module", "--eval", code], { cwd: folder });
    await expect(inside).rejects.toThrow("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});

describe("the manifest", () => {
  test("exports what the documentation covers", async () => {
    const { entryPoints } = JSON.parse(await readFile(join(root, "typedoc.json"), "utf8"));
    const built = subpaths.map((path) => manifest.exports[path].default);
    const sources = built.map((path: string) => path.replace("./dist/", "src/").replace(/\.js$/, ".ts"));
    expect([...entryPoints].sort()).toEqual(sources.sort());
  });

  test("keeps the registry of the machine that wrote it out of the lock file", async () => {
    expect(await readFile(join(root, "package-lock.json"), "utf8")).not.toContain('"resolved"');
  });

  test("runs no script at installation, and brings nothing along that does", async () => {
    expect(Object.keys(manifest.scripts)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/install|^prepare$/)]),
    );
    const { packages } = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
    const shipped = Object.entries<{ dev?: boolean; hasInstallScript?: boolean }>(packages).filter(
      ([, { dev }]) => !dev,
    );
    expect(shipped.length).toBeGreaterThan(10);
    expect(shipped.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual([]);
  });

  test("locks what every platform needs", async () => {
    const { packages } = JSON.parse(await readFile(join(root, "package-lock.json"), "utf8"));
    const names = new Set(Object.keys(packages).map((path) => path.replace(/^.*node_modules\//, "")));
    const wanted = Object.values<{ optionalDependencies?: object }>(packages).flatMap((each) =>
      Object.keys(each.optionalDependencies ?? {}),
    );
    expect(wanted.filter((name) => !names.has(name))).toEqual([]);
  });

  test("runs no script at installation", () => {
    expect(Object.keys(manifest.scripts)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(pre|post)?install$|^prepare$/)]),
    );
  });
});
