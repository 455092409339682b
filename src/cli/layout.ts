import { stripVTControlCharacters } from "node:util";

/** How many columns a text takes; escape sequences take none. */
function columnsOf(text: string): number {
  return stripVTControlCharacters(text).length;
}

/** Words as lines that fit. A word that is too long stays whole, so that an address can be copied. */
function fill(words: readonly string[], width: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const last = lines.at(-1);
    if (last !== undefined && columnsOf(`${last} ${word}`) <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** A command to copy, which stays on one line. */
const COMMAND = /^ *\$ |: (?:mcp-oauth|export) /;

/**
 * Text whose lines are no longer than `width` where words allow it; each line keeps its own indentation.
 *
 * @param hang how much further in the rest of a long line stands.
 */
export function wrapText(text: string, width: number, hang = 0): string {
  const lines = text.split("\n").flatMap((line) => {
    if (columnsOf(line) <= width || COMMAND.test(line)) return [line];
    const indent = line.match(/^ */)?.[0] ?? "";
    const filled = fill(line.trim().split(" "), width - indent.length - hang);
    return filled.map((words, index) => indent + (index === 0 ? "" : " ".repeat(hang)) + words);
  });
  return lines.join("\n");
}

/** A label and what stands behind it; rows without a value are left out. */
export type Row = readonly [label: string, value: string | undefined];

/** Labels in one column and values in the next, which long values keep to. */
export function layOutRows(rows: readonly Row[], width: number, label: (text: string) => string): string {
  const shown = rows.filter((row): row is readonly [string, string] => row[1] !== undefined);
  const column = Math.max(...shown.map(([name]) => name.length)) + 3;
  return shown
    .map(([name, value]) => {
      const lines = fill(value.split(" "), width - column - 2);
      return `  ${label(name.padEnd(column))}${lines.join(`\n${" ".repeat(column + 2)}`)}`;
    })
    .join("\n");
}
