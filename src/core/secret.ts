const REDACTED = "[redacted]";
// Registered globally so that two copies of this package in one process recognise each other's secrets.
const BRAND: unique symbol = Symbol.for("mcp-oauth-client.secret") as never;

/**
 * A string that must not be seen: a token, an authorization code, a code verifier, a client secret, a private key.
 *
 * Everything that turns it into text (`String()`, template literals, `JSON.stringify`, `util.inspect`, `console.log`,
 * string concatenation) gives `[redacted]`. Only {@link Secret.reveal} gives the value, so every place that uses one
 * can be found by searching for that word.
 */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
    Object.freeze(this);
  }

  /** Wraps a value that may be absent. */
  static of(value: string): Secret;
  static of(value: string | undefined): Secret | undefined;
  static of(value: string | undefined): Secret | undefined {
    return value === undefined ? undefined : wrap(value);
  }

  /** Whether a value is a {@link Secret}, also one of another copy of this package. */
  static isSecret(value: unknown): value is Secret {
    return typeof value === "object" && value !== null && BRAND in value;
  }

  /** The secret itself, in the clear. Never log, store or display the result. */
  reveal(): string {
    return this.#value;
  }

  /** Always `[redacted]`. */
  toString(): string {
    return REDACTED;
  }

  /** Always `[redacted]`. */
  toJSON(): string {
    return REDACTED;
  }

  /** Always `[redacted]`. */
  [Symbol.toPrimitive](): string {
    return REDACTED;
  }

  /** Always `Secret`. */
  get [Symbol.toStringTag](): string {
    return "Secret";
  }
}

Object.defineProperty(Secret.prototype, BRAND, { value: true });
// The well-known symbol of util.inspect, which console.log and most loggers use.
Object.defineProperty(Secret.prototype, Symbol.for("nodejs.util.inspect.custom"), { value: () => REDACTED });

const wrap = (value: string): Secret => new Secret(value);
