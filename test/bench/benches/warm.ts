import type { Bench, BenchOptions, BenchResult } from "../bench.ts";
import { ratioLine } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import { Scene } from "../scene.ts";
import { withKeychain } from "../surroundings.ts";
import { measureStarts, START_DELAY_MS, startLines, timesOf } from "./starts.ts";

const MOST_REQUESTS = 3;
const LARGEST_RATIO = 1.1;

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  return withKeychain(async (keychain) => {
    const scene = await Scene.open(programs, {}, keychain?.environment);
    const contestants: PeerName[] = ["ours", "sdk-v1", "sdk-v2", "static-header"];
    if (keychain !== undefined) contestants.push("ours-keychain");
    try {
      const options = { bench: "warm", contestants, rounds, tokenSeconds: 3600, waitForEnd: false, tell };
      const starts = await measureStarts(scene, options);
      const times = timesOf(starts);
      const what = `time, to a static header's${keychain === undefined ? " (encrypted file: no keychain here)" : ", keychain read included"}`;
      const ours = times["ours-keychain"] ?? times.ours ?? [];
      return {
        measures: [
          ...startLines("warm", starts, MOST_REQUESTS),
          ratioLine("warm", what, ours, times["static-header"] ?? [], LARGEST_RATIO),
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
