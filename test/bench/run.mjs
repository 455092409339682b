// npm run bench: builds the library, bundles the bench (Node.js 20 runs no TypeScript), and runs it.
//   node test/bench/run.mjs            all of it
//   node test/bench/run.mjs cold get   some of it
//   --rounds N                         measures each contestant so often where a bench does not say otherwise
//   --publish                          writes results.json, the plots and the table of README.md
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import { root } from "../../.ci/entries.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const peers = join(here, "node_modules");

if (!existsSync(peers)) {
  console.log("Installing the contestants: npm ci in test/bench");
  execFileSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: here, stdio: "inherit" });
}
if (process.env.BENCH_NO_BUILD === undefined)
  execFileSync(process.execPath, [join(root, ".ci/build.mjs")], { stdio: "inherit" });

/**
 * The library as it is built, loaded from dist/ and not bundled once more.
 *
 * @type {import("esbuild").Plugin}
 */
const library = {
  name: "library",
  setup({ onResolve }) {
    onResolve({ filter: /^mcp-oauth-client(\/|$)/ }, ({ path }) => {
      const entry = path === "mcp-oauth-client" ? "index" : path.slice("mcp-oauth-client/".length);
      return { path: pathToFileURL(join(root, `dist/${entry}.js`)).href, external: true };
    });
  },
};

// Where it lies, its programs find the contestants first and then our own packages.
const programs = mkdtempSync(join(peers, ".programs-"));
process.once("exit", () => rmSync(programs, { recursive: true, force: true }));
for (const [name, code] of Object.entries({ SIGINT: 130, SIGTERM: 143, SIGHUP: 129 })) {
  process.once(name, () => process.exit(code));
}

await build({
  absWorkingDir: here,
  entryPoints: {
    main: "main.ts",
    ...Object.fromEntries(
      ["attach", "get", "host", "many", "store", "world"].map((name) => [name, `programs/${name}.ts`]),
    ),
  },
  // Not the tests', by which the package's name means src/.
  tsconfigRaw: {},
  outdir: programs,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20.18",
  packages: "external",
  plugins: [library],
  logLevel: "warning",
});
process.argv.splice(2, 0, programs, root);
await import(pathToFileURL(join(programs, "main.mjs")).href);
