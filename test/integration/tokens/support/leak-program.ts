// A host that prints all that it gets to see: results, events, errors with everything that hangs on them. What must not
// be seen, must then not be found in what it printed or wrote.
import { subscribe } from "node:diagnostics_channel";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { inspect } from "node:util";
import { encryptedFileStore } from "../../../../src/adapters/encrypted-file/store.ts";
import { keychainStore } from "../../../../src/adapters/keychain/store.ts";
import { systemClock } from "../../../../src/core/clock.ts";
import { TokenManager } from "../../../../src/token-manager.ts";

export interface LeakSettings {
  readonly directory: string;
  /** Base64 of the key of encrypted files; absent for the keychain. */
  readonly key?: string;
}

/** What it is told to do; the server is changed in between. */
export type LeakOrder =
  | { do: "sign in" | "request" | "status" | "sign out" | "get"; server: string; laterMs?: number; account?: string }
  | { do: "read with another key" }
  /** Proves that the scan finds something: does what must never happen. */
  | { do: "leak"; where: "stdout" | "stderr" | "disk" | "base64"; server: string; laterMs?: number };

const settings = JSON.parse(process.argv[2] ?? "") as LeakSettings;
let laterMs = 0;

function show(value: unknown): void {
  console.log(inspect(value, { depth: 20, showHidden: true }));
  console.log(JSON.stringify(value), String(value));
  if (!(value instanceof Error)) return;
  console.error(value);
  console.error(value.stack, JSON.stringify(value, Object.getOwnPropertyNames(value)));
  show(value.cause);
}

// What tracers record of each request, to the global fetch and to undici alike.
subscribe("undici:request:create", (message) => {
  const { request } = message as { request: { method: string; origin: string; path: string } };
  console.log(`traced ${request.method} ${request.origin}${request.path}`);
});
subscribe("undici:request:error", (message) => show((message as { error: unknown }).error));

const { directory } = settings;
const open = (key: string | undefined): TokenManager =>
  new TokenManager({
    clientName: "Leaky host",
    store:
      key === undefined
        ? keychainStore({ directory, service: "leak scan" })
        : encryptedFileStore({ directory, key: Buffer.from(key, "base64") }),
    clock: {
      now: () => Date.now() + laterMs,
      // The pauses between tries are not what this is about.
      schedule: (callback, delayMs, options) =>
        systemClock.schedule(callback, delayMs < 10_000 ? delayMs / 50 : delayMs, options),
    },
    // So that undici sends the requests to the authorization server, as it does to those that are not on loopback.
    network: { certificateAuthorities: [] },
    openBrowser: (url) => void process.send?.({ opened: url.href }),
    signInTimeoutMs: 20_000,
  });
const tokens = open(settings.key);
tokens.on("*", show);

async function obey(order: LeakOrder): Promise<unknown> {
  if (order.do === "read with another key") return open(Buffer.alloc(32, 1).toString("base64")).status();
  const { server } = order;
  laterMs = order.laterMs ?? laterMs;
  const options = "account" in order && order.account !== undefined ? { account: order.account } : {};
  switch (order.do) {
    case "sign in":
      return tokens.signIn(server, options);
    case "request":
      return tokens.fetch(server, options)(server, { method: "POST", body: "{}" });
    case "get":
      return tokens.get(server, options);
    case "status":
      return tokens.status();
    case "sign out":
      return tokens.signOut(server, { ...options, unregister: true });
    default:
      return leak(order.where, (await tokens.get(server)).accessToken.reveal());
  }
}

async function leak(where: "stdout" | "stderr" | "disk" | "base64", secret: string): Promise<void> {
  if (where === "stdout") console.log(`token: ${secret}`);
  if (where === "stderr") console.error({ headers: { authorization: `Bearer ${secret}` } });
  if (where === "base64") console.log(Buffer.from(`{"token":"${secret}"}`).toString("base64"));
  if (where === "disk") await writeFile(join(directory, "debug.log"), secret);
}

process.on("message", (order: LeakOrder | "leave") => {
  if (order === "leave") {
    void tokens.close().then(() => process.disconnect());
    return;
  }
  void obey(order)
    .then(
      (result) => {
        show(result);
        return "ok";
      },
      (error) => {
        show(error);
        return error.code ?? String(error);
      },
    )
    .then((outcome) => process.send?.({ outcome }));
});
