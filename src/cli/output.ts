import { styleText } from "node:util";
import type { Spinner, Options as SpinnerOptions } from "yocto-spinner";
import { layOutRows, type Row, wrapText } from "./layout.ts";

/** How a piece of text stands out. */
export type Style = "bold" | "dim" | "green" | "red" | "yellow" | "cyan";

/** A line about work that takes long. */
export interface Progress {
  /** Says what is being done now. */
  update(text: string): void;
  /** Ends it; with a text, that stays on the screen behind a check mark. */
  succeed(text?: string): void;
  /** Ends it without a trace. */
  stop(): void;
}

export interface OutputOptions {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  /** One JSON document on stdout instead of text for people. */
  readonly json: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

/** No narrower than what text can be laid out in, no wider than what eyes can follow. */
const NARROWEST = 40;
const WIDEST = 120;

/** Columns of a stream that text for people may use. */
function widthOf({ columns = 80 }: { columns?: number }): number {
  return Math.min(Math.max(columns, NARROWEST), WIDEST);
}

/** Colours only where somebody sees them (https://no-color.org, https://force-color.org). */
function hasColours(stream: NodeJS.WriteStream, { json, environment }: OutputOptions): boolean {
  if (json || (environment.NO_COLOR ?? "") !== "") return false;
  const forced = environment.FORCE_COLOR;
  if (forced !== undefined && forced !== "") return forced !== "0" && forced !== "false";
  return stream.isTTY === true && environment.TERM !== "dumb";
}

/**
 * What a command says. The result goes to stdout, so that it can be piped; everything about the way there goes to stderr.
 * Text that a server chose must have been made inert (`inertText`, `quoted`) before it comes here.
 */
export class Output {
  readonly json: boolean;
  readonly #options: OutputOptions;
  readonly #colours: { stdout: boolean; stderr: boolean };
  #spinner: Spinner | undefined;
  #isOver = false;

  constructor(options: OutputOptions) {
    this.#options = options;
    this.json = options.json;
    this.#colours = { stdout: hasColours(options.stdout, options), stderr: hasColours(options.stderr, options) };
  }

  /** Columns that text for people may use. */
  get width(): number {
    return widthOf(this.#options.stdout);
  }

  /** Whether a person looks at stdout. */
  get isTerminal(): boolean {
    return this.#options.stdout.isTTY === true;
  }

  /** A text in colour where stdout shows colours. */
  style(style: Style, text: string): string {
    return this.#colours.stdout ? styleText(style, text, { validateStream: false }) : text;
  }

  /** Labels and values in two columns, for a result. */
  rows(rows: readonly Row[]): string {
    return layOutRows(rows, this.width, (label) => this.style("dim", label));
  }

  /** A text for a result, in lines that fit; in one piece where it is piped, so that it can be searched. */
  paragraph(text: string, hang = 0): string {
    return this.isTerminal ? wrapText(text, this.width, hang) : text;
  }

  /** The result of the command: with `--json` the value, otherwise the text, on stdout. */
  result(value: unknown, text: string): void {
    this.#write(this.#options.stdout, this.json ? JSON.stringify(value, null, 2) : text);
  }

  /** A line of raw text on stdout, whatever the options say: for what is piped. */
  raw(text: string): void {
    this.#write(this.#options.stdout, text);
  }

  /** A remark for people, on stderr; none with `--json`. */
  note(text: string, style?: Style): void {
    if (this.json) return;
    const wrapped = this.#wrapped(text);
    const shown =
      style !== undefined && this.#colours.stderr ? styleText(style, wrapped, { validateStream: false }) : wrapped;
    this.#write(this.#options.stderr, shown);
  }

  /** What a person has to see before going on, with `--json` too: on stderr. */
  announce(text: string): void {
    this.#write(this.#options.stderr, this.#wrapped(text));
  }

  /** What went wrong: with `--json` the value on stdout, otherwise the text on stderr. */
  error(value: unknown, text: string): void {
    this.close();
    if (this.json) this.#write(this.#options.stdout, JSON.stringify(value, null, 2));
    else {
      const label = this.#colours.stderr ? styleText("red", "Error:", { validateStream: false }) : "Error:";
      this.#write(this.#options.stderr, this.#wrapped(`${label} ${text}`));
    }
  }

  /** Long work: a spinner where stderr is a terminal, otherwise one line for each step; nothing with `--json`. */
  async progress(text: string): Promise<Progress> {
    const { stderr } = this.#options;
    const silent: Progress = { update: () => undefined, succeed: () => undefined, stop: () => undefined };
    if (this.json) return silent;
    if (stderr.isTTY !== true) {
      this.note(text);
      const say = (words: string | undefined): void => (words === undefined ? undefined : this.note(words));
      return { update: say, succeed: say, stop: () => undefined };
    }
    const { default: yoctoSpinner } = await import("yocto-spinner");
    // The command may have ended while that was loaded; a spinner would keep the program alive.
    if (this.#isOver) return silent;
    // Ctrl-C is the command's own business.
    const options: SpinnerOptions = { text, stream: stderr, handleSignals: false };
    const spinner = yoctoSpinner(options).start();
    this.#spinner = spinner;
    return {
      update: (words) => {
        spinner.text = words;
      },
      succeed: (words) => void (words === undefined ? spinner.stop() : spinner.success(words)),
      stop: () => void spinner.stop(),
    };
  }

  /** Ends the line about long work, if there is one, for good, and shows the cursor again. */
  close(): void {
    this.#isOver = true;
    this.#spinner?.stop();
  }

  /** The same for stderr. */
  #wrapped(text: string): string {
    const { stderr } = this.#options;
    return stderr.isTTY === true ? wrapText(text, widthOf(stderr)) : text;
  }

  #write(stream: NodeJS.WriteStream, text: string): void {
    stream.write(text.endsWith("\n") ? text : `${text}\n`);
  }
}
