import { describe, expect, it } from "vitest";
import { cacheLifetimeMs, MetadataCache } from "../../../src/discovery/cache.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const DEFAULT = 5 * 60_000;
const DAY = 24 * 3_600_000;

describe("cacheLifetimeMs", () => {
  it.each<[Record<string, string>, number]>([
    [{}, DEFAULT],
    [{ "cache-control": "" }, DEFAULT],
    [{ "cache-control": "public" }, DEFAULT],
    [{ "cache-control": "max-age=60" }, 60_000],
    [{ "cache-control": "public, MAX-AGE=60, immutable" }, 60_000],
    [{ "cache-control": 'max-age="60"' }, 60_000],
    [{ "cache-control": "max-age=60", age: "50" }, 10_000],
    [{ "cache-control": "max-age=60", age: "70" }, 0],
    [{ "cache-control": "max-age=60", age: "old" }, 60_000],
    [{ "cache-control": "max-age=0" }, 0],
    [{ "cache-control": "max-age=99999999999" }, DAY],
    [{ "cache-control": "s-maxage=60" }, DEFAULT],
    [{ "cache-control": "no-store" }, 0],
    [{ "cache-control": "max-age=60, no-cache" }, 0],
    [{ "cache-control": 'no-cache="set-cookie", max-age=60' }, 0],
  ])("%j: %s ms [PRM-12]", (headers, expected) => {
    expect(cacheLifetimeMs(new Headers(headers))).toBe(expected);
  });
});

describe("MetadataCache", () => {
  it("keeps a value for its lifetime and not longer [PRM-12]", () => {
    const clock = new ManualClock();
    const cache = new MetadataCache<string>(clock);
    cache.set("a", "x", 1000);
    clock.advance(999);
    expect(cache.get("a")).toBe("x");
    clock.advance(1);
    expect(cache.get("a")).toBeUndefined();
  });

  it("keeps nothing that has no lifetime, not even what was there before", () => {
    const cache = new MetadataCache<string>(new ManualClock());
    cache.set("a", "x", 1000);
    cache.set("a", "y", 0);
    expect(cache.get("a")).toBeUndefined();
  });

  it("does not grow without end", () => {
    const cache = new MetadataCache<number>(new ManualClock());
    for (let index = 0; index <= 500; index++) cache.set(String(index), index, 1000);
    expect([cache.get("0"), cache.get("1"), cache.get("500")]).toEqual([undefined, 1, 500]);
  });
});
