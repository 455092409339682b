// npm run demo. Node.js 20 runs no TypeScript, so the demo is bundled first, with the library as it stands in src/.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../..", import.meta.url));

// However it ends, by Ctrl-C too, it tidies up first.
const interrupted = new AbortController();
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
for (const [name, exitCode] of Object.entries(exitCodes)) {
  process.on(name, () => interrupted.abort({ exitCode }));
}
// Nobody reads on: `npm run demo | head`.
process.stdout.on("error", () => interrupted.abort({ exitCode: 1 }));

// Inside the repository, because the bundle finds its packages from where it lies.
const folder = await mkdtemp(join(root, "node_modules", ".demo-"));
try {
  await build({
    entryPoints: [join(root, "examples/demo/main.ts")],
    // Under this tsconfig the package's own name means src/.
    tsconfig: join(root, "test/tsconfig.json"),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    packages: "external",
    logLevel: "warning",
  });
  const { main } = await import(pathToFileURL(join(folder, "main.mjs")).href);
  process.exitCode = await main(process.argv.slice(2), interrupted.signal);
} finally {
  await rm(folder, { recursive: true, force: true });
}
// Otherwise it ends because nothing is left to do, which is a proof, too.
if (interrupted.signal.aborted) process.exit();
