import { randomBytes } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ChooseStoreOptions, chooseStore, type StoreSelection } from "../../../src/adapters/choose-store.ts";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import type { TokenStore } from "../../../src/ports/token-store.ts";
import { testTokenStore } from "../../../src/testing/token-store-contract.ts";
import { inMemory, temporaryFolder } from "./support/child.ts";
import { FakeKeytar } from "./support/fake-keytar.ts";

let root: Awaited<ReturnType<typeof temporaryFolder>>;
let directory: string;
let keytar: FakeKeytar;
let told: StoreSelection[];
let placeCount = 0;
const encryptionKey = randomBytes(32).toString("base64");

beforeAll(async () => {
  root = await temporaryFolder(inMemory);
});
afterAll(() => root.remove());
beforeEach(() => {
  placeCount += 1;
  directory = join(root.path, `place-${placeCount}`);
  keytar = new FakeKeytar();
  told = [];
});

/** What a program does that has no display, with its own folders. */
function choose(options: ChooseStoreOptions = {}): TokenStore {
  return chooseStore({
    directory,
    keychain: { keytar, directory, deadlineMs: 200 },
    environment: { XDG_STATE_HOME: directory },
    onSelected: (selection) => told.push(selection),
    ...options,
  });
}

const withKey = (): ChooseStoreOptions => ({
  environment: { XDG_STATE_HOME: directory, MCP_OAUTH_CLIENT_KEY: encryptionKey },
});

function breakKeychain(): void {
  keytar.before = () => {
    throw new Error("The name org.freedesktop.secrets was not provided by any .service files");
  };
}

async function write(store: TokenStore, value = "value"): Promise<void> {
  const lock = await store.lock("key");
  try {
    await store.set("key", value, lock);
  } finally {
    await lock.release();
  }
}

testTokenStore(
  "a chosen store",
  (place) => {
    const folder = join(root.path, place);
    const known = keychains.get(place) ?? new FakeKeytar();
    keychains.set(place, known);
    return chooseStore({ directory: folder, keychain: { keytar: known, directory: folder }, environment: {} });
  },
  { test: test.concurrent },
);
const keychains = new Map<string, FakeKeytar>();

describe("auto", () => {
  test("takes the keychain where it works, and nothing before the first use", async () => {
    const store = choose();
    expect(store.kind).toBe("auto");
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(keytar.calls).toEqual([]);
    await expect(readdir(directory)).rejects.toThrow();
    expect(await store.get("key")).toBeUndefined();
    expect(store.kind).toBe("keychain");
    expect(told).toEqual([{ store: "keychain", reason: "The system keychain works.", persistent: true }]);
    await store.get("key");
    expect(told).toHaveLength(1);
  });

  test("without a keychain takes encrypted files, if there is a key for them, and says why", async () => {
    breakKeychain();
    for (const environment of [
      { XDG_STATE_HOME: directory, MCP_OAUTH_CLIENT_KEY: encryptionKey },
      { XDG_STATE_HOME: join(directory, "other"), MCP_OAUTH_CLIENT_PASSPHRASE: "correct horse battery staple" },
    ]) {
      const store = choose({ environment, profile: environment.XDG_STATE_HOME });
      await write(store);
      expect(store.kind).toBe("encrypted-file");
      expect(told.at(-1)).toMatchObject({ store: "encrypted-file", persistent: true });
      expect(told.at(-1)?.reason).toMatch(/No Secret Service.*encrypted files/);
      expect(await readdir(join(environment.XDG_STATE_HOME, "mcp-oauth-client", "tokens", "records"))).toHaveLength(1);
    }
  });

  test("without either keeps them in memory, and says so loudly, once", async () => {
    breakKeychain();
    const store = choose();
    await write(store);
    expect((await store.get("key"))?.value).toBe("value");
    expect(store.kind).toBe("memory");
    expect(told).toHaveLength(1);
    expect(told[0]).toMatchObject({ store: "memory", persistent: false });
    expect(told[0]?.reason).toMatch(/No Secret Service.*forgotten.*MCP_OAUTH_CLIENT_KEY/);
    // A later process is free to take the keychain.
    keytar.before = () => {};
    await choose().get("key");
    expect(told[1]?.store).toBe("keychain");
  });

  test("with a key that cannot be used fails, rather than to forget", async () => {
    breakKeychain();
    const environment = { XDG_STATE_HOME: directory, MCP_OAUTH_CLIENT_KEY: "too short" };
    await expect(choose({ environment }).get("key")).rejects.toMatchObject({ code: "invalid_configuration" });
    expect(told).toEqual([]);
  });

  test("a keychain that hangs ends in the fallback within its deadline", async () => {
    keytar.before = () => new Promise(() => {});
    const startedAt = performance.now();
    await choose(withKey()).get("key");
    expect(performance.now() - startedAt).toBeLessThan(2000);
    expect(told[0]).toMatchObject({ store: "encrypted-file", reason: expect.stringMatching(/did not answer in time/) });
  });

  test("many first uses at once make one choice", async () => {
    const store = choose();
    await Promise.all(Array.from({ length: 20 }, () => store.get("key")));
    expect(told).toHaveLength(1);
    expect(keytar.calls.filter((call) => call.startsWith("set probe"))).toHaveLength(1);
  });

  test("a listener that throws changes nothing", async () => {
    const store = choose({
      onSelected: () => {
        throw new Error("listener");
      },
    });
    expect(await store.get("key")).toBeUndefined();
  });
});

describe("a profile", () => {
  test("stays with the keychain: unreadable with a hint when it fails, never another store", async () => {
    await write(choose(withKey()));
    breakKeychain();
    const later = choose(withKey());
    await expect(later.get("key")).rejects.toMatchObject({
      code: "store_unreadable",
      message: expect.stringMatching(/No Secret Service/),
    });
    // Also when the keychain store has forgotten that it ever worked.
    await rm(join(directory, "keychain"), { recursive: true });
    const refusal = await choose(withKey())
      .get("key")
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({
      code: "store_unreadable",
      message: expect.stringMatching(/keeps its credentials in the store "keychain".*`store`, or remove \//),
    });
    keytar.before = () => {};
    expect((await choose(withKey()).get("key"))?.value).toBe("value");
  });

  test("stays with encrypted files, though the keychain works again, and when the key is gone", async () => {
    breakKeychain();
    await write(choose(withKey()));
    keytar.before = () => {};
    const later = choose(withKey());
    expect((await later.get("key"))?.value).toBe("value");
    expect(told.at(-1)).toMatchObject({ store: "encrypted-file", reason: expect.stringMatching(/has used it before/) });
    await expect(choose().get("key")).rejects.toMatchObject({
      code: "store_unreadable",
      message: expect.stringMatching(/MCP_OAUTH_CLIENT_KEY/),
    });
  });

  test("that has only looked is not bound, nor one whose first write failed", async () => {
    const store = choose(withKey());
    await store.get("key");
    const lock = await store.lock("key");
    keytar.limit = 10;
    await expect(store.set("key", "value", lock)).rejects.toMatchObject({ code: "store_failed" });
    await lock.release();
    breakKeychain();
    await write(choose(withKey()));
    expect(told.at(-1)?.store).toBe("encrypted-file");
  });

  test("is apart from others", async () => {
    await write(choose({ ...withKey(), profile: "one" }));
    breakKeychain();
    await expect(choose({ ...withKey(), profile: "one" }).get("key")).rejects.toMatchObject({
      code: "store_unreadable",
    });
    expect(await choose({ ...withKey(), profile: "ONE" }).get("key")).toBeUndefined();
  });

  test("changes when another store is named, and remembers that one", async () => {
    await write(choose(withKey()), "in the keychain");
    breakKeychain();
    await write(choose({ ...withKey(), store: "encrypted-file" }), "in files");
    expect((await choose(withKey()).get("key"))?.value).toBe("in files");
  });

  test("whose memory is damaged is not guessed", async () => {
    await write(choose());
    const path = join(directory, "profiles", (await readdir(join(directory, "profiles")))[0] ?? "");
    expect(await readFile(path, "utf8")).toBe('{"store":"keychain"}\n');
    for (const content of ["", "{}", '{"store":"elsewhere"}']) {
      await writeFile(path, content);
      await expect(choose().get("key")).rejects.toMatchObject({
        code: "store_unreadable",
        message: expect.stringContaining(path),
      });
    }
  });

  test("that cannot be remembered still works", async () => {
    await writeFile(directory, "a file where the folder should be");
    const store = choose({ keychain: { keytar, directory: `${directory}-keychain` } });
    await write(store);
    expect((await store.get("key"))?.value).toBe("value");
  });
});

describe("a store that is named", () => {
  test("keychain: not replaced by another when it fails", async () => {
    breakKeychain();
    await expect(choose({ ...withKey(), store: "keychain" }).get("key")).rejects.toMatchObject({
      code: "store_unavailable",
    });
  });

  test("encrypted-file: needs a key", async () => {
    const message = expect.stringMatching(/MCP_OAUTH_CLIENT_KEY.*MCP_OAUTH_CLIENT_PASSPHRASE/);
    await expect(choose({ store: "encrypted-file" }).get("key")).rejects.toMatchObject({
      code: "invalid_configuration",
      message,
    });
    const encryptedFile = { key: encryptionKey, directory: join(directory, "files") };
    await write(choose({ store: "encrypted-file", encryptedFile }));
    expect(await readdir(join(directory, "files", "records"))).toHaveLength(1);
    expect(keytar.calls).toEqual([]);
  });

  test("memory: leaves no trace", async () => {
    await write(choose({ store: "memory" }));
    await expect(readdir(directory)).rejects.toThrow();
    expect(told).toEqual([{ store: "memory", reason: "It was asked for by name.", persistent: false }]);
  });

  test("one that was handed in is used as it is", async () => {
    const mine: TokenStore = Object.assign(memoryStore(), { kind: "vault" });
    const store = choose({ store: mine });
    expect(store.kind).toBe("vault");
    await write(store);
    expect((await mine.get("key"))?.value).toBe("value");
    expect(told).toEqual([{ store: "vault", reason: "It was handed in." }]);
    await expect(readdir(directory)).rejects.toThrow();
    await store.close?.();
  });
});
