// What the stores and locks make of a file system that fails.
import crypto, { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { encryptedFileStore } from "../../../src/adapters/encrypted-file/store.ts";
import { fileNameFor } from "../../../src/adapters/file-lock/file-name.ts";
import type { TokenStore } from "../../../src/ports/token-store.ts";
import { inMemory, temporaryFolder } from "./support/child.ts";
import { failOn } from "./support/failing-file-system.ts";

const key = randomBytes(32);
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let directory: string;
beforeEach(async () => {
  folder = await temporaryFolder(inMemory);
  directory = join(folder.path, "tokens");
});
afterEach(() => folder.remove());

async function write(store: TokenStore, name: string, value: string): Promise<void> {
  const lock = await store.lock(name);
  try {
    await store.set(name, value, lock);
  } finally {
    await lock.release();
  }
}

describe("a lock", () => {
  test("that was taken, and then the folder cannot be looked at, is let go", async () => {
    const first = join(directory, fileNameFor("key"), "1");
    failOn("readdirSync", "EMFILE", () => existsSync(first));
    const { FileLocks } = await import("../../../src/adapters/file-lock/file-lock.ts");
    await expect(new FileLocks({ directory }).lock("key")).rejects.toMatchObject({
      code: "store_unavailable",
      message: expect.stringContaining("EMFILE"),
    });
    expect(await readFile(first, "utf8")).toMatch(/^R/);
  });

  test("that cannot be marked as released looks silent for long, so that others wait but a moment", async () => {
    const first = join(directory, fileNameFor("key"), "1");
    let isWatched = false;
    failOn("openSync", "EBUSY", (path) => isWatched && path === first);
    const { FileLocks } = await import("../../../src/adapters/file-lock/file-lock.ts");
    const lock = await new FileLocks({ directory }).lock("key");
    isWatched = true;
    await lock.release();
    expect(await readFile(first, "utf8")).toMatch(/^H/);
    expect((await stat(first)).mtimeMs).toBe(0);
  });
});

test.each(["EPERM", "ENOTSUP", "ENOSYS", "EISDIR"])("a file is made where links fail with %s", async (code) => {
  failOn("linkSync", code, () => true);
  const { createDurably } = await import("../../../src/adapters/encrypted-file/files.ts");
  const path = join(folder.path, "file");
  await createDurably(path, Buffer.from("content"));
  expect(await readFile(path, "utf8")).toBe("content");
  await expect(createDurably(path, Buffer.from("other"))).rejects.toMatchObject({ code: "EEXIST" });
});

describe("encrypted files", () => {
  test.each(["", "records"])("whose folder was removed while they were in use are none: %j", async (removed) => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "value");
    await rm(join(directory, removed), { recursive: true });
    expect(await store.get("key")).toBeUndefined();
    expect(await store.keys()).toEqual([]);
    const lock = await store.lock("key");
    await store.delete("key", lock);
    await lock.release();
    await write(store, "key", "new");
    expect((await store.get("key"))?.value).toBe("new");
    for (const path of [directory, join(directory, "records")]) expect((await stat(path)).mode & 0o777).toBe(0o700);
  });

  test("that cannot be listed are unreadable, not absent", async () => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "value");
    await rm(join(directory, "records"), { recursive: true });
    await writeFile(join(directory, "records"), "");
    const refusal = { code: "store_unreadable", message: expect.stringMatching(/records cannot be read \(ENOTDIR\)/) };
    await expect(store.get("key")).rejects.toMatchObject(refusal);
    await expect(store.keys()).rejects.toMatchObject(refusal);
    const lock = await store.lock("key");
    await expect(store.set("key", "new", lock)).rejects.toMatchObject({ code: "store_failed" });
    await lock.release();
  });

  test("say so when there is no room for the parameters of a passphrase, and can be used once there is", async () => {
    let isFull = true;
    failOn("openSync", "ENOSPC", (path) => isFull && path.includes("scrypt-"));
    const { encryptedFileStore: open } = await import("../../../src/adapters/encrypted-file/store.ts");
    const store = open({ passphrase: "correct horse", scryptCost: 2 ** 14, directory });
    await expect(store.get("key")).rejects.toMatchObject({
      code: "store_unavailable",
      message: expect.stringMatching(/ENOSPC/),
    });
    isFull = false;
    await write(store, "key", "value");
    expect((await store.get("key"))?.value).toBe("value");
  });

  test("derive their key again after there was too little memory for it", async () => {
    const cause = new Error("memory limit exceeded");
    const spied = vi.spyOn(crypto, "scrypt").mockImplementation(((...given: unknown[]) => {
      (given.at(-1) as (error: Error) => void)(cause);
    }) as never);
    syncBuiltinESMExports();
    const store = encryptedFileStore({ passphrase: "correct horse", scryptCost: 2 ** 14, directory });
    await mkdir(directory, { mode: 0o700 });
    try {
      await expect(store.get("key")).rejects.toMatchObject({
        code: "store_unavailable",
        message: expect.stringMatching(/16 MiB of memory/),
        cause,
      });
    } finally {
      spied.mockRestore();
      syncBuiltinESMExports();
    }
    await write(store, "key", "value");
    expect((await store.get("key"))?.value).toBe("value");
  });
});
