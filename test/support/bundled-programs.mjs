import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Bundles programs of the tests, with the library as it stands in src/: Node.js 20 runs no TypeScript. They are removed
 * when this process ends, by Ctrl-C too.
 *
 * @param {string} name for the folder
 * @param {string[]} programs paths from the root, like test/fuzz/main.ts
 * @returns {Promise<string>} the folder that has them, like main.mjs
 */
export async function bundledPrograms(name, programs) {
  // Inside the repository, because the bundles find their packages from where they lie.
  const folder = mkdtempSync(join(root, "node_modules", `.cache-${name}-`));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
  await build({
    entryPoints: programs.map((path) => join(root, path)),
    // Under this tsconfig the package's own name means src/.
    tsconfig: join(root, "test/tsconfig.json"),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    sourcemap: "inline",
    format: "esm",
    platform: "node",
    target: "node20.18",
    packages: "external",
    logLevel: "warning",
  });
  return folder;
}
