// The parent's end: starts programs, asks them, and ends them.
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

type Methods = Record<string, (...given: never[]) => unknown>;
type Given<Method> = Method extends (...given: infer Parameters) => unknown ? Parameters : never;
type Gives<Method> = Method extends (...given: never[]) => infer Result ? Awaited<Result> : never;

interface Message {
  readonly id?: number;
  readonly value?: unknown;
  readonly problem?: string;
}

/** A program in a process of its own that answers questions. */
export class Program<Known extends Methods> {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #exited: Promise<unknown>;
  #told = "";
  #asked = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
    this.#exited = once(child, "exit").then(() => {
      for (const settle of this.#waiting.values()) settle({ problem: `the program ended; it said: ${this.#told}` });
    });
    child.stderr?.on("data", (chunk) => {
      this.#told = (this.#told + String(chunk)).slice(-2000);
    });
    child.on("message", (message: Message) => {
      if (message.id === undefined) return;
      this.#waiting.get(message.id)?.(message);
    });
  }

  /** Waits for a message of which `pick` makes something. */
  async told<Value>(pick: (message: Record<string, unknown>) => Value | undefined): Promise<Value> {
    return new Promise((resolve, reject) => {
      const onMessage = (message: unknown): void => {
        const picked = pick(message as Record<string, unknown>);
        if (picked === undefined) return;
        this.#child.off("message", onMessage);
        resolve(picked);
      };
      this.#child.on("message", onMessage);
      void this.#exited.then(() => reject(new Error(`the program ended; it said: ${this.#told}`)));
    });
  }

  on(listener: (message: Record<string, unknown>) => void): void {
    this.#child.on("message", (message) => listener(message as Record<string, unknown>));
  }

  async ask<Name extends keyof Known & string>(
    method: Name,
    ...given: Given<Known[Name]>
  ): Promise<Gives<Known[Name]>> {
    const id = ++this.#asked;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.#child.send({ id, method, given });
    const { value, problem } = await answer;
    this.#waiting.delete(id);
    if (problem !== undefined) throw new Error(problem);
    return value as Gives<Known[Name]>;
  }

  async end(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }
}

/** Starts one of the bundled programs. */
export function start<Known extends Methods>(
  programs: string,
  name: string,
  {
    given = [],
    environment = {},
    flags = [],
  }: { given?: string[]; environment?: NodeJS.ProcessEnv; flags?: string[] } = {},
): Program<Known> {
  const child = fork(join(programs, `${name}.mjs`), given, {
    env: { ...process.env, ...environment },
    execArgv: flags,
    stdio: ["ignore", "ignore", "pipe", "ipc"],
  });
  return new Program<Known>(child);
}
