// A process of its own that uses the keychain, told what to do by messages. Argument: settings as JSON.
import type { KeychainStoreOptions } from "../../../../src/adapters/keychain/options.ts";
import { SystemKeychainStore } from "../../../../src/adapters/keychain/store.ts";
import { tokenStoreCases } from "../../../../src/testing/token-store-contract.ts";

interface Settings {
  backend: "native" | "keytar" | "native in this process";
  service: string;
  directory: string;
  deadlineMs?: number;
  longest?: number;
}

const settings = JSON.parse(process.argv[2] ?? "") as Settings;
const stores = new Map<string, SystemKeychainStore>();

async function open(service: string): Promise<SystemKeychainStore> {
  const options: KeychainStoreOptions = {
    service,
    directory: settings.directory,
    deadlineMs: settings.deadlineMs ?? 5000,
  };
  if (settings.backend === "keytar") options.keytar = (await import("keytar")).default;
  if (settings.backend === "native in this process") options.helper = false;
  return new SystemKeychainStore(options, settings.longest === undefined ? {} : { longest: settings.longest });
}

async function store(): Promise<SystemKeychainStore> {
  const known = stores.get("") ?? (await open(settings.service));
  stores.set("", known);
  return known;
}

const actions: Record<string, (...texts: string[]) => Promise<unknown>> = {
  probe: async () => (await store()).probe(),
  get: async (key) => (await (await store()).get(key as string))?.value ?? null,
  keys: async () => (await store()).keys(),
  set: async (key, value) => {
    const lock = await (await store()).lock(key as string);
    try {
      await (await store()).set(key as string, value as string, lock);
    } finally {
      await lock.release();
    }
  },
  delete: async (key) => {
    const lock = await (await store()).lock(key as string);
    try {
      await (await store()).delete(key as string, lock);
    } finally {
      await lock.release();
    }
  },
  increment: async (key, times) => {
    for (let round = 0; round < Number(times); round += 1) {
      const lock = await (await store()).lock(key as string);
      const value = Number((await (await store()).get(key as string))?.value ?? 0);
      await (await store()).set(key as string, String(value + 1), lock);
      await lock.release();
    }
  },
  /** Writes for ever; is killed in the middle of it. */
  churn: async (key, value) => {
    for (let round = 0; ; round += 1) {
      await actions.set?.(key as string, JSON.stringify({ round, filler: value }));
      process.send?.({ round });
    }
  },
  contract: async () => {
    const failures: string[] = [];
    for (const { title, run } of tokenStoreCases((place) => open(`${settings.service} ${place}`))) {
      await run().catch((error: unknown) => failures.push(`${title}: ${String((error as Error).stack)}`));
    }
    return failures;
  },
  /** How long the longest pause of the event loop was while something else was going on. */
  "get while watching the loop": async (key) => {
    let longestMs = 0;
    let last = performance.now();
    const timer = setInterval(() => {
      longestMs = Math.max(longestMs, performance.now() - last);
      last = performance.now();
    }, 5);
    const code = await actions.get?.(key as string).then(
      () => "found",
      (error: { code: string }) => error.code,
    );
    clearInterval(timer);
    return { code, longestMs };
  },
  "get four times at once": async (key) => {
    const startedAt = performance.now();
    const results = await Promise.allSettled([1, 2, 3, 4].map(() => actions.get?.(key as string)));
    return { statuses: results.map((result) => result.status), elapsedMs: performance.now() - startedAt };
  },
  exit: async () => {
    process.disconnect();
  },
};

process.on("message", (message) => {
  const [action, ...texts] = message as [string, ...string[]];
  const startedAt = performance.now();
  const tell = (told: object): void => {
    if (process.connected) process.send?.({ ...told, elapsedMs: performance.now() - startedAt });
  };
  actions[action]?.(...texts).then(
    (value) => tell({ value: value ?? null }),
    (error) => tell({ code: error.code, message: error.message, text: inspectDeeply(error) }),
  );
});

/** Everything that an error carries, to be searched for secrets. */
function inspectDeeply(error: unknown): string {
  let text = "";
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    text += `${cause.stack} ${JSON.stringify(cause, Object.getOwnPropertyNames(cause))}`;
  }
  return text;
}
