// What a defence is, for the lists beside this file.

/**
 * Code that stands between a case and harm.
 *
 * @typedef {object} Defence
 * @property {string} what what it does
 * @property {Removal[]} removals what has to be changed so that it is gone; several where one alone does not suffice
 * @property {string[]} covers the cases that fail without it; a `*` at the end stands for any rest
 */

/**
 * @typedef {object} Removal
 * @property {string} file from src/
 * @property {string} code stands in the file exactly once
 * @property {string} without what stands there when the defence is gone
 */

/**
 * @param {string} what
 * @param {string} covers with white space between the ids
 * @param {...[file: string, code: string, without?: string]} removals
 * @returns {Defence}
 */
export function defence(what, covers, ...removals) {
  return {
    what,
    covers: covers.split(/\s+/),
    removals: removals.map(([file, code, without = ""]) => ({ file, code, without })),
  };
}
