import { type ChildProcess, spawn } from "node:child_process";
import type { CancelTimer, Clock } from "../../core/clock.ts";
import { KeychainFailure } from "./failure.ts";
import { HELPER_SOURCE } from "./helper-source.ts";

/** A program that behaves like `node` when it is started with `--expose-gc --v8-pool-size=0 -e`. */
export interface HelperProgram {
  /** Its path. */
  command: string;
  /** Environment variables that it needs beside those of this process. */
  environment?: Readonly<Record<string, string>>;
}

/** One request to the helper. */
export interface HelperRequest {
  readonly operation: "get" | "set" | "delete";
  readonly service: string;
  readonly account: string;
  readonly password?: string;
}

/** What {@link HelperProcess} needs. */
export interface HelperOptions {
  program: HelperProgram;
  /** The path of `@napi-rs/keyring`. */
  library: string;
  clock: Clock;
  deadlineMs: number;
  /** After how many milliseconds without a request the helper is let go. Default 30,000. */
  idleMs?: number;
}

/** The helper could not be started at all, or ended without an answer twice. */
export class HelperUnavailable extends Error {}

interface Answer {
  readonly id: number;
  readonly value?: string | boolean | null;
  readonly problem?: string;
}

const DEFAULT_IDLE_MS = 30_000;

// Those that must not outlive this process, in case that their own event loop is blocked.
const living = new Set<ChildProcess>();
let isExitWatched = false;

/**
 * A keychain in a child process: one request at a time, each with a deadline after which the child is killed.
 *
 * It is started by the first request or by {@link HelperProcess.start}, and again whenever it is needed and gone. It
 * never keeps this process alive, except while a request waits for its answer.
 */
export class HelperProcess {
  readonly #options: HelperOptions;
  #child: ChildProcess | undefined;
  #requests = 0;
  #cancelIdle: CancelTimer | undefined;

  constructor(options: HelperOptions) {
    this.#options = options;
  }

  /**
   * Starts the child, so that it is ready when the first request comes.
   *
   * @throws {@link HelperUnavailable} when that is not allowed here.
   */
  start(): ChildProcess {
    if (this.#child !== undefined) return this.#child;
    const { program, library } = this.#options;
    let child: ChildProcess;
    try {
      // Without threads of the engine's own, which it has no work for, it is there sooner.
      child = spawn(program.command, ["--expose-gc", "--v8-pool-size=0", "-e", HELPER_SOURCE, library], {
        env: helperEnvironment(program),
        stdio: ["ignore", "ignore", "ignore", "ipc"],
        windowsHide: true,
      });
    } catch (error) {
      throw new HelperUnavailable("The helper process cannot be started.", { cause: error });
    }
    this.#child = child;
    living.add(child);
    watchExit();
    const forget = (): void => {
      living.delete(child);
      if (this.#child === child) this.#child = undefined;
    };
    // An error without a listener would end this process.
    child.on("error", forget);
    child.on("exit", forget);
    child.unref();
    child.channel?.unref();
    this.#letGoWhenIdle();
    return child;
  }

  /**
   * Sends one request. Not to be called again before it has been answered.
   *
   * @throws `KeychainFailure` `stuck` after the deadline; an `Error` with the library's words; {@link HelperUnavailable}.
   */
  async request(request: HelperRequest): Promise<string | boolean | null> {
    try {
      const first = await this.#attempt(request);
      // It may have been killed from outside. All operations can be repeated.
      const answer = first ?? (await this.#attempt(request));
      if (answer === undefined) throw new HelperUnavailable("The helper process ended without an answer.");
      if (answer.problem !== undefined) throw new Error(answer.problem);
      return answer.value ?? null;
    } finally {
      if (this.#child !== undefined) this.#letGoWhenIdle();
    }
  }

  /** Ends the child. A later request starts another one. */
  stop(): void {
    this.#cancelIdle?.();
    const child = this.#child;
    this.#child = undefined;
    child?.kill("SIGKILL");
  }

  /** @returns the answer, or `undefined` when the child ended before it gave one. */
  #attempt(request: HelperRequest): Promise<Answer | undefined> {
    const child = this.start();
    // It is not idle, however long it takes. A child that has just been started counts its idle time from then on.
    this.#cancelIdle?.();
    this.#requests += 1;
    const id = this.#requests;
    return new Promise((resolve, reject) => {
      const onMessage = (message: unknown): void => {
        if ((message as Answer).id === id) settle(() => resolve(message as Answer));
      };
      const onEnd = (): void => {
        if (this.#child === child) this.#child = undefined;
        settle(() => resolve(undefined));
      };
      const cancelDeadline = this.#options.clock.schedule(() => {
        this.stop();
        settle(() => reject(new KeychainFailure("stuck")));
      }, this.#options.deadlineMs);
      const settle = (how: () => void): void => {
        cancelDeadline();
        child.off("message", onMessage).off("exit", onEnd).off("error", onEnd);
        child.channel?.unref();
        how();
      };
      child.on("message", onMessage).on("exit", onEnd).on("error", onEnd);
      child.channel?.ref();
      child.send({ id, ...request }, (error) => {
        if (error !== null) onEnd();
      });
    });
  }

  #letGoWhenIdle(): void {
    this.#cancelIdle?.();
    const { clock, idleMs = DEFAULT_IDLE_MS } = this.#options;
    this.#cancelIdle = clock.schedule(() => this.stop(), idleMs, { background: true });
  }
}

/** The keychain is found by the environment of the session, but nothing that changes how Node starts is wanted. */
function helperEnvironment(program: HelperProgram): NodeJS.ProcessEnv {
  const environment = { ...process.env };
  for (const name of Object.keys(environment)) {
    if (/^(NODE_|MCP_OAUTH_CLIENT_)/i.test(name)) delete environment[name];
  }
  return { ...environment, ...program.environment };
}

function watchExit(): void {
  if (isExitWatched) return;
  isExitWatched = true;
  process.on("exit", () => {
    for (const child of living) child.kill("SIGKILL");
  });
}
