// A token endpoint that rotates, a clock that stands still, and coordinators over one store.
import { afterEach } from "vitest";
import { memoryStore } from "../../../src/adapters/memory-store.ts";
import { McpOAuthError } from "../../../src/core/errors.ts";
import { EventHub, type McpOAuthEvent, type McpOAuthEventName } from "../../../src/core/events.ts";
import { Http } from "../../../src/core/http.ts";
import { Secret } from "../../../src/core/secret.ts";
import type { StoredRecord, TokenStore } from "../../../src/ports/token-store.ts";
import { type CoordinatorOptions, TokenCoordinator } from "../../../src/tokens/coordinator.ts";
import {
  activeCredential,
  type Credential,
  type SessionKey,
  type SessionRecord,
  storeKey,
} from "../../../src/tokens/credential.ts";
import { parseSession, serializeSession } from "../../../src/tokens/session-record.ts";
import { type RunningScriptedServer, type ScriptedRoute, startScriptedServer } from "../../servers/scripted-server.ts";
import { ManualClock, settled } from "../../support/manual-clock.ts";
import { credentialAt, SERVER } from "../../support/stage.ts";

export const KEY: SessionKey = { server: SERVER, account: "default" };
export const NAME: string = storeKey(KEY);
export const MINUTE = 60_000;
export const HOUR: number = 60 * MINUTE;

export interface Manager {
  readonly coordinator: TokenCoordinator;
  readonly events: McpOAuthEvent[];
  told<Name extends McpOAuthEventName>(name: Name): McpOAuthEvent<Name>[];
}

export interface Stage {
  readonly server: RunningScriptedServer;
  readonly clock: ManualClock;
  readonly store: TokenStore;
  /** Answers of the token endpoint that come before the usual one; `undefined` gives the usual one. */
  readonly faults: (ScriptedRoute | undefined)[];
  /** When the token endpoint was asked, by the manual clock. */
  readonly askedAt: number[];
  /** The answer of every request for which there is no fault left. */
  usual: ScriptedRoute;
  /** One more coordinator over the same store, as in another process. */
  open(options?: Partial<CoordinatorOptions>): Manager;
  /** Writes a session that was issued now and lives for an hour. */
  seed(changes?: Partial<Credential>, key?: SessionKey): Promise<Credential>;
  /** What the store has. */
  stored(key?: SessionKey): Promise<SessionRecord | undefined>;
  /** The refresh token of the stored session. */
  storedToken(key?: SessionKey): Promise<string | undefined>;
}

/** Tokens that count up; using an old refresh token again is `invalid_grant`. */
export function rotating(members: object = {}): ScriptedRoute {
  let current = 1;
  return ({ form }, { json }) => {
    if (form.get("refresh_token") !== `refresh-token-${current}`) return json({ error: "invalid_grant" }, 400);
    current += 1;
    return json({
      access_token: `access-token-${current}`,
      refresh_token: `refresh-token-${current}`,
      token_type: "Bearer",
      expires_in: 3600,
      ...members,
    });
  };
}

/** What closes the stages of a test: by a hook, so that mutation testing takes what runs meanwhile for a part of the test. */
const ends: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

export async function startStage(options: { store?: TokenStore; usual?: ScriptedRoute } = {}): Promise<Stage> {
  const clock = new ManualClock();
  const store = options.store ?? memoryStore();
  const faults: (ScriptedRoute | undefined)[] = [];
  const askedAt: number[] = [];
  const managers: Manager[] = [];
  const server = await startScriptedServer({
    "POST /token": (request, helpers) => {
      askedAt.push(clock.now());
      return (faults.shift() ?? stage.usual)(request, helpers);
    },
  });
  const open = (changes: Partial<CoordinatorOptions> = {}): Manager => {
    const hub = new EventHub(clock);
    const events: McpOAuthEvent[] = [];
    hub.on("*", (event) => events.push(event));
    const coordinator = new TokenCoordinator({
      store,
      clock,
      http: new Http({ fetch, clock }),
      events: hub,
      refreshAt: 0.8,
      completeClient: (client) => client,
      onClientForgotten: async () => undefined,
      ...changes,
    });
    const told = <Name extends McpOAuthEventName>(name: Name): McpOAuthEvent<Name>[] =>
      events.filter((event) => event.type === name) as McpOAuthEvent<Name>[];
    const manager = { coordinator, events, told };
    managers.push(manager);
    return manager;
  };
  const stored = async (key: SessionKey = KEY): Promise<SessionRecord | undefined> => {
    const found = await store.get(storeKey(key));
    return found === undefined ? undefined : parseSession(found.value, "test");
  };
  const stage: Stage = {
    server,
    clock,
    store,
    faults,
    askedAt,
    usual: options.usual ?? rotating(),
    open,
    stored,
    async seed(changes = {}, key = KEY) {
      const now = clock.now();
      const credential = credentialAt(server.url, {
        issuedAt: now,
        signedInAt: now,
        expiresAt: now + HOUR,
        ...changes,
      });
      await write(store, key, {
        ...key,
        activeIssuer: credential.issuer,
        credentials: { [credential.issuer]: credential },
        ...(credential.requestedScope !== undefined && { requestedScope: credential.requestedScope }),
      });
      return credential;
    },
    storedToken: async (key) => activeCredential(await stored(key))?.refreshToken?.reveal(),
  };
  ends.push(async () => {
    for (const { coordinator } of managers) await throughPauses(clock, coordinator.close());
    await server.close();
  });
  return stage;
}

/** Lets the pauses between attempts pass, and nothing else, until something has ended. */
export async function throughPauses<Value>(clock: ManualClock, call: Promise<Value>): Promise<Value> {
  let isOver = false;
  const end = (): void => {
    isOver = true;
  };
  call.then(end, end);
  const giveUpAt = performance.now() + 5000;
  while (!isOver) {
    if (performance.now() > giveUpAt) throw new Error("never ended");
    const pause = clock.timers.find(({ background, at }) => !background && at - clock.now() <= 6500);
    if (pause !== undefined) clock.advance(pause.at - clock.now());
    await settled();
  }
  return call;
}

/** Waits until something is so; for what real servers have to answer before. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 5000;
  while (!(await isSo())) {
    if (performance.now() > giveUpAt) throw new Error(`never happened: ${isSo.toString()}`);
    await settled();
  }
}

/** Writes a session into a store, as another process does. */
export async function write(store: TokenStore, key: SessionKey, record: SessionRecord): Promise<void> {
  const name = storeKey(key);
  const lock = await store.lock(name);
  await store.set(name, serializeSession(record), lock);
  await lock.release();
}

/** The text of a credential's access token. */
export function textOf(credential: Credential | undefined): string | undefined {
  return credential?.accessToken.reveal();
}

/** A secret that must not be seen anywhere. */
export function secret(text: string): Secret {
  return new Secret(text);
}

/** A store whose locks keep nobody out, as if each had been taken over from an owner that still lives. */
export function looseStore(): TokenStore {
  const records = new Map<string, StoredRecord>();
  let fence = 0;
  return {
    kind: "loose",
    get: async (key) => records.get(key),
    set: async (key, value, lock) => void records.set(key, { value, fence: lock.fence }),
    delete: async (key) => void records.delete(key),
    keys: async () => [...records.keys()],
    lock: async () => ({ fence: ++fence, lost: new AbortController().signal, release: async () => undefined }),
  };
}

/** A store that behaves as another, but for what a test changes. */
export function storeWith(inner: TokenStore, changes: Partial<TokenStore>): TokenStore {
  return {
    kind: inner.kind,
    get: (key) => inner.get(key),
    set: (key, value, lock) => inner.set(key, value, lock),
    delete: (key, lock) => inner.delete(key, lock),
    keys: () => inner.keys(),
    lock: (key, options) => inner.lock(key, options),
    ...changes,
  };
}

const diskFull = new McpOAuthError("store_failed", "The disk is full.");

/** A store whose writes fail when they contain a text. */
export function failingStore(inner: TokenStore = memoryStore()): { store: TokenStore; failOn: string | undefined } {
  const failing = {
    failOn: undefined as string | undefined,
    store: storeWith(inner, {
      set: async (key, value, lock) => {
        if (failing.failOn !== undefined && value.includes(failing.failOn)) throw diskFull;
        await inner.set(key, value, lock);
      },
    }),
  };
  return failing;
}
