import { readdirSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** What a process holds on to. */
export interface Measure {
  /** Bytes in use after garbage collection. */
  readonly heap: number;
  readonly rss: number;
  /** What keeps the event loop alive, by kind. */
  readonly resources: Readonly<Record<string, number>>;
  /** Open file descriptors; absent where the system does not show them. */
  readonly descriptors: number | undefined;
}

function countDescriptors(): number | undefined {
  try {
    // One of them is the folder that is being read.
    return readdirSync("/proc/self/fd").length - 1;
  } catch {
    return undefined;
  }
}

/** Needs `--expose-gc`. */
export async function measure(): Promise<Measure> {
  // Node makes these when they are first looked at, which may be at any time.
  void [process.stdout, process.stderr];
  // What finalizers let go of is gone after the next round.
  for (let round = 0; round < 4; round++) {
    globalThis.gc?.();
    await pause(50);
  }
  const resources: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) resources[kind] = (resources[kind] ?? 0) + 1;
  const { heapUsed: heap, rss } = process.memoryUsage();
  return { heap, rss, resources, descriptors: countDescriptors() };
}
