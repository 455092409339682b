// A process of its own that uses encrypted files. Arguments: mode, folder.
import { encryptedFileStore, FileStore } from "../../../../src/adapters/encrypted-file/store.ts";

const [mode, directory] = process.argv.slice(2) as [string, string];
const options = { key: Buffer.alloc(32, 7), directory };
const say = (message: unknown): void => void process.send?.(message);

if (mode === "increment") await increment();
if (mode === "churn") await churn();
if (mode === "freeze") await freeze();

async function increment(): Promise<void> {
  const store = encryptedFileStore(options);
  for (let round = 0; round < 100; round += 1) {
    const lock = await store.lock("counter");
    const value = Number((await store.get("counter"))?.value ?? 0);
    await store.set("counter", String(value + 1), lock);
    await lock.release();
  }
  process.disconnect();
}

/** Writes for ever, says what is durable, and is killed in the middle of it. */
async function churn(): Promise<void> {
  const store = encryptedFileStore(options);
  for (;;) {
    const lock = await store.lock("key");
    const round = JSON.parse((await store.get("key"))?.value ?? '{"round":0}').round as number;
    await store.set("key", JSON.stringify({ round: round + 1, filler: "x".repeat(20_000) }), lock);
    await lock.release();
    say(round + 1);
  }
}

/** Holds a lock, and writes when it is told to. */
async function freeze(): Promise<void> {
  const store = new FileStore(options, { locks: { heartbeatMs: 100, staleMs: 300, leaseMs: 1000 } });
  const lock = await store.lock("key");
  await store.set("key", "first", lock);
  process.once("message", () => {
    store.set("key", "late", lock).then(
      () => say("written"),
      (error) => say(error.code),
    );
  });
  say("holding");
}
