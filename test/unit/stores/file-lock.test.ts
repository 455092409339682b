import { spawnSync } from "node:child_process";
import { mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { FileLocks } from "../../../src/adapters/file-lock/file-lock.ts";
import { fileNameFor } from "../../../src/adapters/file-lock/file-name.ts";
import { currentOwner, judgeOwner, type LockOwner } from "../../../src/adapters/file-lock/owner.ts";
import { Silence } from "../../../src/adapters/file-lock/silence.ts";
import { fileSystem } from "../../../src/adapters/file-system.ts";
import { temporaryFolder } from "./support/child.ts";

describe("the silence of an owner", () => {
  const seen = { generation: 7, released: false, owner: undefined, heartbeatAt: 1000, contended: false };
  const limits = { staleMs: 4000, leaseMs: 60_000 };

  test("is what was watched, not what the clock says", () => {
    const silence = new Silence();
    silence.look(seen, 0);
    // A laptop that slept for a night, or a clock that was put right.
    silence.look(seen, 40_000_000);
    expect(silence.isOver("unknown", limits)).toBe(false);
    expect(silence.isOver("alive", limits)).toBe(false);
    silence.look(seen, 10);
    expect(silence.isOver("unknown", limits)).toBe(false);
  });

  test("ends with a heartbeat", () => {
    const silence = new Silence();
    for (let now = 0; now <= 4200; now += 50) silence.look(seen, now);
    expect(silence.isOver("unknown", limits)).toBe(true);
    expect(silence.isOver("alive", limits)).toBe(false);
    silence.look({ ...seen, heartbeatAt: 2000 }, 4250);
    expect(silence.isOver("unknown", limits)).toBe(false);
  });

  test("of a whole lease is believed after a few missed beats when the file says the same", () => {
    const silence = new Silence();
    for (let now = 100_000; now <= 104_200; now += 50) silence.look(seen, now);
    expect(silence.isOver("alive", limits)).toBe(true);
  });
});

test.each([
  ["its boot", "64a2e2ac-a3c3-4d5f-8a3c-1a2b3c4d5e6f pid:[4026531836]", "dead"],
  ["its host name alone, which another one may have", `host ${hostname()}`, "unknown"],
])("a process that is not there, on a machine known by %s", (_title, machine, expected) => {
  const me = { ...currentOwner(), machine };
  const { pid: processId } = spawnSync(process.execPath, ["--version"]);
  expect(judgeOwner({ ...me, instance: "somebody else", processId }, false, me)).toBe(expected);
  expect(judgeOwner({ ...me, instance: "somebody else", processId: process.ppid, processStart: "" }, false, me)).toBe(
    "alive",
  );
  // What is our own is known for certain.
  expect(judgeOwner(me, false, me)).toBe("dead");
});

describe.concurrent("owners that cannot be asked", () => {
  const limits = { staleMs: 400, leaseMs: 60_000 };
  const ownerLike = (changes: Partial<LockOwner>): string =>
    `H${JSON.stringify({ ...currentOwner(), instance: "somebody else", ...changes })}`;
  const folders: Array<Awaited<ReturnType<typeof temporaryFolder>>> = [];
  afterAll(async () => {
    for (const folder of folders) await folder.remove();
  });
  /** A lock of which generation 7 has this content. */
  const plant = async (content: string): Promise<FileLocks> => {
    const folder = await temporaryFolder();
    folders.push(folder);
    await mkdir(join(folder.path, fileNameFor("key")));
    await writeFile(join(folder.path, fileNameFor("key"), "7"), content);
    return new FileLocks({ directory: folder.path, ...limits });
  };

  test.each([
    ["another machine", () => ownerLike({ machine: `host ${hostname()}-other`, processId: 1 })],
    ["another thread of this process", () => ownerLike({ threadId: 99 })],
    ["an empty file", () => ""],
    ["a file cut off in the middle", () => ownerLike({}).slice(0, 20)],
    ["garbage", () => "\u0000\u0001 not a lock"],
    ["an owner that would address a process group", () => ownerLike({ processId: -1 })],
  ])("%s: replaced after a silence, not before", async (_title, content) => {
    const locks = await plant(content());
    // One try: no silence has been counted yet, however slow the machine is.
    await expect(locks.lock("key", { timeoutMs: 0 })).rejects.toMatchObject({ code: "lock_timeout" });
    const lock = await locks.lock("key", { timeoutMs: 5000 });
    expect(lock.fence).toBe(8);
    await lock.release();
  });

  test.each([
    ["its process id now belongs to another process", () => ownerLike({ processId: process.ppid, processStart: "1" })],
    ["our process id, from before a restart", () => ownerLike({ processStart: "1" })],
    ["this module itself, which does not hold it", () => `H${JSON.stringify(currentOwner())}`],
  ])("%s: replaced at once", async (_title, content) => {
    const lock = await (await plant(content())).lock("key", { timeoutMs: 0 });
    expect(lock.fence).toBe(8);
    await lock.release();
  });

  test("a process that lives is not replaced after a mere silence", async () => {
    const locks = await plant(ownerLike({ processId: process.ppid, processStart: "" }));
    await expect(locks.lock("key", { timeoutMs: 900 })).rejects.toMatchObject({ code: "lock_timeout" });
  });

  test("the time that short attempts have watched adds up", async () => {
    const locks = await plant(ownerLike({ machine: "host elsewhere" }));
    let attempts = 0;
    for (;;) {
      attempts += 1;
      const lock = await locks.lock("key", { timeoutMs: 60 }).catch(() => undefined);
      if (lock !== undefined) break;
    }
    expect(attempts).toBeGreaterThan(2);
  });
});

describe("in one process", () => {
  let locksFolder: Awaited<ReturnType<typeof temporaryFolder>>;
  let work: Awaited<ReturnType<typeof temporaryFolder>>;

  beforeEach(async () => {
    locksFolder = await temporaryFolder();
    work = await temporaryFolder();
  });
  afterEach(async () => {
    await locksFolder.remove();
    await work.remove();
  });

  test("instances over the same folder form one line, first come first served", async () => {
    const first = new FileLocks({ directory: locksFolder.path });
    const second = new FileLocks({ directory: join(locksFolder.path, "..", locksFolder.path.split("/").at(-1) ?? "") });
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 30 }, async (_, index) => {
        const lock = await (index % 2 === 0 ? first : second).lock("key");
        order.push(index);
        await lock.release();
      }),
    );
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 30 }, (_, index) => index));
    const evens = order.filter((index) => index % 2 === 0);
    expect(evens).toEqual([...evens].sort((a, b) => a - b));
  });

  test("instances form one line where the system takes two spellings for the same folder", async () => {
    // As on systems that take no notice of upper and lower case: the folder has one name, whatever it is asked for by.
    vi.spyOn(fileSystem.realpathSync, "native").mockReturnValue(await realpath(locksFolder.path));
    const lock = await new FileLocks({ directory: locksFolder.path }).lock("key");
    const other = new FileLocks({ directory: join(work.path, "LOCKS") });
    await expect(other.lock("key", { timeoutMs: 0 })).rejects.toMatchObject({ code: "lock_timeout" });
    await lock.release();
  });

  test("a folder whose name the system cannot tell is used all the same", async () => {
    vi.spyOn(fileSystem.realpathSync, "native").mockImplementation(() => {
      throw Object.assign(new Error("EISDIR"), { code: "EISDIR" });
    });
    await (await new FileLocks({ directory: locksFolder.path }).lock("key")).release();
  });

  test("what cannot be cleaned up keeps nobody from the lock", async () => {
    const folder = join(locksFolder.path, fileNameFor("key"));
    for (let generation = 1; generation <= 20; generation += 1) {
      // Folders, which cannot be removed as files are.
      await mkdir(join(folder, String(generation)), { recursive: true });
    }
    await writeFile(join(folder, "21"), `R${JSON.stringify(currentOwner())}`);
    await mkdir(join(folder, "waiting"));
    const lock = await new FileLocks({ directory: locksFolder.path }).lock("key");
    expect(lock.fence).toBe(22);
    await lock.release();
  });

  test("a fence is above the floor that the caller knows, also when the lock files are gone", async () => {
    const locks = new FileLocks({ directory: locksFolder.path });
    const lock = await locks.lock("key", { floor: async () => 41 });
    expect(lock.fence).toBe(42);
    await lock.release();
    const next = await locks.lock("key", { floor: async () => 7 });
    expect(next.fence).toBe(43);
    await next.release();
  });

  test("whoever takes the lock while the floor is being asked for is not overtaken", async () => {
    const folder = join(locksFolder.path, fileNameFor("key"));
    await mkdir(folder);
    const owner = { ...currentOwner(), instance: "somebody else", processId: process.ppid, processStart: "" };
    const floor = async (): Promise<number> => {
      await writeFile(join(folder, "8"), `H${JSON.stringify(owner)}`);
      return 8;
    };
    const locks = new FileLocks({ directory: locksFolder.path });
    await expect(locks.lock("key", { timeoutMs: 100, floor })).rejects.toMatchObject({ code: "lock_timeout" });
  });

  test("a lock whose files were deleted counts as lost", async () => {
    const locks = new FileLocks({ directory: locksFolder.path, heartbeatMs: 20 });
    const lock = await locks.lock("key");
    await locksFolder.remove();
    await expect.poll(() => lock.lost.aborted).toBe(true);
    expect(() => lock.assertHeld()).toThrow(expect.objectContaining({ code: "store_failed" }));
    await lock.release();
  });

  test("a lock file that is a link to nowhere is a store_unavailable, and not looked at for ever", async () => {
    const locks = new FileLocks({ directory: locksFolder.path });
    await mkdir(join(locksFolder.path, fileNameFor("key")));
    await symlink(join(work.path, "nowhere"), join(locksFolder.path, fileNameFor("key"), "7"));
    await expect(locks.lock("key")).rejects.toMatchObject({ code: "store_unavailable" });
  });

  test("a folder that cannot be made is a store_unavailable that names it", async () => {
    await writeFile(join(work.path, "file"), "");
    const locks = new FileLocks({ directory: join(work.path, "file", "locks") });
    await expect(locks.lock("key")).rejects.toMatchObject({
      code: "store_unavailable",
      message: expect.stringMatching(/file\/locks.*ENOTDIR.*"directory"/),
    });
  });
});
