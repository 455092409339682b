import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { encryptedFileStore, FileStore } from "../../../src/adapters/encrypted-file/store.ts";
import { bundleProgram, type RunningProgram, run, temporaryFolder } from "../../unit/stores/support/child.ts";

let program: Awaited<ReturnType<typeof bundleProgram>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const started: RunningProgram[] = [];
const key = Buffer.alloc(32, 7);

beforeAll(async () => {
  program = await bundleProgram(new URL("./support/file-program.ts", import.meta.url));
});
afterAll(() => program.remove());
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const { child } of started.splice(0)) child.kill("SIGKILL");
  await folder.remove();
});

function start(mode: string): RunningProgram {
  const running = run(program.path, [mode, folder.path]);
  started.push(running);
  return running;
}

test("4 processes update a record 100 times each: 400", async () => {
  const codes = await Promise.all([1, 2, 3, 4].map(() => start("increment").ended));
  expect(codes).toEqual([0, 0, 0, 0]);
  expect((await encryptedFileStore({ key, directory: folder.path }).get("counter"))?.value).toBe("400");
  expect(await readdir(join(folder.path, "records"))).toHaveLength(1);
});

test("kill -9 at any moment loses nothing that was said to be written", async () => {
  const store = encryptedFileStore({ key, directory: folder.path });
  let written = 0;
  let inTheMiddle = 0;
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const writer = start("churn");
    writer.child.on("message", (round) => {
      written = round as number;
    });
    while (writer.child.exitCode === null && written === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    await writer.message();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 12));
    writer.child.kill("SIGKILL");
    await writer.ended;
    const names = await readdir(join(folder.path, "records"));
    if (names.length > 1) inTheMiddle += 1;
    const value = JSON.parse((await store.get("key"))?.value ?? "") as { round: number; filler: string };
    // One more may have been written without a word of it reaching us.
    expect([written, written + 1]).toContain(value.round);
    expect(value.filler).toHaveLength(20_000);
    written = value.round;
  }
  // The kills did hit the middle of a write, or this test proves little.
  expect(inTheMiddle).toBeGreaterThan(0);
  const lock = await store.lock("key", { timeoutMs: 5000 });
  await store.set("key", "last", lock);
  await lock.release();
  expect(await readdir(join(folder.path, "records"))).toHaveLength(1);
});

test("a frozen writer that lost its lock does not overwrite its successor", async () => {
  const writer = start("freeze");
  expect(await writer.message()).toBe("holding");
  writer.child.kill("SIGSTOP");
  const limits = { heartbeatMs: 100, staleMs: 300, leaseMs: 1000 };
  const store = new FileStore({ key, directory: folder.path }, { locks: limits });
  const lock = await store.lock("key", { timeoutMs: 10_000 });
  expect((await store.get("key"))?.value).toBe("first");
  await store.set("key", "second", lock);
  writer.child.send("write");
  writer.child.kill("SIGCONT");
  expect(await writer.message()).toBe("store_failed");
  expect((await store.get("key"))?.value).toBe("second");
  await lock.release();
});
