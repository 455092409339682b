import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { atMost, type Bench, type BenchOptions, type BenchResult } from "../bench.ts";
import { ownLine } from "../contestants.ts";
import { installedPackages } from "../installed-packages.ts";
import { byTurns, exactly, ratioOf, summarize } from "../statistics.ts";
import { withFolder } from "../surroundings.ts";

const LARGEST_RATIO = 0.15;
const MOST_PACKAGES = 25;
/** A start is short, so there are more of them. */
const STARTS_PER_ROUND = 3;
const KB = 1024;
const MB = 1024 * 1024;

const run = promisify(execFile);

interface Subject {
  readonly title: string;
  readonly url: string;
}

/** What a bare process takes to import a module. */
async function importOnce({ url }: Subject): Promise<number> {
  const code = `const start = performance.now(); await import(${JSON.stringify(url)}); console.log(performance.now() - start);`;
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", code]);
  return Number(stdout);
}

/** The bytes of all files that an import runs, as the engine itself lists them. */
async function bytesOf({ url }: Subject, folder: string): Promise<number> {
  const coverage = await mkdtemp(join(folder, "coverage-"));
  await run(process.execPath, ["--input-type=module", "--eval", `await import(${JSON.stringify(url)})`], {
    env: { ...process.env, NODE_V8_COVERAGE: coverage },
  });
  let bytes = 0;
  for (const name of await readdir(coverage)) {
    const { result } = JSON.parse(await readFile(join(coverage, name), "utf8")) as { result: { url: string }[] };
    for (const script of result) {
      if (script.url.startsWith("file:") && !script.url.includes("[eval"))
        bytes += (await stat(fileURLToPath(script.url))).size;
    }
  }
  return bytes;
}

function subjects(root: string): Subject[] {
  return [
    { title: "mcp-oauth-client", url: import.meta.resolve(join(root, "dist/index.js")) },
    { title: "SDK v1", url: import.meta.resolve("@modelcontextprotocol/sdk/client/auth.js") },
    { title: "SDK v2", url: import.meta.resolve("@modelcontextprotocol/client") },
  ];
}

async function perform({ rounds, root, tell }: BenchOptions): Promise<BenchResult> {
  const all = subjects(root);
  const byTitle = new Map(all.map((subject) => [subject.title, subject]));
  const find = (title: string): Subject => byTitle.get(title) as Subject;
  const times = await byTurns(rounds * STARTS_PER_ROUND, [...byTitle.keys()], (title, round) => {
    tell(`start ${round + 1}, ${title}`);
    return importOnce(find(title));
  });
  const ratio = ratioOf(times["mcp-oauth-client"] ?? [], times["SDK v1"] ?? []);
  const bytes = await withFolder(async (folder) =>
    Object.fromEntries(
      await Promise.all(all.map(async (subject) => [subject.title, exactly((await bytesOf(subject, folder)) / KB)])),
    ),
  );
  const bench = join(root, "test/bench");
  const ours = await installedPackages(root);
  const v1 = await installedPackages(bench, "@modelcontextprotocol/sdk");
  const v2 = await installedPackages(bench, "@modelcontextprotocol/client");
  const remote = await installedPackages(bench, "mcp-remote");
  const columns = { "mcp-oauth-client": ours, "SDK v1": v1, "SDK v2": v2, "mcp-remote": remote };
  const perColumn = (pick: (installed: typeof ours) => number) =>
    Object.fromEntries(Object.entries(columns).map(([title, installed]) => [title, exactly(pick(installed))]));
  return {
    measures: [
      {
        bench: "import",
        what: "time",
        unit: "ms",
        values: Object.fromEntries(Object.entries(times).map(([title, samples]) => [title, summarize(samples)])),
      },
      ownLine(
        "import",
        "time, to SDK v1's auth",
        "×",
        ratio,
        atMost(ratio.median, LARGEST_RATIO, `at most ${LARGEST_RATIO}`),
      ),
      { bench: "import", what: "code", unit: "KB", values: bytes },
      {
        bench: "import",
        what: "packages installed",
        unit: "",
        values: perColumn(({ names }) => names.length),
        target: atMost(ours.names.length, MOST_PACKAGES, `at most ${MOST_PACKAGES}`),
      },
      { bench: "import", what: "installed", unit: "MB", values: perColumn((installed) => installed.bytes / MB) },
    ],
    notes: [`installed, without optional ones: ${ours.names.join(", ")}`],
  };
}

export const importing: Bench = {
  name: "import",
  about:
    "Importing the package in a process of its own, against the first SDK version's client auth module and the whole of the second's client; and what installing it brings along.",
  run: perform,
};
