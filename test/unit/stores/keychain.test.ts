import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { defaultDeadlineMs } from "../../../src/adapters/keychain/deadline.ts";
import { toKeychainFailure } from "../../../src/adapters/keychain/failure.ts";
import { defaultHelperProgram } from "../../../src/adapters/keychain/helper-program.ts";
import { parseJson } from "../../../src/adapters/keychain/key-index.ts";
import { layOut, parseItem, toAsciiJson } from "../../../src/adapters/keychain/manifest.ts";
import { keychainStore, SystemKeychainStore } from "../../../src/adapters/keychain/store.ts";
import type { TokenStore } from "../../../src/ports/token-store.ts";
import { testTokenStore } from "../../../src/testing/token-store-contract.ts";
import { anyText } from "../../support/any-text.ts";
import { inMemory, temporaryFolder } from "./support/child.ts";
import { FakeKeytar } from "./support/fake-keytar.ts";

let state: Awaited<ReturnType<typeof temporaryFolder>>;
let placeCount = 0;
beforeAll(async () => {
  state = await temporaryFolder(inMemory);
});
afterAll(() => state.remove());

const newPlace = (): string => {
  placeCount += 1;
  return join(state.path, `place-${placeCount}`);
};

async function write(store: TokenStore, key: string, value: string): Promise<void> {
  const lock = await store.lock(key);
  try {
    await store.set(key, value, lock);
  } finally {
    await lock.release();
  }
}

const keychains = new Map<string, FakeKeytar>();
for (const longest of [1200, 65_536]) {
  testTokenStore(
    `keychain with items of ${longest} characters`,
    (place) => {
      const name = `${longest} ${place}`;
      const keytar = keychains.get(name) ?? new FakeKeytar();
      keytar.limit = longest;
      keychains.set(name, keytar);
      return new SystemKeychainStore({ keytar, directory: join(state.path, name) }, { longest });
    },
    { test: test.concurrent },
  );
}

describe("a crash while a value in parts is written", () => {
  const longest = 200;
  const versions = ["old ".repeat(300), "new ".repeat(500)] as const;

  test("leaves the old value readable, or has written the new one, at every step", async () => {
    const seen = new Set<string>();
    for (let crashAt = 1; ; crashAt += 1) {
      const keytar = new FakeKeytar();
      const directory = newPlace();
      await write(new SystemKeychainStore({ keytar, directory }, { longest }), "key", versions[0]);
      let steps = 0;
      keytar.before = (call) => {
        if (!/^(set|delete)/.test(call)) return;
        steps += 1;
        if (steps >= crashAt) throw new Error("crash");
      };
      const crashing = new SystemKeychainStore({ keytar, directory }, { longest });
      const crashed = await write(crashing, "key", versions[1]).then(
        () => steps >= crashAt,
        () => true,
      );
      keytar.before = () => {};
      const survivor = new SystemKeychainStore({ keytar, directory }, { longest });
      const value = (await survivor.get("key"))?.value;
      expect(versions).toContain(value);
      seen.add(value ?? "");
      // Whatever was left over is gone after the next write and the removal.
      await write(survivor, "key", "short");
      const lock = await survivor.lock("key");
      await survivor.delete("key", lock);
      await lock.release();
      expect([...keytar.items.keys()].filter((name) => name.includes("record-"))).toEqual([]);
      if (!crashed) break;
    }
    expect(seen.size).toBe(2);
  });

  test("a reader that comes in between reads one of the two", async () => {
    const keytar = new FakeKeytar();
    const directory = newPlace();
    const store = new SystemKeychainStore({ keytar, directory }, { longest });
    await write(store, "key", versions[0]);
    const reader = new SystemKeychainStore({ keytar, directory }, { longest });
    const reads: Promise<string | undefined>[] = [];
    keytar.before = async () => {
      if (reads.length >= 20) return;
      reads.push(reader.get("key").then((record) => record?.value));
      await new Promise((resolve) => setTimeout(resolve, 1));
    };
    for (const version of [versions[1], versions[0], versions[1]]) await write(store, "key", version);
    for (const value of await Promise.all(reads)) expect(versions).toContain(value);
  });
});

describe.concurrent("what is damaged in the keychain", () => {
  const longest = 200;
  const damage: Array<[string, (items: Map<string, string>) => void]> = [
    ["a part is missing", (items) => void items.delete([...items.keys()].find((name) => /-[ab]-1$/.test(name)) ?? "")],
    [
      "a part was changed",
      (items) => void items.set([...items.keys()].find((name) => /-[ab]-1$/.test(name)) ?? "", "x".repeat(longest)),
    ],
    ["a newer version", (items) => replaceRecord(items, (item) => item.replace("client/1", "client/2"))],
    ["a foreign value", (items) => replaceRecord(items, () => "hunter2")],
    ["an empty value", (items) => replaceRecord(items, () => "")],
    ["a manifest cut off", (items) => replaceRecord(items, (item) => item.slice(0, 40))],
  ];
  test.each(damage)("%s: unreadable, then replaced on request", async (_title, harm) => {
    const keytar = new FakeKeytar();
    const store = new SystemKeychainStore({ keytar, directory: newPlace() }, { longest });
    await write(store, "key", "canary-".repeat(200));
    harm(keytar.items);
    const error = await store.get("key").catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "store_unreadable", message: expect.stringMatching(/left as it is/) });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/canary-|hunter2/);
    expect(await store.keys()).toEqual(["key"]);
    await write(store, "key", "fresh");
    expect((await store.get("key"))?.value).toBe("fresh");
    if (_title === "a foreign value") expect([...keytar.items.values()]).toContain("hunter2");
  });

  function replaceRecord(items: Map<string, string>, change: (item: string) => string): void {
    for (const [name, item] of items) if (/record-[0-9a-f]{64}$/.test(name)) items.set(name, change(item));
  }
});

describe("a keychain that is locked or hangs", () => {
  test("locked keytar says null, which is not taken for absent", async () => {
    const keytar = new FakeKeytar();
    const directory = newPlace();
    await write(keychainStore({ keytar, directory }), "key", "value");
    keytar.isLocked = true;
    const store = keychainStore({ keytar, directory });
    await expect(store.get("key")).rejects.toMatchObject({
      code: "store_unreadable",
      message: expect.stringMatching(/locked.*Unlock it/),
    });
    await expect(store.get("other")).rejects.toMatchObject({ code: "store_unreadable" });
    const lock = await store.lock("key");
    await expect(store.delete("key", lock)).rejects.toMatchObject({ code: "store_failed" });
    await lock.release();
    keytar.isLocked = false;
    expect((await store.get("key"))?.value).toBe("value");
  });

  test("an unlock prompt that was answered in the meantime leads to the record", async () => {
    const keytar = new FakeKeytar();
    const directory = newPlace();
    await write(keychainStore({ keytar, directory }), "key", "value");
    keytar.isLocked = true;
    keytar.before = (call) => {
      if (call.startsWith("set")) keytar.isLocked = false;
    };
    expect((await keychainStore({ keytar, directory }).get("key"))?.value).toBe("value");
  });

  test("a call that hangs is given up, and no other is made until it returns", async () => {
    const keytar = new FakeKeytar();
    const store = keychainStore({ keytar, directory: newPlace(), deadlineMs: 100 });
    await write(store, "key", "value");
    let goOn = (): void => {};
    keytar.before = () =>
      new Promise<void>((resolve) => {
        goOn = resolve;
      });
    keytar.calls.length = 0;
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => store.get("key")));
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
    await expect(store.get("key")).rejects.toMatchObject({
      code: "store_unreadable",
      message: /did not answer in time/,
    });
    expect(keytar.calls).toHaveLength(1);
    keytar.before = () => {};
    goOn();
    await expect.poll(async () => (await store.get("key").catch(() => undefined))?.value).toBe("value");
  });
});

describe("the first use", () => {
  test("writes, reads and deletes an item; later ones in other processes do not", async () => {
    const keytar = new FakeKeytar();
    const directory = newPlace();
    await keychainStore({ keytar, directory }).get("key");
    expect(keytar.calls.map((call) => call.replace(/probe-.*/, "probe"))).toEqual(
      expect.arrayContaining(["set probe", "get probe", "delete probe"]),
    );
    keytar.calls.length = 0;
    await keychainStore({ keytar, directory }).get("key");
    expect(keytar.calls.join()).not.toContain("probe");
  });

  test("fails when the keychain forgets", async () => {
    const keytar = new FakeKeytar();
    keytar.getPassword = async () => null;
    const store = keychainStore({ keytar, directory: newPlace() });
    await expect(store.get("key")).rejects.toMatchObject({ code: "store_unavailable" });
    await expect(store.probe()).rejects.toMatchObject({ code: "store_unavailable" });
  });

  test("no secret is in an error, even when the library repeats it", async () => {
    const keytar = new FakeKeytar();
    const store = keychainStore({ keytar, directory: newPlace() });
    await store.get("key");
    // The list of keys fits, the record does not.
    keytar.limit = 120;
    const error = await write(store, "key", "canary-".repeat(10)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "store_failed" });
    expect(keytar.calls.at(-1)).toMatch(/^set record-/);
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      expect(`${cause.stack}${JSON.stringify(cause, Object.getOwnPropertyNames(cause))}`).not.toContain("canary-");
    }
  });
});

describe("options", () => {
  test.each([
    [{ service: " " }, /service/],
    [{ deadlineMs: 0 }, /deadlineMs/],
    [{ deadlineMs: Number.NaN }, /deadlineMs/],
    [{ keytar: { getPassword: async () => null } as never }, /getPassword, setPassword and deletePassword/],
    [{ keytar: new FakeKeytar(), helper: { command: "node" } }, /helper/],
  ])("%j are refused", (options, message) => {
    expect(() => keychainStore(options)).toThrow(
      expect.objectContaining({ code: "invalid_configuration", message: expect.stringMatching(message) }),
    );
  });

  test("a person gets time to unlock where there is one", () => {
    expect(defaultDeadlineMs({}, "linux")).toBe(5000);
    expect(defaultDeadlineMs({ DISPLAY: ":0" }, "linux")).toBe(30_000);
    expect(defaultDeadlineMs({}, "darwin")).toBe(30_000);
    expect(defaultDeadlineMs({ SSH_CONNECTION: "1" }, "darwin")).toBe(5000);
    expect(defaultDeadlineMs({}, "win32")).toBe(5000);
  });

  test("the helper runs where the program is Node, and nowhere else", () => {
    const node = { execPath: "/usr/bin/node", platform: "linux", versions: {}, isSingleExecutable: false } as const;
    expect(defaultHelperProgram(node)).toEqual({ command: "/usr/bin/node" });
    expect(defaultHelperProgram({ ...node, execPath: "/opt/node-22" })).toBeDefined();
    expect(defaultHelperProgram({ ...node, platform: "darwin" })).toBeDefined();
    expect(defaultHelperProgram({ ...node, platform: "win32" })).toBeUndefined();
    expect(defaultHelperProgram({ ...node, execPath: "/opt/Acme/acme" })).toBeUndefined();
    expect(defaultHelperProgram({ ...node, isSingleExecutable: true })).toBeUndefined();
    for (const name of ["electron", "bun", "deno", "pnp"]) {
      expect(defaultHelperProgram({ ...node, versions: { [name]: "1" } }), name).toBeUndefined();
    }
  });
});

describe("the layout of items", () => {
  test("a payload that is not JSON is not quoted", () => {
    const error = (() => {
      try {
        return parseJson("canary-value");
      } catch (thrown) {
        return thrown;
      }
    })();
    expect(error).toMatchObject({ problem: "unreadable" });
    expect((error as Error).cause).toBeUndefined();
    expect((error as Error).message).not.toContain("canary");
  });

  test("any payload comes back whole, and no item is too long", () => {
    fc.assert(
      fc.property(anyText(), fc.integer({ min: 1, max: 3000 }), (text, repeat) => {
        const payload = toAsciiJson(text.repeat(repeat).slice(0, 20_000));
        expect(payload).toMatch(/^[\0-\x7f]*$/);
        const { item, parts } = layOut(payload, 7, "a", 1200);
        for (const each of [item, ...parts]) expect(each.length).toBeLessThanOrEqual(1200);
        const parsed = parseItem(item);
        expect((parsed?.inline ?? "") + parts.join("")).toBe(payload);
        expect(parsed?.manifest).toMatchObject({ fence: 7, slot: "a", parts: parts.length });
      }),
    );
  });
});

test.each([
  ["Platform failure: DBus error: Failed to connect to socket /nonexistent: No such file or directory", "no-session"],
  ["Cannot autolaunch D-Bus without X11 $DISPLAY", "no-session"],
  ["The name org.freedesktop.secrets was not provided by any .service files", "no-service"],
  ["Message recipient disconnected from message bus without replying", "no-service"],
  ["Couldn't access platform storage: Secret Service: unlock prompt was dismissed", "locked"],
  ["Cannot create an item in a locked collection", "locked"],
  ["User interaction is not allowed.", "locked"],
  ["Did not receive a reply. Possible causes include: the message bus security policy blocked the reply", "stuck"],
  ["Password data was not valid UTF-8", "unreadable"],
  ["cannot load: Cannot find native binding", "no-library"],
  ["something new", "other"],
])("%s", (message, problem) => {
  expect(toKeychainFailure(new Error(message)).problem).toBe(problem);
});
