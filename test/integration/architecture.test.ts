import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = fileURLToPath(new URL("../..", import.meta.url));
const program = (name: string): string => join(root, "node_modules/.bin", name);

/** Each breaks one rule, and no other; the first file is the one that does. */
const planted: { rule: string; files: Record<string, string> }[] = [
  { rule: "floor-core", files: { "core/up.ts": 'export type { P } from "../ports/p.ts";' } },
  { rule: "floor-ports", files: { "ports/up.ts": 'export { e } from "../endpoint/e.ts";' } },
  { rule: "floor-endpoint", files: { "endpoint/up.ts": 'export { d } from "../discovery/d.ts";' } },
  { rule: "floor-discovery", files: { "discovery/later.ts": 'export type { T } from "../tokens/t.ts";' } },
  { rule: "floor-tokens", files: { "tokens/up.ts": 'export { f } from "../flow/f.ts";' } },
  { rule: "floor-flow", files: { "flow/sideways.ts": 'export { a } from "../adapters/a.ts";' } },
  { rule: "floor-attach", files: { "attach/up.ts": 'export { a } from "../adapters/a.ts";' } },
  { rule: "floor-adapters", files: { "adapters/across.ts": 'export { e } from "../endpoint/e.ts";' } },
  { rule: "floor-entries", files: { "up.ts": 'export { c } from "./cli/c.ts";' } },
  {
    rule: "floor-unknown",
    files: { "core/unknown.ts": 'export { a } from "../attic/a.ts";', "attic/a.ts": "export const a = 1;" },
  },
  { rule: "no-dead-module", files: { "core/dead.ts": "export const dead = 1;" } },
  { rule: "stage-tokens-types-only", files: { "tokens/code.ts": 'export { d } from "../discovery/d.ts";' } },
  {
    rule: "package-sdk",
    files: { "attach/sdk.ts": 'import type {} from "@modelcontextprotocol/sdk/client/auth.js";' },
  },
  {
    rule: "package-sdk-static",
    files: { "cli/sdk.ts": 'export { Client } from "@modelcontextprotocol/client";' },
  },
  { rule: "package-open", files: { "flow/open.ts": 'export const load = () => import("open");' } },
  {
    rule: "package-keychain",
    files: { "tokens/keychain.ts": 'export const load = () => import("@napi-rs/keyring");' },
  },
  { rule: "package-undici", files: { "attach/undici.ts": 'export { Agent } from "undici";' } },
  { rule: "not-a-dependency", files: { "core/dev.ts": 'export { build } from "esbuild";' } },
  { rule: "not-resolvable", files: { "core/nowhere.ts": 'export { x } from "./nothing.ts";' } },
  {
    rule: "no-circular",
    files: {
      "core/a.ts": 'export { b } from "./b.ts"; export const a = 1;',
      "core/b.ts": 'export { a } from "./a.ts"; export const b = 1;',
    },
  },
];

/** Files that the planted ones import, and the entry that reaches them all so that none of those is dead. */
const innocent: Record<string, string> = {
  "ports/p.ts": "export type P = string;",
  "endpoint/e.ts": "export const e = 1;",
  "discovery/d.ts": "export const d = 1; export type D = number;",
  "tokens/t.ts": 'import type { D } from "../discovery/d.ts"; export type T = D;',
  "flow/f.ts": "export const f = 1;",
  "adapters/a.ts": "export const a = 1;",
  "cli/c.ts": 'export { Client } from "./sdk.ts"; export const c = 1;',
};

/** Like "floor-core: src/core/up.ts". */
async function violationsIn(folder: string): Promise<string[]> {
  const args = ["--config", join(root, ".ci/dependency-cruiser.mjs"), "--output-type", "json", "src"];
  const found = await run(program("depcruise"), args, { cwd: folder, maxBuffer: 1e8 }).catch((error) => error);
  const violations: { from: string; rule: { name: string } }[] = JSON.parse(found.stdout).summary.violations;
  return [...new Set(violations.map(({ from, rule }) => `${rule.name}: ${from}`))].sort();
}

// dependency-cruiser starts a program of its own for each tree.
describe("the floors of src/", { timeout: 60_000 }, () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "planted-"));
    for (const file of ["package.json", "tsconfig.json"]) await cp(join(root, file), join(folder, file));
    await symlink(join(root, "node_modules"), join(folder, "node_modules"));
    const files = Object.assign({}, innocent, ...planted.map((each) => each.files)) as Record<string, string>;
    const reached = Object.keys(files).filter((path) => !/^(attic|cli|core\/dead)/.test(path));
    files["index.ts"] = reached.map((path) => `import "./${path}";`).join("\n");
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, "src", path)), { recursive: true });
      await writeFile(join(folder, "src", path), `${text}\n`);
    }
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("hold", async () => {
    expect(await violationsIn(root)).toEqual([]);
  });

  test("are seen to break where they do, and nowhere else", async () => {
    const expected = planted.map(({ rule, files }) => `${rule}: src/${Object.keys(files)[0]}`);
    expect(await violationsIn(folder)).toEqual(expected.sort());
  });
});

/** What the linter must find in a file of src/flow/, after the rule that finds it. */
const smells: [rule: string, text: string][] = [
  ["noRestrictedGlobals", "export const now = (): number => Date.now();"],
  ["noRestrictedImports", 'export { randomUUID } from "node:crypto";'],
  ["noJsRestrictedProperties", "export const dice = (): number => Math.random();"],
  ["noJsRestrictedProperties", "export const end = (): never => process.exit(1);"],
  ["noConsole", 'console.log("here");'],
  ["noExplicitAny", "export function f(x: any): void { x(); }"],
  ["noFloatingPromises", "async function g(): Promise<void> {}\nexport function f(): void { g(); }"],
  ["noMisusedPromises", "export function f(p: Promise<boolean>): number { if (p) return 1; return 2; }"],
  ["noDefaultExport", "export default 1;"],
  ["noReExportAll", 'export * from "./other.ts";'],
  ["useImportType", 'import { X } from "./other.ts";\nexport type Y = X;'],
  ["noUndeclaredDependencies", 'export { x } from "lodash";'],
  ["noExcessiveLinesPerFile", `${"// a line\n".repeat(400)}export const x = 1;`],
  ["noExcessiveLinesPerFunction", `export function f(): void {\n${"  void 0;\n".repeat(61)}}`],
  ["noParameterAssign", "export function f(x: number): number { x = 1; return x; }"],
];

describe("the linter", () => {
  let found: { file: string; rule: string }[];
  beforeAll(async () => {
    const folder = await mkdtemp(join(tmpdir(), "smells-"));
    try {
      for (const file of ["package.json", "biome.json"]) await cp(join(root, file), join(folder, file));
      for (const place of ["flow", "core"]) {
        await mkdir(join(folder, "src", place), { recursive: true });
        for (const [index, [, text]] of smells.entries()) {
          await writeFile(join(folder, "src", place, `smell-${index}.ts`), `${text}\n`);
        }
        await writeFile(join(folder, "src", place, "other.ts"), "export class X {}\n");
      }
      const report = join(folder, "report.json");
      const args = [
        "lint",
        "--vcs-enabled=false",
        "--max-diagnostics=none",
        "--reporter=json",
        `--reporter-file=${report}`,
      ];
      await run(program("biome"), args, { cwd: folder }).catch(() => undefined);
      const { diagnostics } = JSON.parse(await readFile(report, "utf8"));
      found = diagnostics.map((each: { category: string; location: { path: string } }) => ({
        rule: each.category.split("/").at(-1) ?? "",
        file: each.location.path,
      }));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test.each(smells.map(([rule], index) => ({ rule, index })))("$rule sees smell $index", ({ rule, index }) => {
    expect(found).toContainEqual({ rule, file: `src/flow/smell-${index}.ts` });
  });

  test("lets core read the globals that nobody else may", () => {
    const inCore = found.filter(({ file }) => file.startsWith("src/core/")).map(({ rule }) => rule);
    expect(inCore).not.toContain("noRestrictedGlobals");
    expect(inCore).not.toContain("noRestrictedImports");
    expect(inCore).toContain("noJsRestrictedProperties");
  });
});
