// npm run fuzz. Node.js 20 runs no TypeScript, so the program is bundled first, with the library as it stands in src/.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

// Inside the repository, because the bundle finds its packages from where it lies.
const folder = mkdtempSync(join(root, "node_modules", ".cache-fuzz-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

await build({
  entryPoints: [join(root, "test/fuzz/main.ts")],
  // Under this tsconfig the package's own name means src/.
  tsconfig: join(root, "test/tsconfig.json"),
  outfile: join(folder, "main.mjs"),
  bundle: true,
  sourcemap: "inline",
  format: "esm",
  platform: "node",
  target: "node20.18",
  packages: "external",
  logLevel: "warning",
});
process.setSourceMapsEnabled(true);
const { main } = await import(pathToFileURL(join(folder, "main.mjs")).href);
process.exitCode = await main(process.argv.slice(2));
