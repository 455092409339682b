// The defences that the corpus meets, and which of its cases fail without each. remove-defences.mjs proves it.
import { addressDefences } from "./defences/addresses.mjs";
import { answerDefences } from "./defences/answers.mjs";
import { responseDefences } from "./defences/responses.mjs";
import { shownAndStoredDefences } from "./defences/shown-and-stored.mjs";

/** @typedef {import("./defences/defence.mjs").Defence} Defence */

/** @type {readonly Defence[]} */
export const defences = [...addressDefences, ...answerDefences, ...responseDefences, ...shownAndStoredDefences];

/** The test file of each group, without `.test.ts`, and how the ids of its cases begin. */
export const groups = {
  ssrf: ["ssrf"],
  redirects: ["redirect"],
  parsing: ["parse"],
  "size-and-time": ["size", "time"],
  "mix-up": ["mix-up"],
  "code-injection": ["code", "paste"],
  callback: ["callback"],
  "url-opening": ["open"],
  text: ["text"],
  storage: ["store"],
};

/**
 * Whether a case is one of those that a line of `covers` means.
 *
 * @param {string} line
 * @param {string} id
 */
export function means(line, id) {
  return line.endsWith("*") ? id.startsWith(line.slice(0, -1)) : id === line;
}
