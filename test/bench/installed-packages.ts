import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

interface LockedPackage {
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** What an installation brings along. */
export interface Installed {
  /** All packages, sorted. */
  readonly names: readonly string[];
  readonly bytes: number;
}

/** The size of a folder's files, without the packages inside. */
async function sizeOf(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    bytes += entry.isDirectory() ? await sizeOf(path) : (await stat(path)).size;
  }
  return bytes;
}

/** Where a package finds another one: beside it or further up. */
function locate(packages: Readonly<Record<string, LockedPackage>>, from: string, name: string): string | undefined {
  for (let base = from; ; base = base.slice(0, Math.max(base.lastIndexOf("/node_modules/"), 0))) {
    const path = `${base === "" ? "" : `${base}/`}node_modules/${name}`;
    if (packages[path] !== undefined) return path;
    if (base === "") return undefined;
  }
}

/**
 * The packages that come with one, by the lock file of the folder that it is installed in; neither optional ones nor
 * peers.
 *
 * @param name a package there; left out, the folder's own, as it would be published.
 */
export async function installedPackages(folder: string, name?: string): Promise<Installed> {
  const { packages } = JSON.parse(await readFile(join(folder, "package-lock.json"), "utf8")) as {
    packages: Record<string, LockedPackage>;
  };
  const found = new Set<string>();
  const visit = (path: string): void => {
    for (const dependency of Object.keys(packages[path]?.dependencies ?? {})) {
      const next = locate(packages, path, dependency);
      if (next === undefined || found.has(next)) continue;
      found.add(next);
      visit(next);
    }
  };
  const start = name === undefined ? "" : `node_modules/${name}`;
  if (name !== undefined) found.add(start);
  visit(start);
  let bytes = name === undefined ? await sizeOf(join(folder, "dist")) : 0;
  for (const path of found) bytes += await sizeOf(join(folder, path));
  const names = [...found].map((path) => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length));
  if (name === undefined) names.push("mcp-oauth-client");
  return { names: names.sort(), bytes };
}
