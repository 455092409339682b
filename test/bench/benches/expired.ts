import type { Bench, BenchOptions, BenchResult } from "../bench.ts";
import { bestRival, ratioLine } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import { Scene } from "../scene.ts";
import { withKeychain } from "../surroundings.ts";
import { BEGUN_FIRST, measureStarts, START_DELAY_MS, startLines, timesOf } from "./starts.ts";

const MOST_REQUESTS = 4;
const LARGEST_RATIO = 0.8;

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  return withKeychain(async (keychain) => {
    const scene = await Scene.open(programs, {}, keychain?.environment);
    const contestants: PeerName[] = ["ours", "ours-first", "ours-first-v2", "sdk-v1", "sdk-v2"];
    if (keychain !== undefined) contestants.push("ours-keychain");
    try {
      const options = { bench: "expired", contestants, rounds, tokenSeconds: 2, waitForEnd: true, tell };
      const starts = await measureStarts(scene, options);
      const times = timesOf(starts);
      const rival = bestRival(times).samples;
      return {
        measures: [
          ...startLines("expired", starts, MOST_REQUESTS),
          ratioLine("expired", "time, to the best rival's", times.ours ?? [], rival),
          ratioLine(
            "expired",
            `time${BEGUN_FIRST}, to the best rival's`,
            times["ours-first-v2"] ?? [],
            rival,
            LARGEST_RATIO,
          ),
        ],
      };
    } finally {
      await scene.close();
    }
  });
}

export const expired: Bench = {
  name: "expired",
  about: `From the start of the process, with an expired stored token and its refresh token, to the first tool's answer; ${START_DELAY_MS} ms for each request.`,
  run,
};
