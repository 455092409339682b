import type { Bench, BenchOptions, BenchResult, Measure } from "../bench.ts";
import { measureOf, ratioLine } from "../contestants.ts";
import { at, EACH_REQUEST, limitAt } from "../networks.ts";
import type { PeerName } from "../peers/index.ts";
import { Scene } from "../scene.ts";
import { withKeychain } from "../surroundings.ts";
import { BEGUN_FIRST, measureStarts, requestsLine, type StartsOver, timesOf } from "./starts.ts";

const MOST_REQUESTS = 3;
const LARGEST_RATIO = 1.1;

function timesOver({ network, starts }: StartsOver<PeerName>): Measure[] {
  const times = timesOf(starts);
  const store =
    times["ours-keychain"] === undefined ? " (encrypted file: no keychain here)" : ", keychain read included";
  const ratio = (how: string, own: readonly number[] = [], limit?: number): Measure =>
    ratioLine(
      "warm",
      `time ${at(network)}${how}, to a static header's${store}`,
      own,
      times["static-header"] ?? [],
      limit,
    );
  return [
    measureOf("warm", `time ${at(network)}`, "ms", times),
    ratio("", times["ours-keychain"] ?? times.ours),
    ratio(BEGUN_FIRST, times["ours-first-keychain"] ?? times["ours-first"], limitAt(network, LARGEST_RATIO)),
  ];
}

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  return withKeychain(async (keychain) => {
    const scene = await Scene.open(programs, {}, keychain?.environment);
    const contestants: PeerName[] = ["ours", "ours-first", "ours-first-v2", "sdk-v1", "sdk-v2", "static-header"];
    if (keychain !== undefined) contestants.push("ours-keychain", "ours-first-keychain");
    try {
      const options = { bench: "warm", contestants, rounds, tokenSeconds: 3600, waitForEnd: false, tell };
      const measured = await measureStarts(scene, options);
      return { measures: [requestsLine("warm", measured, MOST_REQUESTS), ...measured.flatMap(timesOver)] };
    } finally {
      await scene.close();
    }
  });
}

export const warm: Bench = {
  name: "warm",
  about: `From the start of the process, with a valid stored token, to the first tool's answer; ${EACH_REQUEST}.`,
  run,
};
