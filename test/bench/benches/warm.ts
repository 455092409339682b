import type { Bench, BenchOptions, BenchResult, Measure } from "../bench.ts";
import { ratioLine } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import { Scene } from "../scene.ts";
import { withKeychain } from "../surroundings.ts";
import { BEGUN_FIRST, measureStarts, START_DELAY_MS, startLines, timesOf } from "./starts.ts";

const MOST_REQUESTS = 3;
const LARGEST_RATIO = 1.1;

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  return withKeychain(async (keychain) => {
    const scene = await Scene.open(programs, {}, keychain?.environment);
    const contestants: PeerName[] = ["ours", "ours-first", "sdk-v1", "sdk-v2", "static-header"];
    if (keychain !== undefined) contestants.push("ours-keychain", "ours-first-keychain");
    try {
      const options = { bench: "warm", contestants, rounds, tokenSeconds: 3600, waitForEnd: false, tell };
      const starts = await measureStarts(scene, options);
      const times = timesOf(starts);
      const store = keychain === undefined ? " (encrypted file: no keychain here)" : ", keychain read included";
      const ratio = (what: string, own: readonly number[] = [], limit?: number): Measure =>
        ratioLine("warm", `time${what}, to a static header's${store}`, own, times["static-header"] ?? [], limit);
      return {
        measures: [
          ...startLines("warm", starts, MOST_REQUESTS),
          ratio("", times["ours-keychain"] ?? times.ours),
          ratio(BEGUN_FIRST, times["ours-first-keychain"] ?? times["ours-first"], LARGEST_RATIO),
        ],
      };
    } finally {
      await scene.close();
    }
  });
}

export const warm: Bench = {
  name: "warm",
  about: `From the start of the process, with a valid stored token, to the first tool's answer; ${START_DELAY_MS} ms for each request.`,
  run,
};
