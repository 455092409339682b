import type { Readable, Writable } from "node:stream";

const NEWLINE = 0x0a;

/** Cuts a stream of bytes into lines, which on stdio are messages. Lines may be long; nothing is copied twice. */
class LineCutter {
  readonly #onLine: (line: string) => void;
  #begun: Buffer[] = [];

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  take(chunk: Buffer): void {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      this.#begun.push(chunk.subarray(start, end));
      this.finish();
      start = end + 1;
    }
    if (start < chunk.length) this.#begun.push(chunk.subarray(start));
  }

  /** Whatever has been begun is a line. */
  finish(): void {
    const line = Buffer.concat(this.#begun).toString("utf8").trim();
    this.#begun = [];
    if (line !== "") this.#onLine(line);
  }
}

/** Tells each line of a stream, without blank ones; resolves when the stream has ended. */
export async function readLines(stream: Readable, onLine: (line: string) => void, signal: AbortSignal): Promise<void> {
  const cutter = new LineCutter(onLine);
  await new Promise<void>((resolve) => {
    const stop = (): void => {
      stream.destroy();
      resolve();
    };
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    stream.on("data", (chunk: Buffer) => cutter.take(chunk));
    // A host that dies breaks the pipe; for us that is its end.
    stream.once("error", stop);
    stream.once("end", () => {
      cutter.finish();
      resolve();
    });
  });
}

/** Resolves when what was written to a stream has left this process, or can no longer. */
export function flushed(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    if (stream.destroyed || stream.writableLength === 0) resolve();
    else stream.write("", () => resolve());
  });
}
