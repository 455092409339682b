import { join } from "node:path";
import { build } from "esbuild";
import { root } from "../../.ci/entries.mjs";

/**
 * Bundles the client program, with the library as it lies in dist/: Node.js 20 runs no TypeScript.
 *
 * @param {string} folder inside the repository, because the bundle finds its packages from where it lies
 * @returns {Promise<string>} the program's path
 */
export async function buildClient(folder) {
  await build({
    absWorkingDir: root,
    entryPoints: ["test/conformance/client/main.ts"],
    alias: { "mcp-oauth-client": join(root, "dist/index.js") },
    // Not the tests', by which the package's name means src/.
    tsconfigRaw: {},
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    packages: "external",
    logLevel: "warning",
    // esbuild has left these imports in dist/ itself.
    logOverride: { "ignored-bare-import": "silent" },
  });
  return join(folder, "main.mjs");
}
