// A terminal of 80 x 24 with somebody in front of it: tmux, on a socket of its own. Guard its tests with
// `describe.runIf(requires("terminal"))`.
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { programOf } from "../../../support/requires.ts";
import { closing } from "../../flow/support/harness.ts";
import { type CliEnvironment, cliPath } from "./run-cli.ts";

const run = promisify(execFile);
const PATIENCE_MS = 20_000;

export interface TerminalOptions {
  readonly env: CliEnvironment;
  /** Default 80. */
  readonly columns?: number;
  /** Default 24. */
  readonly rows?: number;
}

export interface Terminal {
  /** What is on the screen, without the empty lines at its end. */
  screen(): Promise<string>;
  /** The same with all that has scrolled away above it, and with colours as escape sequences. */
  everything(options?: { colours?: boolean }): Promise<string>;
  /** Waits until the screen or what scrolled away has this; throws with the screen when it does not come. */
  shows(text: string | RegExp): Promise<string>;
  /** Types a text as it is. */
  type(text: string): Promise<void>;
  /** Presses keys by tmux's names: `Enter`, `C-c`. */
  press(...keys: string[]): Promise<void>;
  /** Waits for the program to end, and gives its exit code. The screen stays. */
  exitCode(): Promise<number>;
  /** Whether the cursor can be seen. */
  hasCursor(): Promise<boolean>;
}

/** Opens a terminal that runs the program with these arguments. It is closed with the test. */
export async function openTerminal(
  args: readonly string[],
  { env, columns = 80, rows = 24 }: TerminalOptions,
): Promise<Terminal> {
  const folder = await mkdtemp(join(tmpdir(), "terminal-"));
  const tmux = async (...command: string[]): Promise<string> => {
    const whole = ["-S", join(folder, "socket"), "-f", "/dev/null", ...command];
    return (await run(programOf("terminal"), whole, { env: { ...env, LC_ALL: "C.UTF-8" } })).stdout;
  };
  closing({
    async close() {
      await tmux("kill-server").catch(() => undefined);
      await rm(folder, { recursive: true, force: true });
    },
  });
  const exitFile = join(folder, "exit-code");
  // The shell outlives the program, so that the terminal stays as the program leaves it.
  const script = 'trap : INT; "$@"; echo $? >"$EXIT_FILE"; exec sleep 600';
  const program = [process.execPath, cliPath, ...args];
  const place = ["-x", String(columns), "-y", String(rows), "-e", `EXIT_FILE=${exitFile}`];
  await tmux("new-session", "-d", ...place, "sh", "-c", script, "sh", ...program);

  const screen = async (): Promise<string> => (await tmux("capture-pane", "-p")).trimEnd();
  const everything = async ({ colours = false } = {}): Promise<string> =>
    (await tmux("capture-pane", "-p", "-J", "-S", "-", ...(colours ? ["-e"] : []))).trimEnd();
  const until = async <Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> => {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (Date.now() > deadline) throw new Error(`waited for ${what}; the terminal has:\n${await everything()}`);
      await sleep(25);
    }
  };
  return {
    screen,
    everything,
    shows: (wanted) =>
      until(String(wanted), async () => {
        const text = await everything();
        if (typeof wanted !== "string") return text.match(wanted)?.[0];
        return text.includes(wanted) ? wanted : undefined;
      }),
    type: async (text) => void (await tmux("send-keys", "-l", text)),
    press: async (...keys) => void (await tmux("send-keys", ...keys)),
    exitCode: () =>
      until("the end of the program", async () => {
        const text = await readFile(exitFile, "utf8").catch(() => "");
        return text === "" ? undefined : Number(text);
      }),
    hasCursor: async () => (await tmux("display-message", "-p", "#{cursor_flag}")).trim() === "1",
  };
}
