// A process of its own that works with a lock. Arguments: mode, lock folder, work folder, options as JSON.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FileLocks, type FileLocksOptions } from "../../../../src/adapters/file-lock/file-lock.ts";

const [mode, directory, work, json] = process.argv.slice(2) as [string, string, string, string];
const locks = new FileLocks({ directory, ...(JSON.parse(json) as Partial<FileLocksOptions>) });
const say = (message: unknown): void => void process.send?.(message);

if (mode === "count") await count();
if (mode === "hold") await hold();
if (mode === "greedy") await beGreedy();

/** Increments a counter 100 times, and writes down when it came in and when it left. */
async function count(): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    const lock = await locks.lock("counter");
    appendFileSync(join(work, "log"), `in ${process.pid} ${lock.fence}\n`);
    const path = join(work, "counter");
    const value = Number(readFileSync(path, "utf8"));
    // Gives the others a chance to come in between.
    await new Promise((resolve) => setImmediate(resolve));
    writeFileSync(path, String(value + 1));
    appendFileSync(join(work, "log"), `out ${process.pid} ${lock.fence}\n`);
    await lock.release();
  }
  process.disconnect();
}

/** Takes the lock, says so, keeps it, and tells on request whether it may write. */
async function hold(): Promise<void> {
  const lock = await locks.lock("held");
  lock.lost.addEventListener("abort", () => say("lost"));
  process.on("message", () => {
    try {
      lock.assertHeld();
      say("may write");
    } catch (error) {
      say((error as { code: string }).code);
    }
  });
  say(lock.fence);
}

/** Takes the lock again as soon as it has released it, for as long as it is let. */
async function beGreedy(): Promise<void> {
  let turns = 0;
  let stopped = false;
  process.once("message", () => {
    stopped = true;
  });
  say("ready");
  while (!stopped) {
    const lock = await locks.lock("wanted");
    turns += 1;
    await new Promise((resolve) => setTimeout(resolve, 1));
    await lock.release();
  }
  say(turns);
  process.disconnect();
}
