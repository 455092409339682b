import type { Bench, BenchOptions, BenchResult, Measure } from "../bench.ts";
import { bestRival, measureOf, ratioLine } from "../contestants.ts";
import { at, EACH_REQUEST, limitAt } from "../networks.ts";
import type { PeerName } from "../peers/index.ts";
import { Scene } from "../scene.ts";
import { withKeychain } from "../surroundings.ts";
import { BEGUN_FIRST, measureStarts, requestsLine, type StartsOver, timesOf } from "./starts.ts";

const MOST_REQUESTS = 4;
const LARGEST_RATIO = 0.8;

function timesOver({ network, starts }: StartsOver<PeerName>): Measure[] {
  const times = timesOf(starts);
  const rival = bestRival(times).samples;
  const ratio = (how: string, own: readonly number[] = [], limit?: number): Measure =>
    ratioLine("expired", `time ${at(network)}${how}, to the best rival's`, own, rival, limit);
  return [
    measureOf("expired", `time ${at(network)}`, "ms", times),
    ratio("", times.ours),
    ratio(BEGUN_FIRST, times["ours-first-v2"], limitAt(network, LARGEST_RATIO)),
  ];
}

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  return withKeychain(async (keychain) => {
    const scene = await Scene.open(programs, {}, keychain?.environment);
    const contestants: PeerName[] = ["ours", "ours-first", "ours-first-v2", "sdk-v1", "sdk-v2"];
    if (keychain !== undefined) contestants.push("ours-keychain");
    try {
      const options = { bench: "expired", contestants, rounds, tokenSeconds: 2, waitForEnd: true, tell };
      const measured = await measureStarts(scene, options);
      return { measures: [requestsLine("expired", measured, MOST_REQUESTS), ...measured.flatMap(timesOver)] };
    } finally {
      await scene.close();
    }
  });
}

export const expired: Bench = {
  name: "expired",
  about: `From the start of the process, with an expired stored token and its refresh token, to the first tool's answer; ${EACH_REQUEST}.`,
  run,
};
