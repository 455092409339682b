// What the person at the terminal sees: 80 columns, one line a step, colours only where they are seen.
import { styleText } from "node:util";
import { StepFailed } from "./step-failed.ts";

const WIDTH = 80;

export interface Row {
  step: string;
  where: string;
  what: string;
  /** How many requests it took. */
  requests: number;
  ms: number;
}

type Style = Parameters<typeof styleText>[0];

export class Report {
  readonly #output: NodeJS.WriteStream;
  readonly #startedAt = Date.now();
  #rows = 0;
  #pausedMs = 0;
  #sections = 0;
  #failed = false;

  constructor(output: NodeJS.WriteStream) {
    this.#output = output;
  }

  get hasFailed(): boolean {
    return this.#failed;
  }

  line(text = ""): void {
    this.#output.write(`${text}\n`);
  }

  style(style: Style, text: string): string {
    const isSeen = this.#output.isTTY && process.env.NO_COLOR === undefined && process.env.TERM !== "dumb";
    return isSeen ? styleText(style, text) : text;
  }

  section(title: string): void {
    this.#sections += 1;
    this.line();
    this.line(` ${this.style("bold", `${this.#sections} ${title}`)}`);
  }

  /** Text of any length, below the fact that it explains. */
  small(text: string): void {
    for (const line of wrapped(text, WIDTH - 15)) this.line(this.style("dim", `${" ".repeat(14)}${line}`));
  }

  head(): void {
    this.line();
    this.line(this.style("dim", cells(" ", "step", "where", "what happened", "requests", "time")));
    this.line(this.style("dim", ` ${"─".repeat(WIDTH - 2)}`));
  }

  row({ step, where, what, requests, ms }: Row): void {
    const [head = "", tail = ""] = cells("\0", step, where, what, String(requests || ""), duration(ms)).split("\0");
    this.line(`${head}${this.style("green", "✓")}${tail}`);
    this.#rows += 1;
  }

  pause(what: string, ms: number): void {
    const text = ` … ${what}`.padEnd(WIDTH - 9);
    this.line(this.style("dim", `${text} ${duration(ms).padStart(7)}`));
    this.#pausedMs += ms;
  }

  /** An aside for the person, between two rows. */
  aside(text: string): void {
    this.line(this.style("yellow", `   ${text}`));
  }

  fail(error: unknown): void {
    this.#failed = true;
    const step = error instanceof StepFailed ? error.step : "demo";
    const reason = error instanceof Error ? error.message : String(error);
    const [first = "", ...rest] = wrapped(reason, WIDTH - 17);
    this.line(` ${this.style("red", "✗")} ${step.padEnd(12)} ${first}`);
    for (const line of rest) this.line(`${" ".repeat(16)}${line}`);
  }

  interrupted(): void {
    this.line();
    this.line(` Interrupted.${this.#failed ? "" : " Nothing is left behind."}`);
  }

  conclude(totals: { client: number; browser: number } | undefined): void {
    const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
    this.line();
    if (this.#failed || totals === undefined) {
      this.line(` ${this.style(["red", "bold"], "A step failed; see ✗ above.")}`);
    } else {
      const all = seconds(Date.now() - this.#startedAt);
      const how = `${this.#rows} steps in ${all}, ${seconds(this.#pausedMs)} of it spent waiting on purpose.`;
      this.line(` ${this.style(["green", "bold"], "Every step worked:")} ${how}`);
      this.line(
        ` ${totals.client} requests by the client, ${totals.browser} by the browser. The person was asked once.`,
      );
      this.line(this.style("dim", " Times include both servers, which run on this machine too."));
    }
    this.line();
  }
}

function cells(mark: string, step: string, where: string, what: string, requests: string, time: string): string {
  const columns = [step.padEnd(12), where.padEnd(11), what.padEnd(34), requests.padStart(8), time.padStart(7)];
  return ` ${mark} ${columns.join(" ")}`.trimEnd();
}

function duration(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return ms < 1 ? "<1 ms" : `${Math.round(ms)} ms`;
}

function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
