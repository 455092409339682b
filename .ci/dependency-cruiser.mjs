// The floors of the house. A request goes down, a credential comes up; a file imports downward only.
import { entryPoints } from "./entries.mjs";

const stages = ["challenge", "discovery", "registration", "authorization", "tokens"];
const belowFlow = ["core", "ports", "endpoint", ...stages];
const belowAttach = [...belowFlow, "flow"];
const belowEntries = [...belowAttach, "attach", "adapters", "testing"];

/**
 * Which folders of src/ a folder may import. "" stands for the files that lie in src/ itself: the facade and the entries.
 *
 * @type {Record<string, string[]>}
 */
const mayImport = {
  core: [],
  ports: ["core"],
  endpoint: ["core", "ports"],
  ...Object.fromEntries(
    stages.map((stage, index) => [stage, ["core", "ports", "endpoint", ...stages.slice(0, index)]]),
  ),
  flow: belowFlow,
  attach: belowAttach,
  adapters: ["core", "ports"],
  testing: belowEntries,
  "": belowEntries,
  cli: [...belowEntries, ""],
};

const folders = Object.keys(mayImport);

const entries = entryPoints().map((path) => `^${path.replaceAll(".", "[.]")}$`);

const pathOf = (/** @type {string} */ folder) => (folder === "" ? "^src/[^/]+$" : `^src/${folder}/`);

/** @typedef {import("dependency-cruiser").IForbiddenRuleType} Rule */

const mustNotImport = (/** @type {string} */ folder) =>
  folders.filter((other) => other !== folder && !mayImport[folder]?.includes(other));

/** @type {Rule[]} */
const floors = folders
  .filter((folder) => mustNotImport(folder).length > 0)
  .map((folder) => ({
    name: `floor-${folder || "entries"}`,
    comment: `A file imports downward only. ${folder || "The files in src/"}: see mayImport in .ci/dependency-cruiser.mjs.`,
    severity: "error",
    from: { path: pathOf(folder) },
    to: { path: mustNotImport(folder).map(pathOf) },
  }));

/** @type {Rule} */
const everyFolderHasAFloor = {
  name: "floor-unknown",
  comment: "A new folder in src/ needs a floor: add it to .ci/dependency-cruiser.mjs.",
  severity: "error",
  from: {},
  to: { path: "^src/", pathNot: folders.map(pathOf) },
};

/** @type {Rule[]} */
const stagesShareTypesOnly = stages.slice(1).map((stage, index) => ({
  name: `stage-${stage}-types-only`,
  comment: "A stage uses what earlier stages found, not how they found it: import type.",
  severity: "error",
  from: { path: pathOf(stage) },
  to: { path: stages.slice(0, index + 1).map(pathOf), dependencyTypesNot: ["type-only"] },
}));

/**
 * Which packages come along with which folders, so that nobody loads what they do not use.
 *
 * @type {Rule[]}
 */
const packages = [
  {
    name: "package-sdk",
    comment: "The SDKs' types are matched by shape; neither SDK is loaded but by commands that talk MCP.",
    to: "@modelcontextprotocol/",
    only: ["cli"],
  },
  { name: "package-open", comment: "A browser is opened by an adapter.", to: "open/", only: ["adapters"] },
  {
    name: "package-keychain",
    comment: "Keychains are an adapter.",
    to: "(keytar|@napi-rs/keyring)/",
    only: ["adapters"],
  },
  {
    name: "package-undici",
    comment: "undici belongs behind the guarded fetch, and under a program's own.",
    to: "undici/",
    only: ["adapters", "cli"],
  },
].map(({ name, comment, to, only = [] }) => ({
  name,
  comment,
  severity: "error",
  from: { path: "^src/", pathNot: only.map(pathOf) },
  to: { path: `(^|/)node_modules/${to}` },
}));

/** @type {import("dependency-cruiser").IConfiguration} */
export default {
  forbidden: [
    ...floors,
    everyFolderHasAFloor,
    ...stagesShareTypesOnly,
    ...packages,
    {
      name: "package-sdk-static",
      comment: "Which SDK is there, if any, is found out when a command needs one: import().",
      severity: "error",
      from: { path: pathOf("cli") },
      to: { path: "(^|/)node_modules/@modelcontextprotocol/", dynamic: false },
    },
    {
      name: "no-circular",
      comment: "Modules that import one another cannot be understood one at a time.",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true },
    },
    {
      name: "no-dead-module",
      comment: "No entry point reaches this file.",
      severity: "error",
      from: { path: entries },
      to: { path: "^src/", pathNot: entries, reachable: false },
    },
    {
      name: "not-resolvable",
      comment: "The import leads nowhere.",
      severity: "error",
      from: { path: "^src/" },
      to: { couldNotResolve: true },
    },
    {
      name: "not-a-dependency",
      comment: "What src/ imports must come with the package.",
      severity: "error",
      from: { path: "^src/" },
      to: {
        dependencyTypes: ["npm-dev", "npm-no-pkg", "npm-unknown", "undetermined"],
        dependencyTypesNot: ["npm-peer"],
      },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "node", "default"] },
  },
};
