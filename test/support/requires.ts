import { accessSync, appendFileSync, constants, readdirSync } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

/** What some tests need and npm does not install. */
export type Requirement = "secret-service" | "chromium" | "terminal" | "redis" | "postgresql";

interface Recipe {
  /** Programs that must all be there; each a list of names of which one is enough. */
  programs: readonly (readonly string[])[];
  debian: string;
  homebrew?: string;
}

const recipes: Record<Requirement, Recipe> = {
  "secret-service": {
    programs: [["gnome-keyring-daemon"], ["dbus-daemon"], ["dbus-send"], ["secret-tool"]],
    debian: "dbus gnome-keyring libsecret-tools",
  },
  chromium: {
    programs: [
      process.env.CHROMIUM_PATH
        ? [process.env.CHROMIUM_PATH]
        : ["chromium", "chromium-browser", "google-chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"],
    ],
    debian: "chromium fonts-dejavu-core",
    homebrew: "--cask chromium",
  },
  terminal: { programs: [["tmux"]], debian: "tmux", homebrew: "tmux" },
  redis: { programs: [["redis-server"]], debian: "redis-server", homebrew: "redis" },
  postgresql: { programs: [["postgres"], ["initdb"]], debian: "postgresql", homebrew: "postgresql@17" },
};

/**
 * Whether tests that need something can run here: `describe.runIf(requires("chromium"))("...", ...)`.
 *
 * Where it is missing they are skipped, and the end of the run says so with the command that installs it; the environment
 * variable TEST_MISSING names the file that keeps it until then. With CI=true this throws instead, because there a test
 * that does not run is a failure.
 */
export function requires(what: Requirement): boolean {
  if (recipes[what].programs.every((names) => locate(names) !== undefined)) return true;
  const how = howToInstall(what);
  if (process.env.CI === "true") throw new Error(`${what} is missing. Install it: ${how}`);
  if (process.env.TEST_MISSING !== undefined) {
    appendFileSync(process.env.TEST_MISSING, `${JSON.stringify({ what, how })}\n`);
  }
  return false;
}

/** The path of a program that a requirement brings, the first one unless named: `programOf("postgresql", "initdb")`. */
export function programOf(what: Requirement, name?: string): string {
  const { programs } = recipes[what];
  const names = programs.find((each) => name === undefined || each.includes(name));
  const path = names && locate(names);
  if (path === undefined) throw new Error(`${what} is missing. Install it: ${howToInstall(what)}`);
  return path;
}

function locate(names: readonly string[]): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), ...debianPostgresFolders()];
  const candidates = names.flatMap((name) => (isAbsolute(name) ? name : folders.map((folder) => join(folder, name))));
  return candidates.find(isExecutable);
}

function howToInstall(what: Requirement): string {
  const { debian, homebrew } = recipes[what];
  if (process.platform === "linux") return `sudo apt-get install -y --no-install-recommends ${debian}`;
  return homebrew === undefined ? "it exists on Linux only" : `brew install ${homebrew}`;
}

/** Debian keeps PostgreSQL's programs out of PATH. */
function debianPostgresFolders(): string[] {
  try {
    return readdirSync("/usr/lib/postgresql").map((version) => join("/usr/lib/postgresql", version, "bin"));
  } catch {
    return [];
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
