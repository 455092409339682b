// The steps of one part of the demo, each proved by the requests that the servers got for it, and timed from the end of
// the step before.
import type { Asked, Journal } from "./journal.ts";
import type { Report } from "./report.ts";
import { StepFailed } from "./step-failed.ts";

export interface Step {
  step: string;
  where: string;
  what: string;
  /** The very requests by the client, and no others, since the step before. */
  asked?: readonly string[];
  /** When it ended, in milliseconds since the epoch. Default now. */
  at?: number;
}

export class Steps {
  readonly #journal: Journal;
  readonly #report: Report;
  readonly #upcoming: string[];
  #since = Date.now();
  #failure: unknown;

  /** @param names all of them, in their order. */
  constructor({ journal, report }: { journal: Journal; report: Report }, names: readonly string[]) {
    this.#journal = journal;
    this.#report = report;
    this.#upcoming = [...names];
  }

  /** Reports a step. */
  done(step: Step): void {
    this.proved(step, this.#journal.take());
  }

  /** The same with requests that were taken from the journal before. */
  proved({ step, where, what, asked = [], at = Date.now() }: Step, taken: readonly Asked[]): void {
    this.prove(step === this.#upcoming[0], `Before it came "${step}".`);
    const found = taken.filter(({ by }) => by === "client").map(({ text }) => text);
    const got = `The servers got [${found.join(", ")}] instead of [${asked.join(", ")}].`;
    this.prove(found.join("\n") === asked.join("\n"), got);
    this.#report.row({ step, where, what, requests: taken.length, ms: at - this.#since });
    this.#upcoming.shift();
    this.#since = at;
  }

  /** Time that belongs to no step, because the demo let it pass. */
  pause(what: string, until: number = Date.now()): void {
    this.#report.pause(what, until - this.#since);
    this.#since = until;
  }

  /** @throws StepFailed for the step that comes next, unless it is so. */
  prove(isSo: boolean, reason: string): void {
    if (!isSo) throw new StepFailed(this.#upcoming[0] ?? "end", reason);
  }

  /** A listener whose failure is told by {@link attempt}, since nobody hears what a listener throws. */
  listener<Event>(listen: (event: Event) => void): (event: Event) => void {
    return (event) => {
      if (this.#failure !== undefined) return;
      try {
        listen(event);
      } catch (error) {
        this.#failure = error;
      }
    };
  }

  /** Waits for what a step consists of; what it throws is the failure of the step that comes next. */
  async attempt<Result>(work: Promise<Result>): Promise<Result> {
    let result: Result;
    try {
      result = await work;
    } catch (error) {
      throw (
        this.#failure ??
        new StepFailed(this.#upcoming[0] ?? "end", error instanceof Error ? error.message : String(error))
      );
    }
    if (this.#failure !== undefined) throw this.#failure;
    return result;
  }

  /** @throws StepFailed when a step has not come. */
  end(): void {
    this.prove(this.#upcoming.length === 0, "It did not happen.");
  }
}
