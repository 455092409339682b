import { inertText } from "../core/text.ts";

/** Longer ones nobody reads at a terminal. */
const LONGEST_LINE = 1_000_000;

/** Text of a server in several lines, each made inert. Indentation stays. */
export function inertLines(text: string): string {
  return text
    .split(/\r\n|\n|\r/)
    .map((line) => (line.match(/^[ \t]*/)?.[0] ?? "").replaceAll("\t", "  ") + inertText(line, LONGEST_LINE))
    .join("\n");
}

/** The first sentence of a description, or its first line where that ends before. */
export function firstSentence(text: string): string {
  const [line = ""] = text.trim().split(/\n\s*\n|\n(?=[-*#\d])/);
  const sentence = inertText(line, 1000).match(/^.*?[.!?](?= |$)/)?.[0] ?? line;
  return inertText(sentence, 300);
}
