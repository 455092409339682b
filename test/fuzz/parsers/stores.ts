import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { dataKeyFrom } from "../../../src/adapters/encrypted-file/data-key.ts";
import { seal } from "../../../src/adapters/encrypted-file/format.ts";
import { recordFileName } from "../../../src/adapters/encrypted-file/record-files.ts";
import { FileStore } from "../../../src/adapters/encrypted-file/store.ts";
import { fileNameFor } from "../../../src/adapters/file-lock/file-name.ts";
import { layOut, toAsciiJson } from "../../../src/adapters/keychain/manifest.ts";
import { SystemKeychainStore } from "../../../src/adapters/keychain/store.ts";
import { systemClock } from "../../../src/core/clock.ts";
import { temporaryFolder } from "../../unit/stores/support/child.ts";
import { FakeKeytar } from "../../unit/stores/support/fake-keytar.ts";
import { mutatedJson } from "../generate-json.ts";
import { mutatedText } from "../generate-text.ts";
import { fuzzTarget } from "../target.ts";

const KEY = "session/default/https://mcp.example.com/mcp";
const VALUE = '{"accessToken":"planted-access-token","note":"ü\\u202e"}';
const SECRETS = ["planted-access-token"];
const names = ["key", "value"];
const record = fc.constant({ key: KEY, value: VALUE });

const secret = Buffer.alloc(32, 7);
const dataKey = dataKeyFrom(secret);
const place = { id: fileNameFor(KEY), fence: 1 };

/** Changes to bytes: flipped, cut off, overwritten, repeated. */
const byteChange = fc
  .record({
    how: fc.constantFrom("flip", "cut", "overwrite", "repeat", "insert"),
    where: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.integer({ min: 0, max: 400 })),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 40 }),
  })
  .map(({ how, where, bytes }) => (file: Buffer): Buffer => {
    const start = where % (file.length + 1);
    const [before, after] = [file.subarray(0, start), file.subarray(start)];
    if (how === "cut") return before;
    if (how === "repeat") return Buffer.concat([before, after, after]);
    if (how === "insert") return Buffer.concat([before, bytes, after]);
    if (how === "overwrite") return Buffer.concat([before, bytes, after.subarray(bytes.length)]);
    const flipped = Buffer.from(file);
    if (start < file.length) flipped[start] = (file[start] ?? 0) ^ (1 << ((bytes[0] ?? 0) % 8));
    return flipped;
  });

/** A header that is JSON, but perhaps not a right one, in front of a body that no longer belongs to it. */
const header = mutatedJson(
  fc.constantFrom<object>(
    { keyId: dataKey.id },
    { keyId: dataKey.id, scrypt: { N: 2 ** 17, r: 8, p: 1, salt: "c2FsdHNhbHRzYWx0c2FsdA==" } },
  ),
  { names: ["keyId", "scrypt", "N", "r", "p", "salt"] },
).map((json) => {
  const bytes = Buffer.from(json, "latin1").subarray(0, 0xffff);
  const length = Buffer.from([1, bytes.length >> 8, bytes.length & 0xff]);
  return Buffer.concat([Buffer.from("MCPOAUTH"), length, bytes, Buffer.alloc(80, 1)]);
});

const sealed = fc.constantFrom(VALUE).map((value) => seal(JSON.stringify({ key: KEY, value }), dataKey, place));
const fileBytes = fc.oneof(
  { weight: 1, arbitrary: sealed },
  {
    weight: 4,
    arbitrary: fc
      .tuple(sealed, fc.array(byteChange, { minLength: 1, maxLength: 3 }))
      .map(([file, changes]) => changes.reduce((whole, change) => change(whole), file)),
  },
  { weight: 3, arbitrary: header },
  // Sealed with the right key, but not what we seal: another version of this library may.
  { weight: 3, arbitrary: mutatedJson(record, { names }).map((json) => seal(json, dataKey, place)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
);

export const encryptedFile = fuzzTarget<Buffer>("encrypted file", fileBytes, async () => {
  const folder = await temporaryFolder();
  const directory = join(folder.path, "store");
  const store = new FileStore({ directory, key: secret }, {});
  await store.probe();
  const path = join(directory, "records", recordFileName(place.id, place.fence, "record"));
  return {
    async read(bytes) {
      await writeFile(path, bytes, { mode: 0o600 });
      const found = await store.get(KEY);
      if (found === undefined) return undefined;
      assert.deepEqual([typeof found.value, found.fence], ["string", 1]);
      for (const key of await store.keys()) assert.equal(typeof key, "string");
      return found;
    },
    secretsIn: () => SECRETS,
    close: () => folder.remove(),
  };
});

/** Pauses between looks at the keychain are not what this is about. */
const hastyClock = {
  ...systemClock,
  schedule: (callback: () => void, delayMs: number, options?: { background?: boolean }) =>
    systemClock.schedule(callback, delayMs < 1000 ? 0 : delayMs, options),
};

interface Items {
  readonly item: string;
  readonly parts: readonly string[];
}

const payload = fc.oneof(
  { weight: 3, arbitrary: record.map(toAsciiJson) },
  { weight: 2, arbitrary: mutatedJson(record, { names }) },
);
/** In one item or in parts, whole or damaged in one of them. */
const items: fc.Arbitrary<Items> = fc
  .tuple(payload, fc.constantFrom(64, 200, 100_000))
  .map(([text, longest]) => layOut(text, 3, "a", longest))
  .chain(({ item, parts }) => {
    const manifest = fc.oneof(
      { weight: 3, arbitrary: fc.constant(item) },
      { weight: 2, arbitrary: mutatedText(fc.constant(item)) },
      { weight: 2, arbitrary: mutatedManifest(item) },
    );
    const list = fc.oneof(
      { weight: 3, arbitrary: fc.constant(parts) },
      { weight: 1, arbitrary: fc.tuple(...parts.slice(0, 20).map((part) => mutatedText(fc.constant(part)))) },
      { weight: 1, arbitrary: fc.shuffledSubarray([...parts]) },
    );
    return fc.record({ item: manifest, parts: list });
  });

function mutatedManifest(item: string): fc.Arbitrary<string> {
  const end = item.indexOf("\n");
  const start = item.indexOf("{");
  const manifest: unknown = JSON.parse(item.slice(start, end));
  return mutatedJson(fc.constant(manifest), { names: ["fence", "slot", "parts", "sha256"], pieces: ["a", "b"] }).map(
    (json) => item.slice(0, start) + json + item.slice(end),
  );
}

export const keychainItems = fuzzTarget<Items>("keychain manifest and parts", items, async () => {
  const folder = await temporaryFolder();
  const keytar = new FakeKeytar();
  const store = new SystemKeychainStore({ keytar, directory: folder.path, service: "fuzz" }, { clock: hastyClock });
  await store.probe();
  const name = `fuzz record-${fileNameFor(KEY)}`;
  return {
    async read({ item, parts }) {
      keytar.items.clear();
      keytar.calls.length = 0;
      keytar.items.set("fuzz canary", "mcp-oauth-client");
      keytar.items.set(name, item);
      for (const [index, part] of parts.entries()) keytar.items.set(`${name}-a-${index}`, part);
      const found = await store.get(KEY);
      assert.ok(found === undefined || typeof found.value === "string");
      return found;
    },
    secretsIn: () => SECRETS,
    close: () => folder.remove(),
  };
});

/** The list of keys is an item of the same form. */
export const keychainIndex = fuzzTarget<string>(
  "keychain index",
  fc.oneof(
    mutatedJson(fc.constant([KEY, "other"]), { names: ["0", "length"] }).map(
      (json) => layOut(json, 1, "a", 100_000).item,
    ),
    mutatedText(fc.constant(layOut(JSON.stringify([KEY]), 1, "a", 100_000).item)),
  ),
  async () => {
    const folder = await temporaryFolder();
    const keytar = new FakeKeytar();
    const store = new SystemKeychainStore({ keytar, directory: folder.path, service: "fuzz" }, { clock: hastyClock });
    await store.probe();
    return {
      async read(item) {
        keytar.calls.length = 0;
        keytar.items.set("fuzz index", item);
        keytar.items.set(
          `fuzz record-${fileNameFor(KEY)}`,
          layOut(toAsciiJson({ key: KEY, value: "x" }), 1, "a", 9999).item,
        );
        const keys = await store.keys();
        assert.ok(keys.every((key) => key === KEY));
        return keys;
      },
      close: () => folder.remove(),
    };
  },
);
