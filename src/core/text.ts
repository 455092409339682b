/**
 * Text that a server chose, made fit to be shown: no control characters (a terminal would obey them), no bidirectional
 * overrides or invisible characters (they make text read as something else), one line, and not long.
 */
export function inertText(text: string, maxLength = 200): string {
  const cleaned = text
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ")
    .replace(/[\p{Cf}\p{Co}\p{Cs}]/gu, "")
    .replace(/ {2,}/g, " ")
    .trim();
  const characters = Array.from(cleaned.slice(0, (maxLength + 1) * 2));
  return characters.length > maxLength ? `${characters.slice(0, maxLength).join("")}…` : characters.join("");
}

/** Server text inside one of our sentences: inert, and in quotes so that nobody takes it for our own words. */
export function quoted(text: string, maxLength = 200): string {
  return `"${inertText(text, maxLength).replaceAll('"', "'")}"`;
}
