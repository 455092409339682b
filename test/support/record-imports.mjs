// node --import .../record-imports.mjs: appends each specifier that is resolved to the file named by RECORD_IMPORTS.
import { appendFileSync } from "node:fs";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

// This file is its own hook: Node loads it a second time, in the thread of the hooks.
if (isMainThread) register(import.meta.url);

/** @type {import("node:module").ResolveHook} */
export const resolve = (specifier, context, nextResolve) => {
  if (process.env.RECORD_IMPORTS) appendFileSync(process.env.RECORD_IMPORTS, `${specifier}\n`);
  return nextResolve(specifier, context);
};
