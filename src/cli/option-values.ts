import { InvalidArgumentError } from "commander";

/** Reads an option's whole number within bounds. */
export function wholeNumber(from: number, to: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= from && value <= to) return value;
    throw new InvalidArgumentError(`It must be a whole number from ${from} to ${to}.`);
  };
}

/** Reads an option's text. An empty one is mostly a variable that is not set. */
export function someText(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("It must not be empty.");
}

/** Gathers the values of an option that may stand several times. */
export function several(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
