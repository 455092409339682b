// The cold start as a waterfall: every request of every contestant, on one scale.
import type { ColdStart } from "../benches/cold.ts";
import { type PeerName, peers } from "../peers/index.ts";
import type { SeenRequest } from "../programs/world.ts";
import { isNotificationStream } from "../round-trips.ts";
import { bar, COLOURS, image, line, text } from "./svg.ts";

const WIDTH = 920;
const LEFT = 178;
const RIGHT = 70;
const TOP = 74;
const ROW = 16;
const GAP = 26;
const SHOWN: readonly PeerName[] = ["ours", "sdk-v2", "sdk-v1", "mcp-remote"];

/** What a request is for, in a word or two. */
function purposeOf({ path, method, status, rpc, grant }: SeenRequest): string {
  if (path.includes("oauth-protected-resource")) return "resource metadata";
  if (path.includes("well-known")) return "server metadata";
  if (path === "/reg") return "registration";
  if (grant !== undefined) return "tokens";
  if (status === 401) return `${rpc ?? method}: 401`;
  return rpc?.replace("notifications/", "") ?? path;
}

/** Waterfalls below one another, the fastest way to see where the time goes. */
export function coldPlot(starts: Readonly<Record<PeerName, ColdStart>>): string {
  const longest = Math.max(...SHOWN.map((peer) => starts[peer].ms));
  const step = longest > 1200 ? 200 : 100;
  const scale = (ms: number): number => LEFT + (ms / longest) * (WIDTH - LEFT - RIGHT);
  const parts: string[] = [];
  let y = TOP;
  for (const peer of SHOWN) {
    const { ms, requests } = starts[peer];
    const shown = requests.filter((request) => request.startedAt < ms && !isNotificationStream(request));
    parts.push(text(16, y + 12, peers[peer].title, { kind: peer === "ours" ? "ours" : "" }));
    parts.push(text(16, y + 28, `${requests.length} requests`, { kind: "small" }));
    for (const [index, request] of shown.entries()) {
      const [from, to] = [scale(request.startedAt), scale(Math.min(request.endedAt, ms))];
      const colour = request.server.startsWith("MCP") ? COLOURS.mcp : COLOURS.authorization;
      const rowY = y + index * ROW;
      parts.push(bar(from, rowY + 2, to - from, ROW - 4, request.status === 401 ? COLOURS.bad : colour));
      // Beside the end there is no room for words.
      const isLate = to > scale(ms) - 110;
      const words = { kind: "small", anchor: isLate ? "end" : "start" };
      parts.push(text(isLate ? from - 5 : to + 5, rowY + 12, purposeOf(request), words));
    }
    const bottom = y + Math.max(shown.length, 2) * ROW;
    const end = scale(ms);
    parts.push(
      `<line x1="${end}" y1="${y - 4}" x2="${end}" y2="${bottom + 4}" stroke="${peer === "ours" ? COLOURS.ours : COLOURS.line}" stroke-width="2"/>`,
    );
    parts.push(text(end + 6, y + 8, `${Math.round(ms)} ms`, { kind: peer === "ours" ? "ours" : "" }));
    y = bottom + GAP;
  }
  const grid: string[] = [];
  for (let ms = 0; ms <= longest; ms += step) {
    grid.push(
      line(scale(ms), TOP - 10, scale(ms), y - 12),
      text(scale(ms), y + 4, `${ms} ms`, { kind: "small", anchor: "middle" }),
    );
  }
  const head = [
    text(16, 26, "From nothing to a connected client", { kind: "title" }),
    text(16, 46, "registration and sign-in, 50 ms for each request; the person takes no time", { kind: "small" }),
    ...legend(),
  ];
  return image(WIDTH, y + 18, "Waterfall of the requests of a first connection", [...head, ...grid, ...parts]);
}

function legend(): string[] {
  const entries = [
    ["MCP server", COLOURS.mcp],
    ["refused", COLOURS.bad],
    ["authorization server", COLOURS.authorization],
  ] as const;
  return entries.flatMap(([words, colour], index) => [
    bar(556 + index * 112, 17, 10, 10, colour),
    text(571 + index * 112, 26, words, { kind: "small" }),
  ]);
}
