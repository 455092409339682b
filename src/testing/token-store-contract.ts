import assert from "node:assert/strict";
import { McpOAuthError, type McpOAuthErrorCode } from "../core/errors.ts";
import type { TokenStore } from "../ports/token-store.ts";

/** Opens the store under test. */
export type MakeTokenStore = (
  /**
   * Names the storage: letters, digits and dashes. The same place is the same data; a place that was not named before is
   * empty. Use it as a folder name, a key prefix, a database schema.
   */
  place: string,
) => TokenStore | Promise<TokenStore>;

/** One rule of the contract. */
export interface TokenStoreCase {
  readonly title: string;
  /** Rejects when the store breaks the rule. */
  run(): Promise<void>;
}

/** What {@link tokenStoreCases} needs to know of a store. */
export interface TokenStoreTraits {
  /**
   * Whether two stores that were opened on the same place share data and locks. Default `true`; only a store that lives
   * in its own memory says `false`, and is spared the cases that open a second one.
   */
  shared?: boolean;
}

/** Where {@link testTokenStore} registers its cases. */
export interface TokenStoreTestRunner {
  /** Registers one test: `test` or `it` of Vitest, Jest, Mocha or `node:test`. */
  test: (title: string, run: () => Promise<void>) => unknown;
}

/**
 * Proves that a {@link TokenStore} keeps the contract, with any test runner. What the store needs (a folder, a server)
 * is to be there before; removing what was written is up to the caller.
 *
 * @example
 * ```ts
 * import { test } from "vitest";
 * testTokenStore("my vault", (place) => myVault({ prefix: place }), { test });
 * ```
 */
export function testTokenStore(
  name: string,
  makeStore: MakeTokenStore,
  options: TokenStoreTestRunner & TokenStoreTraits,
): void {
  for (const { title, run } of tokenStoreCases(makeStore, options)) options.test(`${name}: ${title}`, run);
}

/** The cases of {@link testTokenStore} as a list, for runners that register tests in another way. */
export function tokenStoreCases(makeStore: MakeTokenStore, traits: TokenStoreTraits = {}): TokenStoreCase[] {
  const rules = [...recordRules, ...lockRules, ...(traits.shared === false ? [] : sharingRules)];
  return rules.map(({ title, check }) => ({
    title,
    run: async () => {
      placeCount += 1;
      const place = `contract-${process.pid}-${Date.now().toString(36)}-${placeCount}`;
      const opened: TokenStore[] = [];
      const open = async (): Promise<TokenStore> => {
        const store = await makeStore(place);
        opened.push(store);
        return store;
      };
      try {
        await check(open);
      } finally {
        for (const store of opened) await store.close?.();
      }
    },
  }));
}

let placeCount = 0;

interface Rule {
  readonly title: string;
  check(open: () => Promise<TokenStore>): Promise<void>;
}

/** Keys of which no two may meet, whatever a store does to make them fit. */
const HOSTILE_KEYS: readonly string[] = [
  ..."plain PLAIN Plain a.b a/b a\\b a:b a_b a-b ab a%2Fb a%2fb a/b/ ../a/b . .. con nul.txt *".split(" "),
  ..."__proto__ constructor toString caf\u00e9 cafe\u0301 \u{1F511}".split(" "),
  ...["", " ", "a b", "key\n", "key", "key ", "'; drop table records; --"],
  "https://mcp.example.com/mcp?tenant=1#x https://issuer.example.com/ account client",
  `${"long".repeat(1000)}1`,
  `${"long".repeat(1000)}2`,
];

const VALUES: Readonly<Record<string, string>> = {
  "an empty value": "",
  JSON: JSON.stringify({ text: 'quotes " and \\ and \n', number: 1.5, list: [null, true] }),
  "every language":
    "Z\u00fcrich \u6771\u4eac \u05e9\u05dc\u05d5\u05dd \u{1F511}\u{1F9D1}\u{1F3FD}\u200d\u{1F4BB} e\u0301",
  "spaces and line ends": "  \t\r\n leading and trailing \u00a0\u2028 \r\n",
  "2 KiB": "a1".repeat(1024),
  "16 KiB": "b2".repeat(8 * 1024),
  "256 KiB": "c3".repeat(128 * 1024),
  "256 KiB of text that is not ASCII": "\u6771\u4eac".repeat(43_690),
};

const recordRules: readonly Rule[] = [
  {
    title: "a record that was never written is absent",
    async check(open) {
      const store = await open();
      assert.equal(await store.get("nothing"), undefined);
      assert.deepEqual(await store.keys(), []);
      assert.notEqual(store.kind, "");
    },
  },
  {
    title: "a record comes back as it was written, with the fence of its writer",
    async check(open) {
      const store = await open();
      for (const [title, value] of Object.entries(VALUES)) {
        const fence = await write(store, title, value);
        const read = await store.get(title);
        // Not deepEqual: its message would print 256 KiB.
        assert.ok(read !== undefined && read.value === value, `${title} did not come back as it was written`);
        assert.equal(read.fence, fence, title);
        // Some keychains write everything anew each time, so that large values would slow down all that follows.
        await remove(store, title);
      }
    },
  },
  {
    title: "a later write replaces an earlier one, whatever their lengths",
    async check(open) {
      const store = await open();
      for (const length of [10, 100_000, 20, 0, 5000]) {
        const fence = await write(store, "key", "x".repeat(length));
        assert.deepEqual(await store.get("key"), { value: "x".repeat(length), fence });
      }
      assert.deepEqual(await store.keys(), ["key"]);
    },
  },
  {
    title: "several writes are possible under one lock",
    async check(open) {
      const store = await open();
      const lock = await store.lock("key");
      await store.set("key", "first", lock);
      await store.set("key", "second", lock);
      assert.deepEqual(await store.get("key"), { value: "second", fence: lock.fence });
      await store.delete("key", lock);
      await store.set("key", "third", lock);
      await lock.release();
      assert.deepEqual(await store.get("key"), { value: "third", fence: lock.fence });
    },
  },
  {
    title: "a deleted record is absent, deleting again does nothing, and it can be written again",
    async check(open) {
      const store = await open();
      await write(store, "gone", "1");
      await write(store, "kept", "2");
      await remove(store, "gone");
      await remove(store, "gone");
      await remove(store, "never written");
      assert.equal(await store.get("gone"), undefined);
      assert.deepEqual(await store.keys(), ["kept"]);
      await write(store, "gone", "3");
      assert.equal((await store.get("gone"))?.value, "3");
    },
  },
  {
    title: "no two keys meet, however alike they are, and all are listed",
    async check(open) {
      const store = await open();
      for (const [index, key] of HOSTILE_KEYS.entries()) await write(store, key, `value ${index}`);
      for (const [index, key] of HOSTILE_KEYS.entries()) {
        assert.equal((await store.get(key))?.value, `value ${index}`, JSON.stringify(key.slice(0, 100)));
      }
      assert.deepEqual((await store.keys()).sort(), [...HOSTILE_KEYS].sort());
      for (const key of HOSTILE_KEYS.slice(1)) await remove(store, key);
      assert.deepEqual(await store.keys(), [HOSTILE_KEYS[0]]);
    },
  },
];

const lockRules: readonly Rule[] = [
  {
    title: "a held lock is not given out again, while other keys are free",
    async check(open) {
      const store = await open();
      const lock = await store.lock("key");
      await assertCode(store.lock("key", { timeoutMs: 0 }), "lock_timeout");
      const other = await store.lock("other key", { timeoutMs: 0 });
      await other.release();
      await lock.release();
      const again = await store.lock("key", { timeoutMs: 0 });
      await again.release();
    },
  },
  {
    title: "waiting for a lock ends with lock_timeout, not before its time, and leaves nothing behind",
    async check(open) {
      const store = await open();
      const lock = await store.lock("key");
      const startedAt = performance.now();
      await assertCode(store.lock("key", { timeoutMs: 100 }), "lock_timeout");
      // Timers may fire a little early.
      assert.ok(performance.now() - startedAt >= 90, "gave up too early");
      await lock.release();
      await (await store.lock("key", { timeoutMs: 1000 })).release();
    },
  },
  {
    title: "an abort ends the waiting with the signal's reason, and the lock is not taken later",
    async check(open) {
      const store = await open();
      const lock = await store.lock("key");
      const reason = new Error("the caller changed its mind");
      const controller = new AbortController();
      const waiting = store.lock("key", { signal: controller.signal });
      const outcome = waiting.then(
        () => "taken",
        (error: unknown) => error,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      controller.abort(reason);
      assert.equal(await outcome, reason);
      await assert.rejects(store.lock("key", { signal: AbortSignal.abort(reason) }), reason);
      await lock.release();
      await (await store.lock("key", { timeoutMs: 1000 })).release();
    },
  },
  {
    title: "whoever waits gets the lock when it is released, also when it is released twice",
    async check(open) {
      const store = await open();
      const first = await store.lock("key");
      const second = store.lock("key");
      const third = store.lock("key");
      await first.release();
      await first.release();
      const held = await Promise.race([second, third]);
      await first.release();
      await assertCode(store.lock("key", { timeoutMs: 0 }), "lock_timeout");
      await held.release();
      for (const lock of await Promise.all([second, third])) await lock.release();
    },
  },
  {
    title: "the fence grows with every lock, also after a delete",
    async check(open) {
      const store = await open();
      let previous = Number.NEGATIVE_INFINITY;
      for (let round = 0; round < 5; round += 1) {
        const lock = await store.lock("key");
        assert.ok(lock.fence > previous, `fence ${lock.fence} after ${previous}`);
        assert.equal(lock.lost.aborted, false);
        previous = lock.fence;
        if (round === 2) await store.delete("key", lock);
        else await store.set("key", String(round), lock);
        await lock.release();
      }
    },
  },
  {
    title: "nothing is written under a lock that is no longer held",
    async check(open) {
      const store = await open();
      const stale = await store.lock("key");
      await store.set("key", "old", stale);
      await stale.release();
      await assertCode(store.set("key", "stale", stale), "store_failed");
      const newer = await store.lock("key");
      await assertCode(store.set("key", "stale", stale), "store_failed");
      await assertCode(store.delete("key", stale), "store_failed");
      assert.equal((await store.get("key"))?.value, "old");
      await store.set("key", "new", newer);
      await assertCode(store.set("key", "stale", stale), "store_failed");
      await assertCode(store.delete("key", stale), "store_failed");
      await newer.release();
      assert.deepEqual(await store.get("key"), { value: "new", fence: newer.fence });
    },
  },
  {
    title: "the lock of one key is no permission to write another",
    async check(open) {
      const store = await open();
      await write(store, "mine", "1");
      const lock = await store.lock("yours");
      await assertCode(store.set("mine", "2", lock), "store_failed");
      await assertCode(store.delete("mine", lock), "store_failed");
      await lock.release();
      assert.equal((await store.get("mine"))?.value, "1");
    },
  },
  {
    title: "no update is lost among concurrent writers, and there is one owner at a time",
    async check(open) {
      const store = await open();
      const owners = { now: 0, most: 0 };
      await Promise.all(Array.from({ length: 20 }, () => increment(store, owners)));
      assert.equal((await store.get("counter"))?.value, "20");
      assert.equal(owners.most, 1);
    },
  },
];

const sharingRules: readonly Rule[] = [
  {
    title: "what one store wrote, another reads, also after the first was closed",
    async check(open) {
      const store = await open();
      const other = await open();
      const fence = await write(store, "key", "value");
      assert.deepEqual(await other.get("key"), { value: "value", fence });
      await write(other, "key", "newer");
      assert.equal((await store.get("key"))?.value, "newer");
      await remove(other, "key");
      assert.equal(await store.get("key"), undefined);
      await write(store, "key", "last");
      await store.close?.();
      assert.equal((await (await open()).get("key"))?.value, "last");
      assert.deepEqual(await (await open()).keys(), ["key"]);
    },
  },
  {
    title: "two stores on the same data share locks and fences",
    async check(open) {
      const store = await open();
      const other = await open();
      const lock = await store.lock("key");
      await assertCode(other.lock("key", { timeoutMs: 0 }), "lock_timeout");
      await lock.release();
      const newer = await other.lock("key");
      assert.ok(newer.fence > lock.fence);
      await assertCode(store.set("key", "stale", lock), "store_failed");
      await other.set("key", "new", newer);
      await newer.release();
    },
  },
  {
    title: "no update is lost between two stores on the same data",
    async check(open) {
      const stores = [await open(), await open()];
      const owners = { now: 0, most: 0 };
      const rounds = Array.from({ length: 10 });
      await Promise.all(stores.flatMap((store) => rounds.map(() => increment(store, owners))));
      assert.equal((await stores[0]?.get("counter"))?.value, "20");
      assert.equal(owners.most, 1);
    },
  },
];

async function write(store: TokenStore, key: string, value: string): Promise<number> {
  const lock = await store.lock(key);
  try {
    await store.set(key, value, lock);
    return lock.fence;
  } finally {
    await lock.release();
  }
}

async function remove(store: TokenStore, key: string): Promise<void> {
  const lock = await store.lock(key);
  try {
    await store.delete(key, lock);
  } finally {
    await lock.release();
  }
}

async function increment(store: TokenStore, owners: { now: number; most: number }): Promise<void> {
  const lock = await store.lock("counter");
  owners.now += 1;
  owners.most = Math.max(owners.most, owners.now);
  try {
    const read = await store.get("counter");
    await store.set("counter", String(Number(read?.value ?? 0) + 1), lock);
  } finally {
    owners.now -= 1;
    await lock.release();
  }
}

async function assertCode(work: Promise<unknown>, code: McpOAuthErrorCode): Promise<void> {
  await assert.rejects(work, (error: unknown) => {
    assert.ok(error instanceof McpOAuthError, `not a McpOAuthError: ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return true;
  });
}
