// Texts that are nearly right: a valid one, with a few things done to it.
import fc from "fast-check";

/** Text that some reader somewhere stumbles over. */
export const hostilePieces: readonly string[] = [
  ...["", " ", "\t", "\n", "\r\n", "\u0000", "\u001b[31m", "\u0085", "\u009b", "\u007f"],
  // What turns the direction of text, or cannot be seen.
  ...["\u202e", "\u2066", "\u200b", "\ufeff", "\u2028", "\u2029", "\u00ad"],
  // Half a character, one that is not assigned for ever, an emoji of several parts, a letter with marks.
  ...["\ud800", "\udfff", "\uffff", "👩‍👩‍👧", "e\u0301\u0301", "İ", "ß", "東京", "\ufdfa"],
  ...["__proto__", "constructor", "prototype", "toString", "hasOwnProperty"],
  ...['"', "'", "\\", "\\u0000", "<script>", "%", "%00", "%0d%0a", "%2e%2e", "%ff", "+", "&", "=", ",", ";"],
  ...["0", "-1", "1e309", "9007199254740993", "NaN", "Infinity", "0x10", "١٢", "null", "true", "[]", "{}"],
  ...[
    "https://",
    "http://127.0.0.1",
    "https://user:pass@",
    "javascript:alert(1)",
    "file:///",
    "//",
    "..",
    "#",
    "?",
    ":0",
  ],
];

/** Puts a text in the place of some characters. */
interface Change {
  /** In thousandths of the length. */
  readonly where: number;
  readonly count: number;
  readonly put: (whole: string) => string;
}

const placeIn = (text: string, where: number): number => Math.floor((text.length * where) / 1000);

function apply(text: string, { where, count, put }: Change): string {
  const start = placeIn(text, where);
  return text.slice(0, start) + put(text) + text.slice(start + count);
}

function changes(pieces: readonly string[]): fc.Arbitrary<Change> {
  const anywhere = fc.integer({ min: 0, max: 1000 });
  const none = fc.constant(0);
  const few = fc.integer({ min: 1, max: 40 });
  const all = fc.constant(Number.POSITIVE_INFINITY);
  const text = fc.oneof(fc.constantFrom(...pieces), fc.string({ unit: "binary-ascii", maxLength: 4 }));
  const nothing = fc.constant(() => "");
  const piece = text.map((put) => () => put);
  const manyPieces = fc.tuple(text, fc.constantFrom(100, 3000, 20_000)).map(
    ([put, times]) =>
      () =>
        put.repeat(times),
  );
  const itself = fc.tuple(anywhere, anywhere).map(([from, to]) => (whole: string) => {
    return whole.slice(placeIn(whole, from), placeIn(whole, to));
  });
  const otherCase = fc.constantFrom(
    (whole: string) => whole.toUpperCase(),
    (whole: string) => whole.toLowerCase(),
  );
  const change = (weight: number, count: fc.Arbitrary<number>, put: fc.Arbitrary<Change["put"]>, where = anywhere) => ({
    weight,
    arbitrary: fc.record({ where, count, put }),
  });
  return fc.oneof(
    change(8, none, piece),
    change(4, few, nothing),
    change(6, few, piece),
    change(4, none, itself),
    change(2, all, nothing),
    change(1, all, otherCase, none),
    change(1, none, manyPieces),
  );
}

/**
 * A valid text with up to five changes; a quarter are left as they are.
 *
 * @param pieces what may be put in, beside a few random characters.
 */
export function mutatedText(
  valid: fc.Arbitrary<string>,
  pieces: readonly string[] = hostilePieces,
): fc.Arbitrary<string> {
  const changed = fc
    .tuple(valid, fc.array(changes(pieces), { minLength: 1, maxLength: 5 }))
    .map(([text, list]) => list.reduce(apply, text));
  return fc.oneof({ weight: 1, arbitrary: valid }, { weight: 3, arbitrary: changed });
}

/** A text of hostile pieces and nothing else. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...hostilePieces), { maxLength: 6 })
  .map((pieces) => pieces.join(""));

/** What is left of a text when a header field has carried it: bytes, of which none ends the field. */
export function asHeaderValue(text: string): string {
  return text
    .replace(/[\r\n\u0000]/g, " ")
    .replace(/[^\u0000-\u00ff]/g, (character) => String.fromCharCode(...new TextEncoder().encode(character)));
}
