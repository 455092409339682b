import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

const sourceOf = (/** @type {string} */ target) => target.replace(/^(\.\/)?dist\//, "src/").replace(/\.js$/, ".ts");

/** What package.json points to under `exports`. @returns {string[]} paths from the root, like src/index.ts */
export const libraryEntries = () =>
  Object.values(manifest.exports)
    .flatMap((target) => target.default ?? [])
    .map(sourceOf);

/** What package.json points to under `bin`. @returns {string[]} */
export const programEntries = () => Object.values(manifest.bin ?? {}).map(sourceOf);

/**
 * The source files that become files of their own in dist/. To add one, add it to package.json: ./dist/x.js is built from
 * src/x.ts.
 */
export const entryPoints = () => [...libraryEntries(), ...programEntries()];
