// Opening a file costs an import more than the code in it, and esbuild makes a chunk for each set of entries that share
// something. This puts the chunks that an entry needs at once into one file.
import { readFile, rm, writeFile } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";

/** @typedef {import("esbuild").Metafile["outputs"]} Outputs */

/**
 * The chunks that are loaded with an entry, directly or by other chunks.
 *
 * @param {Outputs} outputs
 * @param {string} entry
 * @param {Set<string>} found
 */
function chunksOf(outputs, entry, found = new Set()) {
  for (const { path, kind, external } of outputs[entry]?.imports ?? []) {
    if (kind !== "import-statement" || external === true || found.has(path)) continue;
    found.add(path);
    chunksOf(outputs, path, found);
  }
  return found;
}

/**
 * What each chunk's exports are called in the merged file: as before, but where two chunks have the same name.
 *
 * @param {Outputs} outputs
 * @param {Iterable<string>} chunks
 */
function namesOf(outputs, chunks) {
  /** @type {Set<string>} */
  const taken = new Set();
  /** @type {Map<string, Map<string, string>>} */
  const names = new Map();
  for (const chunk of chunks) {
    /** @type {Map<string, string>} */
    const own = new Map();
    for (const name of outputs[chunk]?.exports ?? []) {
      let merged = name;
      for (let count = 2; taken.has(merged); count += 1) merged = `${name}$${count}`;
      taken.add(merged);
      own.set(name, merged);
    }
    names.set(basename(chunk), own);
  }
  return names;
}

/**
 * Merges the chunks that an entry imports, and lets all other files import from the merged one.
 *
 * @param {{ outputs: Outputs, root: string, folder: string, entryPoint: string, merged: string }} options `entryPoint` is a
 * source file that is loaded by its own name or by `import()`; `outputs` tells of no merged chunk any more afterwards.
 */
export async function mergeChunks({ outputs, root, folder, entryPoint, merged }) {
  const entryPath = Object.keys(outputs).find((path) => outputs[path]?.entryPoint === entryPoint);
  if (entryPath === undefined) throw new Error(`There is no ${entryPoint}.`);
  const chunks = new Set([...chunksOf(outputs, entryPath)].filter((path) => path in outputs));
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const alsoLater = imports.find(({ path, kind }) => kind === "dynamic-import" && chunks.has(path));
  if (alsoLater !== undefined) throw new Error(`${alsoLater.path} is loaded both at once and later.`);
  const names = namesOf(outputs, chunks);
  const reexports = [...names].map(([chunk, own]) => {
    const members = [...own].map(([name, alias]) => (name === alias ? name : `${name} as ${alias}`));
    return members.length === 0 ? `import "./${chunk}";` : `export { ${members.join(", ")} } from "./${chunk}";`;
  });
  await build({
    stdin: { contents: reexports.join("\n"), resolveDir: folder, sourcefile: "chunks" },
    outfile: join(folder, merged),
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.18",
    packages: "external",
    sourcemap: true,
    logLevel: "warning",
    plugins: [
      {
        name: "what is loaded later, or was merged before, stays where it is",
        setup({ onResolve }) {
          onResolve({ filter: /^\./ }, ({ kind, path }) =>
            kind === "dynamic-import" || !names.has(basename(path)) ? { path, external: true } : undefined,
          );
        },
      },
    ],
  });
  const merges = new Set([...chunks].map((path) => resolve(root, path)));
  for (const path of Object.keys(outputs)) {
    const file = resolve(root, path);
    if (merges.has(file)) await Promise.all([rm(file), rm(`${file}.map`)]);
    else if (file.endsWith(".js")) await writeFile(file, redirected(await readFile(file, "utf8"), names, merged));
  }
  for (const path of chunks) delete outputs[path];
}

/**
 * A file's code with imports from the merged file. Its lines stay, and so does what its source map says.
 *
 * @param {string} code
 * @param {Map<string, Map<string, string>>} names
 * @param {string} merged
 */
function redirected(code, names, merged) {
  return code.replace(
    /^(import|export) (?:(\{[^}]*\}) from )?"\.\/([^"/]+)";$/gm,
    (statement, keyword, members, chunk) => {
      const own = names.get(chunk);
      if (own === undefined) return statement;
      if (members === undefined) return `import "./${merged}";`;
      const renamed = members.replace(
        /([\w$]+)( as [\w$]+)?/g,
        (/** @type {string} */ _, /** @type {string} */ name, as = "") => {
          const alias = own.get(name);
          if (alias === undefined) throw new Error(`${chunk} has no ${name}.`);
          return alias === name ? `${name}${as}` : `${alias}${as || ` as ${name}`}`;
        },
      );
      return `${keyword} ${renamed} from "./${merged}";`;
    },
  );
}
