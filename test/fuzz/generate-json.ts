// JSON documents that are nearly right. They are built as trees whose leaves are JSON text: so they can have the same
// member twice, a member "__proto__", numbers that no double holds, and nesting that no recursion survives.
import fc from "fast-check";
import { hostilePieces, mutatedText } from "./generate-text.ts";

type Member = readonly [name: string, value: Tree];
type Tree =
  | { readonly kind: "object" | "array"; readonly members: Member[] }
  | { readonly kind: "leaf"; readonly text: string };

const leafOf = (text: string): Tree => ({ kind: "leaf", text });

function treeOf(value: unknown): Tree {
  if (Array.isArray(value)) return { kind: "array", members: value.map((item) => ["", treeOf(item)]) };
  if (typeof value !== "object" || value === null) return leafOf(JSON.stringify(value) ?? "null");
  return { kind: "object", members: Object.entries(value).map(([name, item]) => [name, treeOf(item)]) };
}

function print(tree: Tree): string {
  if (tree.kind === "leaf") return tree.text;
  if (tree.kind === "array") return `[${tree.members.map(([, value]) => print(value)).join(",")}]`;
  return `{${tree.members.map(([name, value]) => `${JSON.stringify(name)}:${print(value)}`).join(",")}}`;
}

/** Every member of every object and array, as the list that it is in and its place there. */
function placesIn(tree: Tree): { members: Member[]; index: number }[] {
  if (tree.kind === "leaf") return [];
  return tree.members.flatMap(([, value], index) => [{ members: tree.members, index }, ...placesIn(value)]);
}

const nested = (depth: number, open: string, close: string): string => open.repeat(depth) + close.repeat(depth);

const valueTexts: readonly string[] = [
  ...["null", "true", "false", "0", "-0", "-1", "1", "1.5", "3600", "1e308", "1e400", "-1e400", "9007199254740993"],
  ...['""', '"3600"', '"Bearer"', '"true"', '" "', '"\\ud800"', '"\\u0000"', '"\\u202e\\u001b[2J"'],
  ...["[]", "[[]]", "[null]", "[1]", '[""]', '["a",{}]', "{}", '{"a":1}'],
  ...['{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}', '{"__proto__":null}'],
  // Objects that cannot be made a text of.
  ...['{"toString":null,"valueOf":null}', '{"toString":1}', '{"length":1e9}', '{"then":1}', '{"toJSON":"x"}'],
  // Not JSON at all.
  ...["undefined", "NaN", "01", "'a'", '"', "", "[1,]"],
];
const deepTexts = [
  nested(500, "[", "]"),
  nested(20_000, "[", "]"),
  `${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`,
  JSON.stringify("x".repeat(50_000)),
];

type Change = (tree: Tree) => void;

/** The change that puts others, or none, in the place of one member. */
function replacing(share: number, others: (member: Member) => readonly Member[]): Change {
  return (tree) => {
    const places = placesIn(tree);
    const place = places[Math.floor((places.length * share) / 1001)];
    const member = place?.members[place.index];
    if (place !== undefined && member !== undefined) place.members.splice(place.index, 1, ...others(member));
  };
}

/** Puts a piece into a text; anything else stays as it is. */
function spoilt(value: Tree, share: number, piece: string): Tree {
  if (value.kind !== "leaf" || !value.text.startsWith('"')) return value;
  const start = 1 + Math.floor(((value.text.length - 2) * share) / 1000);
  return leafOf(value.text.slice(0, start) + JSON.stringify(piece).slice(1, -1) + value.text.slice(start));
}

function changes(names: readonly string[], pieces: readonly string[]): fc.Arbitrary<Change> {
  const where = fc.integer({ min: 0, max: 1000 });
  const name = fc.oneof(fc.constantFrom(...names), fc.constantFrom("__proto__", "constructor", "toString", ""));
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 3 }).map((list) => JSON.stringify(list.join("")));
  const leaf = fc
    .oneof(
      { weight: 12, arbitrary: fc.constantFrom(...valueTexts) },
      { weight: 6, arbitrary: text },
      { weight: 1, arbitrary: fc.constantFrom(...deepTexts) },
    )
    .map(leafOf);
  const swap = fc.tuple(where, leaf).map(([share, other]) => replacing(share, ([name]) => [[name, other]]));
  const drop = where.map((share) => replacing(share, () => []));
  const repeat = where.map((share) => replacing(share, (member) => [member, member]));
  const contradict = fc
    .tuple(where, leaf)
    .map(([share, other]) => replacing(share, (member) => [member, [member[0], other]]));
  const add = fc
    .tuple(where, name, leaf)
    .map(([share, added, value]) => replacing(share, (member) => [member, [added, value]]));
  const rename = fc.tuple(where, name).map(([share, other]) => replacing(share, ([, value]) => [[other, value]]));
  const wrap = fc
    .tuple(where, fc.constantFrom("array" as const, "object" as const))
    .map(([share, kind]) => replacing(share, (member) => [[member[0], { kind, members: [member] }]]));
  const spoil = fc
    .tuple(where, where, fc.constantFrom(...pieces))
    .map(([share, inText, piece]) => replacing(share, ([name, value]) => [[name, spoilt(value, inText, piece)]]));
  return fc.oneof(
    { weight: 5, arbitrary: swap },
    { weight: 2, arbitrary: drop },
    { weight: 1, arbitrary: repeat },
    { weight: 1, arbitrary: contradict },
    { weight: 3, arbitrary: add },
    { weight: 1, arbitrary: rename },
    { weight: 1, arbitrary: wrap },
    { weight: 5, arbitrary: spoil },
  );
}

export interface JsonMutations {
  /** Member names that the reader knows, to be added where they are not. */
  readonly names: readonly string[];
  /** Texts to be put in beside the usual ones. */
  readonly pieces?: readonly string[];
}

/** The text of a valid document with up to four changes to its structure, and now and then one to its text. */
export function mutatedJson(valid: fc.Arbitrary<unknown>, { names, pieces = [] }: JsonMutations): fc.Arbitrary<string> {
  const allPieces = [...hostilePieces, ...pieces, ...pieces];
  const structured = fc.tuple(valid, fc.array(changes(names, allPieces), { maxLength: 4 })).map(([value, list]) => {
    const tree = treeOf(value);
    for (const change of list) change(tree);
    return print(tree);
  });
  return fc.oneof(
    { weight: 8, arbitrary: structured },
    { weight: 1, arbitrary: mutatedText(structured, allPieces) },
    {
      weight: 1,
      arbitrary: mutatedText(
        valid.map((value) => JSON.stringify(value)),
        allPieces,
      ),
    },
  );
}
