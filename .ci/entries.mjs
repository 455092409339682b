import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

export const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));

/**
 * The source files that become files of their own in dist/: what package.json points to under `exports` and `bin`.
 * To add one, add it there: ./dist/x.js is built from src/x.ts.
 *
 * @returns {string[]} paths from the root, like src/index.ts
 */
export function entryPoints() {
  const targets = Object.values(manifest.exports).flatMap((target) => target.default ?? []);
  const built = [...targets, ...Object.values(manifest.bin ?? {})];
  return built.map((target) => target.replace(/^(\.\/)?dist\//, "src/").replace(/\.js$/, ".ts"));
}
