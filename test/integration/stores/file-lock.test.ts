import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { FileLocks } from "../../../src/adapters/file-lock/file-lock.ts";
import { fileNameFor } from "../../../src/adapters/file-lock/file-name.ts";
import { bundleProgram, type RunningProgram, run, temporaryFolder } from "../../unit/stores/support/child.ts";

let program: { path: string; remove: () => Promise<void> };
let locksFolder: Awaited<ReturnType<typeof temporaryFolder>>;
let work: Awaited<ReturnType<typeof temporaryFolder>>;
const started: RunningProgram[] = [];

beforeAll(async () => {
  program = await bundleProgram(new URL("./support/lock-program.ts", import.meta.url));
});
afterAll(() => program.remove());
beforeEach(async () => {
  locksFolder = await temporaryFolder();
  work = await temporaryFolder();
});
afterEach(async () => {
  for (const { child } of started.splice(0)) child.kill("SIGKILL");
  await locksFolder.remove();
  await work.remove();
});

const start = (mode: string, options: object = {}): RunningProgram => {
  const running = run(program.path, [mode, locksFolder.path, work.path, JSON.stringify(options)]);
  started.push(running);
  return running;
};

describe("between processes", () => {
  test("4 processes increment a counter 100 times each: 400, never two owners, fences in order", async () => {
    await writeFile(join(work.path, "counter"), "0");
    const codes = await Promise.all([1, 2, 3, 4].map(() => start("count").ended));
    expect(codes).toEqual([0, 0, 0, 0]);
    expect(await readFile(join(work.path, "counter"), "utf8")).toBe("400");
    const log = (await readFile(join(work.path, "log"), "utf8")).trim().split("\n");
    expect(log).toHaveLength(800);
    let previous = 0;
    for (let line = 0; line < log.length; line += 2) {
      const [, owner, fence] = log[line]?.split(" ") ?? [];
      expect(log[line]).toBe(`in ${owner} ${fence}`);
      expect(log[line + 1]).toBe(`out ${owner} ${fence}`);
      expect(Number(fence)).toBeGreaterThan(previous);
      previous = Number(fence);
    }
    // The folder does not grow for ever.
    expect((await readdir(join(locksFolder.path, fileNameFor("counter")))).length).toBeLessThan(20);
  }, 30_000);

  test("nobody is starved by others that take the lock again at once", async () => {
    const greedy = [start("greedy"), start("greedy"), start("greedy"), start("greedy")];
    await Promise.all(greedy.map((one) => one.message()));
    await new Promise((resolve) => setTimeout(resolve, 1500));
    for (const one of greedy) one.child.send("stop");
    const turns = (await Promise.all(greedy.map((one) => one.message()))) as number[];
    expect(Math.max(...turns) / Math.min(...turns)).toBeLessThan(6);
  }, 20_000);

  test("a killed owner is replaced at once, or after a silence where another machine may have the same name", async () => {
    const owner = start("hold");
    const fence = (await owner.message()) as number;
    const locks = new FileLocks({ directory: locksFolder.path });
    await expect(locks.lock("held", { timeoutMs: 200 })).rejects.toMatchObject({ code: "lock_timeout" });
    const waiting = locks.lock("held", { timeoutMs: 10_000 });
    owner.child.kill("SIGKILL");
    const killedAt = performance.now();
    const lock = await waiting;
    expect(performance.now() - killedAt).toBeLessThan(process.platform === "linux" ? 1000 : 5000);
    expect(lock.fence).toBeGreaterThan(fence);
    await lock.release();
  }, 20_000);

  test("a frozen owner keeps its lock for the lease, and may not write after it was replaced", async () => {
    const limits = { heartbeatMs: 100, staleMs: 300, leaseMs: 1200 };
    const owner = start("hold", limits);
    const fence = (await owner.message()) as number;
    owner.child.send("may you write?");
    expect(await owner.message()).toBe("may write");
    const frozenAt = performance.now();
    owner.child.kill("SIGSTOP");
    const locks = new FileLocks({ directory: locksFolder.path, ...limits });
    await expect(locks.lock("held", { timeoutMs: 700 })).rejects.toMatchObject({ code: "lock_timeout" });
    const lock = await locks.lock("held", { timeoutMs: 10_000 });
    expect(performance.now() - frozenAt).toBeGreaterThan(1000);
    expect(lock.fence).toBeGreaterThan(fence);
    owner.child.send("may you write now?");
    owner.child.kill("SIGCONT");
    expect((await Promise.all([owner.message(), owner.message()])).sort()).toEqual(["lost", "store_failed"]);
    lock.assertHeld();
    await lock.release();
  }, 20_000);

  test("an owner that beats is never replaced, however short the limits are", async () => {
    const limits = { heartbeatMs: 100, staleMs: 1000, leaseMs: 1000 };
    const owner = start("hold", limits);
    await owner.message();
    const locks = new FileLocks({ directory: locksFolder.path, ...limits });
    await expect(locks.lock("held", { timeoutMs: 1800 })).rejects.toMatchObject({ code: "lock_timeout" });
    owner.child.send("may you write?");
    expect(await owner.message()).toBe("may write");
  }, 20_000);

  test("a thread that ended while it held the lock is replaced when its heartbeat is missed", async () => {
    const worker = new Worker(program.path, { argv: ["hold", locksFolder.path, work.path, "{}"], execArgv: [] });
    const path = join(locksFolder.path, fileNameFor("held"));
    const names = (): Promise<string[]> => readdir(path).catch((): string[] => []);
    while (!(await names()).includes("1")) await new Promise((resolve) => setTimeout(resolve, 5));
    const locks = new FileLocks({ directory: locksFolder.path, staleMs: 400 });
    await expect(locks.lock("held", { timeoutMs: 100 })).rejects.toMatchObject({ code: "lock_timeout" });
    await worker.terminate();
    const lock = await locks.lock("held", { timeoutMs: 5000 });
    expect(lock.fence).toBe(2);
    await lock.release();
  }, 20_000);

  test("a lock does not keep the process alive", async () => {
    const owner = start("hold");
    await owner.message();
    owner.child.disconnect();
    expect(await owner.ended).toBe(0);
  });
});
