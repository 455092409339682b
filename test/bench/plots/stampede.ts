// The stampede: how many calls were answered, and what it took.
import { type PeerName, peers } from "../peers/index.ts";
import { bar, COLOURS, image, line, text } from "./svg.ts";

const WIDTH = 920;
const LEFT = 178;
const BAR = 440;
const ROW = 30;
const SHOWN: readonly PeerName[] = ["ours", "sdk-v1", "sdk-v2", "mcp-remote"];

interface Outcome {
  readonly refreshes: number;
  readonly answered: number;
  readonly tabs: number;
}

const counted = (count: number): string => Math.round(count).toLocaleString("en");

/** One block for each size: a bar of the calls that were answered, and beside it the refreshes and sign-ins. */
export function stampedePlot(sizes: Readonly<Record<string, Readonly<Record<PeerName, Outcome>>>>): string {
  const parts = [
    text(16, 26, "Many calls at once on an expired token", { kind: "title" }),
    text(16, 46, "answered calls; refresh tokens rotate, and the use of an old one ends the session", {
      kind: "small",
    }),
    text(LEFT + BAR + 70, 46, "refreshes", { kind: "small" }),
    text(LEFT + BAR + 170, 46, "sign-ins asked for", { kind: "small" }),
  ];
  let y = 66;
  for (const [size, outcomes] of Object.entries(sizes)) {
    parts.push(line(16, y, WIDTH - 16, y));
    parts.push(text(16, y + 22, `${Number(size).toLocaleString("en")} calls`, { kind: "title" }));
    y += 32;
    for (const peer of SHOWN) {
      const outcome = outcomes[peer];
      if (outcome === undefined) continue;
      const { refreshes, answered, tabs } = outcome;
      const isOurs = peer === "ours";
      parts.push(text(16, y + 16, peers[peer].title, { kind: isOurs ? "ours" : "" }));
      parts.push(bar(LEFT, y + 4, BAR, 16, "#8c959f2e"));
      if (answered > 0)
        parts.push(bar(LEFT, y + 4, (answered / Number(size)) * BAR, 16, isOurs ? COLOURS.ours : COLOURS.mcp));
      parts.push(text(LEFT + BAR + 10, y + 16, counted(answered), { kind: isOurs ? "ours" : "" }));
      parts.push(text(LEFT + BAR + 70, y + 16, counted(refreshes), { kind: isOurs ? "ours" : "" }));
      parts.push(
        text(LEFT + BAR + 170, y + 16, counted(tabs), {
          kind: isOurs ? "ours" : "",
        }),
      );
      y += ROW - 4;
    }
    y += 14;
  }
  return image(WIDTH, y + 4, "Answered calls of a stampede on an expired token", parts);
}
