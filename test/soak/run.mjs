// npm run soak. Node.js 20 runs no TypeScript, so the programs are bundled first, with the library as it stands in src/.
import { mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

// Inside the repository, because the bundles find their packages from where they lie.
const folder = mkdtempSync(join(root, "node_modules", ".cache-soak-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));

await build({
  entryPoints: [join(root, "test/soak/main.ts"), join(root, "test/soak/worker.ts")],
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
const { main } = await import(pathToFileURL(join(folder, "main.mjs")).href);
process.exitCode = await main(process.argv.slice(2), folder);
