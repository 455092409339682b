/** One challenge of a WWW-Authenticate field (RFC 9110 section 11.6.1). */
export interface Challenge {
  /** The authentication scheme in lower case. */
  readonly scheme: string;
  /** The parameters, names in lower case, values decoded. Empty for a challenge with token68 data. */
  readonly parameters: ReadonlyMap<string, string>;
  /** The token68 data, if the challenge had that instead of parameters. */
  readonly token68?: string;
  /** False when a parameter came twice (RFC 9110 section 11.2) or the text was cut off: its values mean nothing. */
  readonly usable: boolean;
}

const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t]*(?:,|$))/y;
const WHITE_SPACE = /[ \t]*/y;
const LIST_GAP = /[ \t,]*/y;
const EQUALS = /[ \t]*=[ \t]*/y;
const QUOTED_STRING = /"((?:[^"\\]|\\[\s\S])*)"/y;
/** A value should be a token where it has no quotes, but URLs are sent bare too; nothing else can start in their middle. */
const BARE_VALUE = /[^\s",]+/y;
/** After something that fits no rule: up to the next comma that is not inside quotes. */
const GARBAGE = /(?:[^",]|"(?:[^"\\]|\\[\s\S])*"?)+/y;

interface Parameter {
  readonly name: string;
  readonly value: string;
  /** False for a quoted-string without its closing quote. */
  readonly complete: boolean;
}

/** Reads tokens off a text, left to right; no position is read twice, so hostile input costs linear time. */
class Reader {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  get atEnd(): boolean {
    return this.#position >= this.#text.length;
  }

  get position(): number {
    return this.#position;
  }

  backTo(position: number): void {
    this.#position = position;
  }

  take(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#position;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#position = pattern.lastIndex;
    return match;
  }

  takeRest(): string {
    const rest = this.#text.slice(this.#position);
    this.#position = this.#text.length;
    return rest;
  }
}

function readParameter(reader: Reader): Parameter | undefined {
  const start = reader.position;
  const name = reader.take(TOKEN)?.[0];
  if (name === undefined || reader.take(EQUALS) === undefined) {
    reader.backTo(start);
    return undefined;
  }
  const lowerName = name.toLowerCase();
  const quotedString = reader.take(QUOTED_STRING)?.[1];
  if (quotedString !== undefined) {
    return { name: lowerName, value: quotedString.replace(/\\([\s\S])/g, "$1"), complete: true };
  }
  const bareValue = reader.take(BARE_VALUE)?.[0];
  if (bareValue !== undefined) return { name: lowerName, value: bareValue, complete: true };
  const opening = reader.position;
  if (reader.take(/"/y) !== undefined) {
    return { name: lowerName, value: reader.takeRest(), complete: false };
  }
  // `name=` with nothing behind it breaks the grammar but loses nothing: the value is empty.
  reader.backTo(opening);
  return { name: lowerName, value: "", complete: true };
}

function readChallenge(reader: Reader, scheme: string): Challenge {
  const parameters = new Map<string, string>();
  let usable = true;
  const token68 = reader.take(WHITE_SPACE)?.[0] === "" ? undefined : reader.take(TOKEN68)?.[0];
  if (token68 !== undefined) return { scheme, parameters, token68, usable };
  for (;;) {
    const beforeGap = reader.position;
    reader.take(LIST_GAP);
    const parameter = readParameter(reader);
    if (parameter === undefined) {
      // Either the next challenge's scheme, the end, or something that fits no rule; the caller sees to all three.
      if (parameters.size === 0) reader.backTo(beforeGap);
      return { scheme, parameters, usable };
    }
    if (!parameter.complete || parameters.has(parameter.name)) usable = false;
    if (!parameters.has(parameter.name)) parameters.set(parameter.name, parameter.value);
  }
}

/**
 * Parses the value of WWW-Authenticate by the grammar of RFC 9110: several challenges in one field (or in several
 * fields, joined by commas), in any order and case, with token and quoted-string values, escapes, commas inside quotes,
 * token68 data and empty list items. What fits no rule is skipped up to the next comma; nothing throws.
 */
export function parseChallenges(fieldValue: string): Challenge[] {
  const challenges: Challenge[] = [];
  const reader = new Reader(fieldValue);
  while (!reader.atEnd) {
    reader.take(LIST_GAP);
    const scheme = reader.take(TOKEN)?.[0];
    if (scheme !== undefined) challenges.push(readChallenge(reader, scheme.toLowerCase()));
    else reader.take(GARBAGE);
  }
  return challenges;
}
