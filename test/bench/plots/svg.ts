// The little that both plots need to write SVG. Colours are chosen to be read on light and on dark backgrounds alike, and
// change with the reader's own choice where the viewer passes it on.

export const COLOURS = {
  text: "#57606a",
  line: "#8c959f",
  ours: "#1f883d",
  bad: "#cf222e",
  mcp: "#0969da",
  authorization: "#8250df",
} as const;

const STYLE = `
text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #424a53; }
.title { font-size: 16px; font-weight: 600; fill: #1f2328; }
.small { font-size: 11px; fill: #57606a; }
.ours { font-weight: 600; fill: #1a7f37; }
.inside { font-size: 10px; fill: #ffffff; }
.grid { stroke: #8c959f; stroke-opacity: 0.35; }
@media (prefers-color-scheme: dark) {
  text { fill: #c9d1d9; }
  .title { fill: #f0f6fc; }
  .small { fill: #9198a1; }
  .ours { fill: #3fb950; }
  .inside { fill: #ffffff; }
}`;

function escapeText(text: string): string {
  return text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
}

export function text(x: number, y: number, words: string, { kind = "", anchor = "start" } = {}): string {
  const look = kind === "" ? "" : ` class="${kind}"`;
  return `<text x="${x}" y="${y}" text-anchor="${anchor}"${look}>${escapeText(words)}</text>`;
}

export function bar(x: number, y: number, width: number, height: number, colour: string, title = ""): string {
  const tip = title === "" ? "" : `<title>${escapeText(title)}</title>`;
  const shape = `x="${x.toFixed(1)}" y="${y}" width="${Math.max(width, 1).toFixed(1)}" height="${height}" rx="2"`;
  return `<rect ${shape} fill="${colour}">${tip}</rect>`;
}

export function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" class="grid"/>`;
}

export function image(width: number, height: number, label: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escapeText(label)}">`,
    `<style>${STYLE}\n</style>`,
    ...parts,
    "</svg>\n",
  ].join("\n");
}
