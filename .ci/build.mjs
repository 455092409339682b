// Fills dist/: the entry points bundled with what they share in chunks, and the declarations of all modules.
import { execFile } from "node:child_process";
import { readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { build } from "esbuild";
import { libraryEntries, programEntries, root } from "./entries.mjs";
import { mergeChunks } from "./merge-chunks.mjs";

const run = promisify(execFile);
const finished = join(root, "dist");
// Built beside (maps name sources by relative path) and then moved, so that nobody ever imports half a build.
const unfinished = join(root, `dist.${process.pid}`);

/**
 * @param {string[]} entryPoints what shares chunks
 * @param {string} chunkNames apart from those of the other bundles: chunks with the same content would be one file
 */
async function bundle(entryPoints, chunkNames) {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints,
    outbase: "src",
    outdir: unfinished,
    bundle: true,
    splitting: true,
    chunkNames,
    format: "esm",
    platform: "node",
    target: "node20.18",
    packages: "external",
    sourcemap: true,
    metafile: true,
    logLevel: "warning",
  });
  return metafile.outputs;
}

/** The files of the library. Whoever imports it waits for two of them, and a refresh at the start for two more. */
async function bundleLibrary() {
  const outputs = await bundle(libraryEntries(), "[name]-[hash]");
  const merge = { outputs, root, folder: unfinished };
  await mergeChunks({ ...merge, entryPoint: "src/index.ts", merged: "shared.js" });
  await mergeChunks({ ...merge, entryPoint: "src/tokens/refresh.ts", merged: "token-requests.js" });
}

async function declare() {
  const tsc = join(root, "node_modules/typescript/bin/tsc");
  await run(process.execPath, [tsc, "-p", join(root, ".ci/tsconfig.declarations.json"), "--outDir", unfinished]);
  // The compiler rewrites `./x.ts` to `./x.js` in code but not in declarations, and not every tool reads them as they are.
  for (const file of await readdir(unfinished, { recursive: true })) {
    if (!file.endsWith(".d.ts")) continue;
    const path = join(unfinished, file);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace(/((?:from|import)\s*\(?\s*"\.{1,2}\/[^"]*)\.ts"/g, '$1.js"'));
  }
}

try {
  // Programs by themselves: what they share with the library would cut that into many small files, which load slower.
  await Promise.all([bundleLibrary(), bundle(programEntries(), "cli/[name]-[hash]"), declare()]);
  await rm(finished, { recursive: true, force: true });
  await rename(unfinished, finished);
} catch (error) {
  await rm(unfinished, { recursive: true, force: true });
  // The compiler writes its complaints to stdout; esbuild has written its own already.
  console.error(error instanceof Error && "stdout" in error ? error.stdout : error);
  process.exitCode = 1;
}
