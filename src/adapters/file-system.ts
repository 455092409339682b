/**
 * Node.js's own file system, taken as it is and not by `import`: that reads everything which `node:fs` has, and so loads its
 * streams, which takes a fifth of the time that this package is imported in.
 */
export const fileSystem: typeof import("node:fs") = process.getBuiltinModule("node:fs");
