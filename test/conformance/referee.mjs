// The referee is the official suite, pinned by package-lock.json. It needs Node.js 22; the client runs on this Node.js.
import { execFile, spawn } from "node:child_process";
import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Longer than a client may take (client/main.ts) and shorter than anybody's patience. */
const CLIENT_TIMEOUT_MS = 30_000;
const REFEREE_TIMEOUT_MS = 45_000;

const suite = fileURLToPath(import.meta.resolve("@modelcontextprotocol/conformance/dist/index.js"));

/** @typedef {import("./verdict.mjs").Check} Check */
/** @typedef {import("./verdict.mjs").Evidence} Evidence */

/**
 * @typedef {object} Match
 * @property {string} scenario without `auth/`
 * @property {string} wire the protocol version that the suite's server speaks
 * @property {string[]} command the client, its program first; the server's URL is added
 * @property {Record<string, string>} [env] for the client
 */

/** This Node.js, or one from the registry: as a devDependency it would take the place of everybody's `node`. */
async function findNode() {
  if (Number.parseInt(process.versions.node, 10) >= 22) return process.execPath;
  const npx = ["--yes", "--prefer-offline", "--package=node@24", "--", "node", "--print", "process.execPath"];
  try {
    const { stdout } = await promisify(execFile)("npx", npx);
    return stdout.trim();
  } catch (error) {
    throw new Error("The official conformance suite needs Node.js 22 or newer, and npx gave none", { cause: error });
  }
}

/** A stale scenario or context would mislead the client. */
function cleanEnvironment() {
  const own = Object.entries(process.env).filter(([name]) => !/^(MCP_CONFORMANCE|CONFORMANCE)_/.test(name));
  return Object.fromEntries(own);
}

/**
 * Runs a program with everything it starts in a process group of its own, and ends that when it takes too long.
 *
 * @param {string} program
 * @param {string[]} args
 * @param {Record<string, string | undefined>} env
 * @returns {Promise<{ code: number, output: string }>}
 */
function runGroup(program, args, env) {
  const child = spawn(program, args, { env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const end = () => {
    const runs = child.exitCode === null && child.signalCode === null;
    if (child.pid !== undefined && runs) process.kill(-child.pid, "SIGKILL");
  };
  const timer = setTimeout(end, REFEREE_TIMEOUT_MS);
  process.once("exit", end);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (chunk) => {
      output += chunk;
    });
  }
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      process.off("exit", end);
      resolve({ code: code ?? -1, output });
    });
  });
}

/**
 * What the referee wrote into its folder, which holds one scenario.
 *
 * @param {string} folder
 * @param {string} name
 */
async function written(folder, name) {
  const files = await readdir(folder, { recursive: true });
  const file = files.find((each) => each.endsWith(name));
  return file === undefined ? undefined : readFile(join(folder, file), "utf8");
}

/** Runs scenarios, one process each. */
export class Referee {
  #node;
  #folder;

  /**
   * @param {string} node
   * @param {string} folder
   */
  constructor(node, folder) {
    this.#node = node;
    this.#folder = folder;
  }

  /** @param {string} folder for what it writes */
  static async find(folder) {
    return new Referee(await findNode(), folder);
  }

  /** The names of the client authorization scenarios that the suite has. */
  async scenarios() {
    const { output } = await runGroup(this.#node, [suite, "list", "--client"], cleanEnvironment());
    return [...output.matchAll(/^ *- auth\/(\S+)/gm)].map(([, name = ""]) => name);
  }

  /**
   * @param {Match} match
   * @returns {Promise<Evidence>}
   */
  async run({ scenario, wire, command, env }) {
    const folder = await mkdtemp(join(this.#folder, `${scenario}-`));
    // `exec` because the referee's timeout ends what the shell is; forced because some scenarios have one wire only.
    const client = `exec ${command.map((part) => `'${part}'`).join(" ")}`;
    const options = ["--scenario", `auth/${scenario}`, "--spec-version", wire, "--force", "--output-dir", folder];
    const { code, output } = await runGroup(
      this.#node,
      [suite, "client", "--command", client, ...options, "--timeout", String(CLIENT_TIMEOUT_MS)],
      { ...cleanEnvironment(), ...env },
    );
    const checks = await written(folder, "checks.json");
    const texts = await Promise.all(["stdout.txt", "stderr.txt"].map((name) => written(folder, name)));
    return {
      checks: checks === undefined ? undefined : /** @type {Check[]} */ (JSON.parse(checks)),
      refereeCode: code,
      clientCode: Number(/^Client exited with code (-?\d+)/m.exec(output)?.[1] ?? 0),
      timedOut: /^Client timed out/m.test(output),
      log: checks === undefined ? output : texts.join("").trim(),
    };
  }
}
