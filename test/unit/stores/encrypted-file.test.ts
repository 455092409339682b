import { execFileSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dataKeyFrom } from "../../../src/adapters/encrypted-file/data-key.ts";
import { seal } from "../../../src/adapters/encrypted-file/format.ts";
import type { EncryptedFileStoreOptions } from "../../../src/adapters/encrypted-file/options.ts";
import { makeScryptParameters, parseScryptParameters } from "../../../src/adapters/encrypted-file/scrypt.ts";
import { encryptedFileStore, FileStore } from "../../../src/adapters/encrypted-file/store.ts";
import type { TokenStore } from "../../../src/ports/token-store.ts";
import { testTokenStore } from "../../../src/testing/token-store-contract.ts";
import { inMemory, temporaryFolder } from "./support/child.ts";
import { FakeKeytar } from "./support/fake-keytar.ts";

const key = randomBytes(32);
const otherKey = randomBytes(32);
const scryptCost = 2 ** 14;

let root: Awaited<ReturnType<typeof temporaryFolder>>;
let directory: string;
let placeCount = 0;
beforeAll(async () => {
  root = await temporaryFolder(inMemory);
});
afterAll(() => root.remove());
beforeEach(() => {
  placeCount += 1;
  directory = join(root.path, `place-${placeCount}`);
});

async function write(store: TokenStore, name: string, value: string): Promise<void> {
  const lock = await store.lock(name);
  try {
    await store.set(name, value, lock);
  } finally {
    await lock.release();
  }
}

function records(): string {
  return join(directory, "records");
}

async function recordNames(): Promise<string[]> {
  return (await readdir(records())).filter((name) => name.endsWith(".record"));
}

async function recordPath(): Promise<string> {
  return join(records(), (await recordNames())[0] ?? "");
}

testTokenStore("encrypted files", (place) => encryptedFileStore({ key, directory: join(root.path, place) }), {
  test: test.concurrent,
});

describe("what is on disk", () => {
  test("is private and shows neither value nor key", async () => {
    await write(encryptedFileStore({ key, directory }), "https://canary.example", "canary-value");
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect((await stat(records())).mode & 0o777).toBe(0o700);
    const files = await readdir(directory, { recursive: true, withFileTypes: true });
    expect(files.filter((file) => file.isFile()).length).toBeGreaterThan(1);
    for (const file of files.filter((each) => each.isFile())) {
      const path = join(file.parentPath, file.name);
      expect((await stat(path)).mode & 0o777, path).toBe(0o600);
      expect(await readFile(path, "latin1"), path).not.toContain("canary");
    }
  });

  test("has a magic word, a version and a key id, and differs each time", async () => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "value");
    const first = await readFile(await recordPath());
    expect(first.toString("latin1", 0, 8)).toBe("MCPOAUTH");
    expect(first.readUInt8(8)).toBe(1);
    expect(first.toString("latin1", 11, 11 + first.readUInt16BE(9))).toMatch(/^{"keyId":"[0-9a-f]{16}"}$/);
    await write(store, "key", "value");
    const second = await readFile(await recordPath());
    expect(second.subarray(-40)).not.toEqual(first.subarray(-40));
    // One version is kept, and nothing temporary.
    expect(await readdir(records())).toHaveLength(1);
  });
});

describe("a file that was changed", () => {
  const expectUnreadable = async (hint: RegExp): Promise<void> => {
    const before = await readdir(records());
    const contents = await Promise.all(before.map((name) => readFile(join(records(), name))));
    const store = encryptedFileStore({ key, directory });
    const message = expect.stringMatching(hint);
    await expect(store.get("key")).rejects.toMatchObject({ code: "store_unreadable", message });
    await expect(store.keys()).rejects.toMatchObject({ code: "store_unreadable" });
    const told: unknown[] = [];
    expect(await store.keys({ onUnreadable: (error) => told.push(error) })).toEqual([]);
    expect(told).toEqual([expect.objectContaining({ code: "store_unreadable", message })]);
    // Looking at it does not touch it.
    expect(await readdir(records())).toEqual(before);
    expect(await Promise.all(before.map((name) => readFile(join(records(), name))))).toEqual(contents);
  };

  test("in any bit of any byte is unreadable", async () => {
    await write(encryptedFileStore({ key, directory }), "key", "value");
    const path = await recordPath();
    const whole = await readFile(path);
    const store = encryptedFileStore({ key, directory });
    const flip = async (index: number, bit: number): Promise<void> => {
      const changed = Buffer.from(whole);
      changed.writeUInt8(changed.readUInt8(index) ^ (1 << bit), index);
      await writeFile(path, changed);
      await expect(store.get("key"), `byte ${index}, bit ${bit}`).rejects.toMatchObject({ code: "store_unreadable" });
    };
    for (let index = 0; index < whole.length; index += 1) await flip(index, index % 8);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: whole.length - 1 }), fc.integer({ min: 0, max: 7 }), flip),
    );
    await writeFile(path, whole);
    expect((await store.get("key"))?.value).toBe("value");
  });

  test("by cutting it anywhere, or adding to it, is unreadable", async () => {
    await write(encryptedFileStore({ key, directory }), "key", "value");
    const path = await recordPath();
    const whole = await readFile(path);
    const store = encryptedFileStore({ key, directory });
    for (let length = 0; length < whole.length; length += 1) {
      await writeFile(path, whole.subarray(0, length));
      await expect(store.get("key"), `${length} bytes`).rejects.toMatchObject({ code: "store_unreadable" });
    }
    await writeFile(path, Buffer.concat([whole, Buffer.from([0])]));
    await expectUnreadable(/damaged/);
  });

  test("to any other content is unreadable", async () => {
    await write(encryptedFileStore({ key, directory }), "key", "value");
    const path = await recordPath();
    const store = encryptedFileStore({ key, directory });
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, withMagic) => {
        await writeFile(path, withMagic ? Buffer.concat([Buffer.from("MCPOAUTH\x01"), bytes]) : bytes);
        await expect(store.get("key")).rejects.toMatchObject({ code: "store_unreadable" });
      }),
    );
  });

  test("to one of a newer version says so", async () => {
    await write(encryptedFileStore({ key, directory }), "key", "value");
    const path = await recordPath();
    const whole = await readFile(path);
    whole.writeUInt8(2, 8);
    await writeFile(path, whole);
    await expectUnreadable(/newer version/);
  });

  test.each(["null", "[]", "{", '{"key":"key"}', '{"key":"key","value":5}'])(
    "to one sealed with the right key that is no record is unreadable: %s",
    async (text) => {
      await write(encryptedFileStore({ key, directory }), "key", "value");
      const [id = "", fence] = ((await recordNames())[0] ?? "").split(".");
      await writeFile(await recordPath(), seal(text, dataKeyFrom(key), { id, fence: Number(fence) }));
      await expectUnreadable(/not one that this version writes/);
    },
  );

  test("to another record's, or to a later version, is unreadable", async () => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "mine");
    const path = await recordPath();
    await write(store, "other", "yours");
    const other = (await recordNames()).find((name) => !path.endsWith(name)) ?? "";
    await writeFile(path, await readFile(join(records(), other)));
    await expect(store.get("key")).rejects.toMatchObject({ code: "store_unreadable" });
    await rm(path);
    // Replayed as if it were the newest.
    const later = join(records(), other.replace(/\.\d+\.record$/, ".99.record"));
    await rename(join(records(), other), later);
    await expect(store.get("other")).rejects.toMatchObject({ code: "store_unreadable" });
  });

  test("to a link is unreadable", async () => {
    await write(encryptedFileStore({ key, directory }), "key", "value");
    const path = await recordPath();
    await rename(path, join(directory, "elsewhere"));
    await symlink(join(directory, "elsewhere"), path);
    await expect(encryptedFileStore({ key, directory }).get("key")).rejects.toMatchObject({ code: "store_unreadable" });
  });

  test.skipIf(process.platform === "win32")("to a pipe is unreadable, and nobody waits for it", async () => {
    await write(encryptedFileStore({ key, directory }), "key", "value");
    const path = await recordPath();
    await rm(path);
    execFileSync("mkfifo", ["-m", "600", path]);
    await expect(encryptedFileStore({ key, directory }).get("key")).rejects.toMatchObject({ code: "store_unreadable" });
  });

  test("is kept under another name when it is replaced", async () => {
    await write(encryptedFileStore({ key, directory }), "key", "value");
    await writeFile(await recordPath(), "precious");
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "new");
    expect((await store.get("key"))?.value).toBe("new");
    const aside = (await readdir(records())).filter((name) => /\.damaged-\d{4}-\d\d-\d\dT/.test(name));
    expect(aside).toHaveLength(1);
    expect(await readFile(join(records(), aside[0] ?? ""), "utf8")).toBe("precious");
    await write(store, "key", "newer");
    expect(await store.keys()).toEqual(["key"]);
    expect(await readFile(join(records(), aside[0] ?? ""), "utf8")).toBe("precious");
  });

  test("under a lock that had written it before is kept as well", async () => {
    const store = encryptedFileStore({ key, directory });
    const lock = await store.lock("key");
    await store.set("key", "value", lock);
    await writeFile(await recordPath(), "precious");
    await store.set("key", "new", lock);
    await lock.release();
    expect((await readdir(records())).filter((name) => name.includes(".damaged-"))).toHaveLength(1);
    expect((await store.get("key"))?.value).toBe("new");
  });
});

describe.skipIf(process.platform === "win32")("what others can read is refused", () => {
  test("the folder", async () => {
    await mkdir(directory, { mode: 0o755 });
    await chmod(directory, 0o755);
    const store = encryptedFileStore({ key, directory });
    const refusal = { code: "store_unavailable", message: expect.stringContaining(`chmod 700 ${directory}`) };
    await expect(store.get("key")).rejects.toMatchObject(refusal);
    await expect(store.lock("key")).rejects.toMatchObject(refusal);
    await chmod(directory, 0o700);
    expect(await store.get("key")).toBeUndefined();
  });

  test("a record", async () => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "value");
    for (const mode of [0o640, 0o604, 0o620]) {
      await chmod(await recordPath(), mode);
      await expect(store.get("key")).rejects.toMatchObject({
        code: "store_unreadable",
        message: expect.stringContaining("chmod 600"),
      });
    }
  });

  test("a key file, one beside the records, and one that is something else", async () => {
    const keyFile = join(root.path, `key-${placeCount}`);
    await write(encryptedFileStore({ keyFile, directory }), "key", "value");
    expect((await stat(keyFile)).mode & 0o777).toBe(0o600);
    await chmod(keyFile, 0o644);
    const refusal = { code: "store_unreadable", message: expect.stringContaining("chmod 600") };
    await expect(encryptedFileStore({ keyFile, directory }).get("key")).rejects.toMatchObject(refusal);
    for (const inside of [join(directory, "key"), join(directory, "records", "..", "key")]) {
      const store = encryptedFileStore({ keyFile: inside, directory });
      await expect(store.get("key")).rejects.toMatchObject({ code: "invalid_configuration" });
    }
    await chmod(keyFile, 0o600);
    for (const content of ["", "not a key", "c2hvcnQ="]) {
      await writeFile(keyFile, content);
      const store = encryptedFileStore({ keyFile, directory });
      await expect(store.get("key")).rejects.toMatchObject({ code: "invalid_configuration" });
    }
  });
});

describe("keys", () => {
  const keytar = new FakeKeytar();
  const sources = (): Array<[string, EncryptedFileStoreOptions, EncryptedFileStoreOptions]> => [
    ["bytes", { key }, { key: otherKey }],
    ["base64", { key: key.toString("base64") }, { key: otherKey.toString("base64url") }],
    ["a callback", { key: async () => key }, { key: () => otherKey.toString("base64") }],
    ["a passphrase", { passphrase: "correct horse", scryptCost }, { passphrase: async () => "battery", scryptCost }],
    ["a variable", { environmentVariable: "ONE" }, { environmentVariable: "OTHER" }],
    ["a key file", { keyFile: join(root.path, "one") }, { keyFile: join(root.path, "other") }],
    ["the keychain", { keychain: { keytar, directory: root.path } }, { key: otherKey }],
  ];
  const environment = { ONE: key.toString("base64"), OTHER: otherKey.toString("base64") };
  const open = (options: EncryptedFileStoreOptions): FileStore =>
    new FileStore({ ...options, directory }, { environment });

  test.each([0, 1, 2, 3, 4, 5, 6])("source %#: read again, with another one unreadable, rotated", async (index) => {
    const [title, one, other] = sources()[index] as [string, EncryptedFileStoreOptions, EncryptedFileStoreOptions];
    await write(open(one), "a", "1");
    await write(open(one), "b", "2");
    expect((await open(one).get("a"))?.value, title).toBe("1");
    // A key file that is not there would be a key that was lost.
    if ("keyFile" in other) await write(new FileStore({ ...other, directory: `${directory}-other` }), "a", "1");
    const stranger = await open(other)
      .get("a")
      .catch((error: unknown) => error);
    expect(stranger, title).toMatchObject({ code: "store_unreadable", message: expect.stringMatching(/another key/) });
    const successor = open({ ...other, previousKeys: [one] });
    expect((await successor.get("a"))?.value, title).toBe("1");
    await write(successor, "a", "3");
    expect((await open(other).get("a"))?.value, title).toBe("3");
    await expect(open(one).get("a"), title).rejects.toMatchObject({ code: "store_unreadable" });
    expect(await successor.rotate()).toEqual({ rewritten: 2 });
    expect((await open(other).get("b"))?.value, title).toBe("2");
  });

  test.each(["keyFile", "keychain"] as const)("%s: rotate() makes a new key, and others learn of it", async (kind) => {
    const options: EncryptedFileStoreOptions =
      kind === "keyFile"
        ? { keyFile: join(root.path, `ring-${placeCount}`) }
        : { keychain: { keytar, directory: root.path } };
    const idOf = async (): Promise<string> =>
      /"keyId":"(\w+)"/.exec(await readFile(await recordPath(), "latin1"))?.[1] ?? "";
    const store = open(options);
    const bystander = open(options);
    await write(store, "key", "1");
    expect((await bystander.get("key"))?.value).toBe("1");
    const before = await idOf();
    expect(await store.rotate()).toEqual({ rewritten: 1 });
    const after = await idOf();
    expect(after).not.toBe(before);
    expect((await bystander.get("key"))?.value).toBe("1");
    await write(bystander, "key", "2");
    expect(await idOf()).toBe(after);
    expect((await open(options).get("key"))?.value).toBe("2");
  });

  test("rotate() stops at a record that cannot be read before anything has changed, however often it is tried", async () => {
    const keyFile = join(root.path, `stopped-${placeCount}`);
    const store = open({ keyFile });
    await write(store, "a", "1");
    const [damaged, ring] = [await recordPath(), await readFile(keyFile, "utf8")];
    await write(store, "b", "2");
    const whole = await readFile(damaged);
    await writeFile(damaged, "damaged");
    for (let attempt = 0; attempt < 5; attempt += 1) {
      await expect(store.rotate()).rejects.toMatchObject({ code: "store_unreadable" });
    }
    expect(await readFile(keyFile, "utf8")).toBe(ring);
    expect((await open({ keyFile }).get("b"))?.value).toBe("2");
    await writeFile(damaged, whole);
    expect(await store.rotate()).toEqual({ rewritten: 2 });
    expect((await open({ keyFile }).get("a"))?.value).toBe("1");
  });

  test("rotations at once lose no key and no record", async () => {
    const keyFile = join(root.path, `rotations-${placeCount}`);
    const stores = [1, 2, 3].map(() => open({ keyFile }));
    for (const name of ["a", "b", "c"]) await write(stores[0] as FileStore, name, name);
    await Promise.all(stores.map((store) => store.rotate()));
    expect((await readFile(keyFile, "utf8")).trim().split("\n")).toHaveLength(4);
    for (const name of ["a", "b", "c"]) expect((await open({ keyFile }).get(name))?.value).toBe(name);
  });

  test.each(["keyFile", "keychain"] as const)(
    "%s: rotate() keeps what others encrypted with an older key",
    async (kind) => {
      const options: EncryptedFileStoreOptions =
        kind === "keyFile"
          ? { keyFile: join(root.path, `older-${placeCount}`) }
          : { keychain: { keytar: new FakeKeytar(), directory: root.path } };
      const longAtWork = open(options);
      await longAtWork.probe();
      const store = open(options);
      await write(store, "key", "value");
      for (let rotation = 0; rotation < 6; rotation += 1) await store.rotate();
      await write(longAtWork, "new", "from an old key");
      expect((await open(options).get("new"))?.value).toBe("from an old key");
    },
  );

  test.each(["keyFile", "keychain"] as const)(
    "%s: rotate() makes no key in the place of one that is gone",
    async (kind) => {
      const keyFile = join(root.path, `gone-${placeCount}`);
      const keychain = new FakeKeytar();
      const store = open(kind === "keyFile" ? { keyFile } : { keychain: { keytar: keychain, directory: root.path } });
      await write(store, "key", "value");
      const ring = kind === "keyFile" ? await readFile(keyFile) : Buffer.alloc(0);
      const items = new Map(keychain.items);
      await rm(keyFile, { force: true });
      keychain.items.clear();
      await expect(store.rotate()).rejects.toMatchObject({
        code: "store_unavailable",
        message: expect.stringMatching(/no key in .* any more.*Restore the key/),
      });
      expect(existsSync(keyFile)).toBe(false);
      expect([...keychain.items.keys()].filter((name) => name.includes("record-"))).toEqual([]);
      if (kind === "keyFile") await writeFile(keyFile, ring, { mode: 0o600 });
      for (const [name, item] of items) keychain.items.set(name, item);
      expect(await store.rotate()).toEqual({ rewritten: 1 });
    },
  );

  test("a key that is lost is never replaced while there are records", async () => {
    const keyFile = join(root.path, `lost-${placeCount}`);
    await write(open({ keyFile }), "key", "value");
    await rm(keyFile);
    await expect(open({ keyFile }).get("key")).rejects.toMatchObject({
      code: "store_unreadable",
      message: expect.stringMatching(/no key file.*Restore the key/),
    });
    await expect(stat(keyFile)).rejects.toThrow();
    const empty = new FakeKeytar();
    await expect(
      open({ keychain: { keytar: empty, directory: join(root.path, "empty") } }).get("key"),
    ).rejects.toMatchObject({
      code: "store_unreadable",
    });
  });

  test("a keychain that is locked makes the files unreadable, not absent", async () => {
    const lockable = new FakeKeytar();
    const options = { keychain: { keytar: lockable, directory: join(root.path, "lockable") } };
    await write(open(options), "key", "value");
    lockable.isLocked = true;
    await expect(open(options).get("key")).rejects.toMatchObject({
      code: "store_unreadable",
      message: expect.stringMatching(/locked/),
    });
    await expect(open(options).get("none")).rejects.toMatchObject({ code: "store_unreadable" });
    lockable.isLocked = false;
    expect((await open(options).get("key"))?.value).toBe("value");
  });

  test("a variable that is not set: unavailable, and unreadable once there are records", async () => {
    const without = (): FileStore => new FileStore({ environmentVariable: "ONE", directory }, { environment: {} });
    await expect(without().get("key")).rejects.toMatchObject({
      code: "store_unavailable",
      message: expect.stringContaining("ONE"),
    });
    await write(open({ environmentVariable: "ONE" }), "key", "value");
    await expect(without().get("key")).rejects.toMatchObject({
      code: "store_unreadable",
      message: expect.stringContaining("ONE"),
    });
  });

  test("two processes that make the first key at once agree", async () => {
    const keyFile = join(root.path, `race-${placeCount}`);
    const stores = [1, 2, 3, 4, 5, 6, 7, 8].map(() => open({ keyFile }));
    await Promise.all(stores.map((store, index) => write(store, `key ${index}`, String(index))));
    for (const store of stores) expect(await store.keys()).toHaveLength(stores.length);
  });

  test("a key file is whole whenever somebody looks", async () => {
    const lengths = new Set<number>();
    for (let time = 0; time < 20; time += 1) {
      const keyFile = join(root.path, `whole-${placeCount}-${time}`);
      let isMade = false;
      const making = encryptedFileStore({ keyFile, directory: join(root.path, `of-whole-${placeCount}-${time}`) })
        .probe()
        .finally(() => {
          isMade = true;
        });
      while (!isMade) {
        if (existsSync(keyFile)) lengths.add(readFileSync(keyFile).length);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await making;
    }
    // 32 bytes in base64, and the end of the line.
    expect([...lengths]).toEqual([45]);
  });

  test("the same passphrase typed in another normal form is the same", async () => {
    await write(open({ passphrase: "caf\u00e9", scryptCost }), "key", "value");
    expect((await open({ passphrase: "cafe\u0301", scryptCost }).get("key"))?.value).toBe("value");
  });

  test("scrypt parameters are stored, and a file cannot make us take unreasonable ones", async () => {
    await write(open({ passphrase: "correct horse", scryptCost }), "key", "value");
    expect(await readFile(await recordPath(), "latin1")).toMatch(/"scrypt":{"N":16384,"r":8,"p":1,"salt":"[^"]{20,}"}/);
    const good = makeScryptParameters(scryptCost);
    expect(parseScryptParameters(good)).toEqual(good);
    for (const bad of [
      { N: 2 ** 30 },
      { N: 2 },
      { N: 20_000 },
      { r: 1000 },
      { p: 99 },
      { salt: "eA==" },
      { N: "16384" },
    ]) {
      expect(parseScryptParameters({ ...good, ...bad })).toBeUndefined();
    }
  });
});

describe("options", () => {
  test.each([
    [{}, /none/],
    [{ key, passphrase: "x" }, /key and passphrase/],
    [{ passphrase: "" }, /empty/],
    [{ passphrase: "x", scryptCost: 1000 }, /scryptCost/],
    [{ environmentVariable: "" }, /environmentVariable/],
    [{ keyFile: "" }, /keyFile/],
    [{ key, previousKeys: [{}] }, /previousKeys/],
  ])("%# are refused", (options, message) => {
    expect(() => encryptedFileStore(options as never)).toThrow(
      expect.objectContaining({ code: "invalid_configuration", message: expect.stringMatching(message) }),
    );
  });

  test.each(["", "too short", "a".repeat(64), `${"A".repeat(43)}!`, randomBytes(31), 7])(
    "the key %j is refused, without being repeated",
    async (bad) => {
      const error = await encryptedFileStore({ key: () => bad as never, directory })
        .get("key")
        .catch((thrown) => thrown);
      expect(error).toMatchObject({ code: "invalid_configuration" });
      if (bad !== "") expect(error.message).not.toContain(String(bad).slice(0, 9));
    },
  );

  test("a callback that fails is a store_unavailable with its error", async () => {
    const cause = new Error("vault sealed");
    const store = encryptedFileStore({ key: () => Promise.reject(cause), directory });
    await expect(store.get("key")).rejects.toMatchObject({ code: "store_unavailable", cause });
  });
});

describe("the fence", () => {
  test("a deleted record stays deleted, whatever an overtaken writer does", async () => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "old");
    const old = await recordPath();
    const content = await readFile(old);
    const lock = await store.lock("key");
    await store.delete("key", lock);
    await lock.release();
    // As if the writer of the old file had been frozen right before it put it in place.
    await writeFile(old, content, { mode: 0o600 });
    expect(await store.get("key")).toBeUndefined();
    expect(await store.keys()).toEqual([]);
  });

  test("an overtaken writer cannot undo what its successor wrote", async () => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "old");
    const old = await recordPath();
    const content = await readFile(old);
    await write(store, "key", "new");
    await writeFile(old, content, { mode: 0o600 });
    expect((await store.get("key"))?.value).toBe("new");
  });

  test("goes on after the locks were deleted", async () => {
    const store = encryptedFileStore({ key, directory });
    for (const value of ["1", "2", "3"]) await write(store, "key", value);
    await rm(join(directory, "locks"), { recursive: true });
    await write(encryptedFileStore({ key, directory }), "key", "4");
    expect(await encryptedFileStore({ key, directory }).get("key")).toEqual({ value: "4", fence: 4 });
  });

  test("what a crash left half-written is not read, and is removed by the next writer", async () => {
    const store = encryptedFileStore({ key, directory });
    await write(store, "key", "old");
    const name = (await recordNames())[0] ?? "";
    await writeFile(join(records(), name.replace(".1.record", ".2.abcdef.temporary")), "half", { mode: 0o600 });
    expect((await store.get("key"))?.value).toBe("old");
    expect(await store.keys()).toEqual(["key"]);
    await write(store, "key", "new");
    expect(await readdir(records())).toHaveLength(1);
  });
});
