// What is fuzzed, and what must hold whatever goes in.
import assert from "node:assert/strict";
import fc from "fast-check";
import { McpOAuthError, mcpOAuthErrorCodes } from "../../src/core/errors.ts";
import { shown } from "../support/shown.ts";

/** One parser, ready to be given inputs. */
export interface FuzzTarget {
  readonly name: string;
  /** Starts what all cases share: a listener, a folder. */
  start(): Promise<RunningTarget>;
}

export interface RunningTarget {
  /** One case; `onOutcome` is told how it ended: `accepted`, `nothing`, or the code of an error. */
  property(onOutcome: (outcome: string) => void): fc.IAsyncProperty<[unknown]>;
  close(): Promise<void>;
}

export interface Reader<Input> {
  /** Reads, checks what came of it, and gives it back. May throw a {@link McpOAuthError}, and nothing else. */
  read(input: Input): unknown;
  /** Names the outcome. Default: `nothing` for `undefined`, else `accepted`. */
  outcomeOf?(value: unknown): string;
  /** Texts in the input that no error may show. */
  secretsIn?(input: Input): readonly string[];
  close?(): Promise<void>;
}

/** More than this of the processor for one small input means that something is not linear. */
const MOST_CPU_MS = 1000;
/** A promise that is still open after this will stay so. */
const MOST_WAIT_MS = 10_000;
/** Longer messages are no messages; a server's text must not fill a log. */
const LONGEST_MESSAGE = 2000;
const NOT_INERT = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/u;

const codes = new Set<string>(mcpOAuthErrorCodes);
const shared: readonly object[] = [Object, Array, Function, String, Map, Promise, Error].flatMap((kind) => [
  kind,
  kind.prototype,
]);
const namesOfShared = (): string => shared.map((each) => Reflect.ownKeys(each).map(String).join(" ")).join("\n");
const untouched = namesOfShared();

/** Nothing that every object of the program inherits may have changed. */
function requireNoPollution(): void {
  assert.equal(namesOfShared(), untouched, "a prototype has been polluted");
  assert.equal((Object.create({}) as { polluted?: unknown }).polluted, undefined, "a prototype has been polluted");
}

/** No object in a result may have got its prototype from the input. */
export function requirePlain(value: unknown): void {
  const queue: unknown[] = [value];
  for (let next = queue.pop(); queue.length > 0 || next !== undefined; next = queue.pop()) {
    if (typeof next !== "object" || next === null) continue;
    const prototype: unknown = Object.getPrototypeOf(next);
    // No input can name itself as the prototype of its own constructor.
    const isOfAClass = prototype === null || (prototype as object).constructor.prototype === prototype;
    assert.ok(isOfAClass, "an object has a prototype out of the input");
    queue.push(...Object.values(next));
  }
}

function requireInert(text: string | undefined, what: string): void {
  if (text === undefined) return;
  assert.ok(text.length <= LONGEST_MESSAGE, `${what} has ${text.length} characters: ${text.slice(0, 200)}…`);
  assert.doesNotMatch(text, NOT_INERT, `${what} has a character that is obeyed or cannot be seen`);
}

/** The code of an error, which must be one of ours, inert, and without secrets. */
function codeOf(error: unknown, secrets: readonly string[]): string {
  if (!(error instanceof McpOAuthError)) throw error;
  const { code, message, oauthError, requiredScope } = error as McpOAuthError;
  assert.ok(codes.has(code), `${code} is no code`);
  requireInert(message, "the message");
  requireInert(oauthError, "oauthError");
  requireInert(requiredScope, "requiredScope");
  requireNoSecret(error, secrets);
  return code;
}

/** Nothing that can be printed of a value may have one of these texts in it. */
export function requireNoSecret(value: unknown, secrets: readonly string[]): void {
  if (secrets.length === 0) return;
  const text = shown(value);
  for (const secret of secrets) assert.ok(!text.includes(secret), `a secret is shown: ${text}`);
}

async function outcomeOf<Input>(reader: Reader<Input>, input: Input): Promise<string> {
  try {
    const value = await reader.read(input);
    requirePlain(value);
    return reader.outcomeOf?.(value) ?? (value === undefined ? "nothing" : "accepted");
  } catch (error) {
    return codeOf(error, reader.secretsIn?.(input) ?? []);
  }
}

/** Describes a parser. */
export function fuzzTarget<Input>(
  name: string,
  inputs: fc.Arbitrary<Input>,
  start: () => Reader<Input> | Promise<Reader<Input>>,
): FuzzTarget {
  return {
    name,
    async start() {
      const reader = await start();
      return {
        property: (onOutcome) =>
          fc.asyncProperty(inputs as fc.Arbitrary<unknown>, async (input) => {
            const before = process.cpuUsage();
            onOutcome(await withinTime(outcomeOf(reader, input as Input)));
            const { user, system } = process.cpuUsage(before);
            assert.ok((user + system) / 1000 < MOST_CPU_MS, `it took ${(user + system) / 1000} ms of the processor`);
            requireNoPollution();
          }),
        close: async () => reader.close?.(),
      };
    },
  };
}

async function withinTime<Value>(work: Promise<Value>): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: "it hangs" })), MOST_WAIT_MS);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
