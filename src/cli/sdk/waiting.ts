import { waitFor } from "../../core/wait-for.ts";
import type { TokenManager } from "../../token-manager.ts";
import { CommandFailed } from "../command-failed.ts";
import { exitCodes } from "../exit-codes.ts";
import type { Output, Progress } from "../output.ts";
import { doctorHint } from "./in-our-words.ts";

/** How long a server may take until it is said that it is waited for. */
const SILENCE_MS = 2000;

export interface WaitingOptions {
  readonly output: Output;
  /** Tells when somebody is asked to sign in: that time is not the server's. */
  readonly tokens: TokenManager;
  readonly server: string;
  readonly signal: AbortSignal;
}

/** Waits for a server's answers: says what for when it takes long, and where there is a limit, gives up at some time. */
export class Waiting {
  readonly #options: WaitingOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  #onResume: () => void = () => undefined;
  #progress: Progress | undefined;
  /** Counts up, so that a line that came too late is known. */
  #turn = 0;

  constructor(options: WaitingOptions) {
    this.#options = options;
    const { tokens } = options;
    for (const event of ["challenge_received", "sign_in_started"] as const) tokens.on(event, () => this.#pause());
    for (const event of ["token_issued", "token_refreshed", "token_adopted"] as const) {
      tokens.on(event, () => this.#resume());
    }
  }

  /**
   * @param what for, in the words of somebody who waits.
   * @param limitMs how long without an answer; default: for ever.
   * @param ask gets a signal that fires when nobody waits any more.
   * @throws CommandFailed `timeout` when the limit is over; `aborted` at Ctrl-C.
   */
  async until<Answer>(what: string, ask: (signal: AbortSignal) => Promise<Answer>, limitMs?: number): Promise<Answer> {
    const limit = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, limit.signal]);
    this.#onResume = () => {
      this.#after(SILENCE_MS, () => void this.#say(what));
      if (limitMs !== undefined) this.#after(limitMs, () => limit.abort());
    };
    this.#resume();
    try {
      // Not every SDK lets go of its connecting at once.
      return await waitFor(ask(signal), signal);
    } catch (error) {
      throw limit.signal.aborted ? this.#tooLate(limitMs) : error;
    } finally {
      this.#pause();
      this.#onResume = () => undefined;
    }
  }

  #resume(): void {
    this.#pause();
    this.#onResume();
  }

  #pause(): void {
    this.#turn += 1;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#progress?.stop();
    this.#progress = undefined;
  }

  #after(milliseconds: number, action: () => void): void {
    this.#timers.add(setTimeout(action, milliseconds));
  }

  async #say(what: string): Promise<void> {
    const turn = this.#turn;
    const progress = await this.#options.output.progress(what);
    if (turn === this.#turn) this.#progress = progress;
    else progress.stop();
  }

  #tooLate(limitMs = 0): CommandFailed {
    const { server } = this.#options;
    const message = `${new URL(server).host} has not answered within ${limitMs / 1000} seconds.`;
    return new CommandFailed(message, exitCodes.network, { code: "timeout", hint: doctorHint(server) });
  }
}
