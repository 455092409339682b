/** What is told of a failure beside its message. */
export interface FailureDetails {
  /** The `code` in `--json` output: one of the library's, or one of the command's own. Default `failed`. */
  readonly code?: string;
  /** What to do next. */
  readonly hint?: string;
  readonly [detail: string]: unknown;
}

/** A command that ended without a result, for a reason that is not one of the library's errors. */
export class CommandFailed extends Error {
  readonly exitCode: number;
  readonly hint: string | undefined;
  /** What `--json` prints beside the message. Nothing in it is secret. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    message: string,
    exitCode: number,
    { code = "failed", hint, ...details }: FailureDetails = {},
    cause?: unknown,
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.name = "CommandFailed";
    this.exitCode = exitCode;
    this.hint = hint;
    this.details = { code, ...details };
  }
}
