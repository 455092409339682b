import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memoryStore, type TokenStore } from "mcp-oauth-client";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";
import { keychainStore } from "mcp-oauth-client/keychain";
import { afterEach, beforeEach, describe, expect } from "vitest";
import { fileNameFor } from "../../../src/adapters/file-lock/file-name.ts";
import type { RunningScriptedAuthorizationServer } from "../../servers/scripted-authorization-server.ts";
import { shown } from "../../support/failure.ts";
import { FakeKeytar } from "../../unit/stores/support/fake-keytar.ts";
import { failure, startHost, startScripted } from "../flow/support/harness.ts";
import { patient, WaitingClock } from "../grants/support/waiting-clock.ts";
import {
  type FileCase,
  fileCases,
  type KeychainCase,
  keychainCases,
  type RecordCase,
  recordCases,
} from "./cases/storage.ts";
import { hostile } from "./support/case.ts";

let place: string;
beforeEach(async () => {
  place = await mkdtemp(join(tmpdir(), "hostile-store-"));
});
afterEach(() => rm(place, { recursive: true, force: true }));

const keyOf = (server: RunningScriptedAuthorizationServer, account: string): string =>
  `session/${account}/${server.mcpUrl.href}`;

/** Two accounts on one server. */
async function signInTwice(store: TokenStore): Promise<RunningScriptedAuthorizationServer> {
  const server = await startScripted();
  const { tokens } = startHost({ store });
  await tokens.signIn(server.mcpUrl);
  await tokens.signIn(server.mcpUrl, { account: "other" });
  return server;
}

/** A host that finds the store as it is now asks for a token, and is refused without anything having been sent. */
async function expectRefused(
  server: RunningScriptedAuthorizationServer,
  store: TokenStore,
  { ends = "store_unreadable", says, expired }: Pick<RecordCase, "ends" | "says" | "expired">,
): Promise<void> {
  server.log.clear();
  const clock = new WaitingClock();
  if (expired === true) clock.jump(10 * 365 * 86_400_000);
  // Names lead to this machine.
  const routed: typeof fetch = (input, init) =>
    fetch(String(input).replace("http://plain.example.com", server.url), init);
  const host = startHost({
    store,
    fetch: routed,
    ...(expired === true && { clock, ...patient }),
    interactive: ends !== "interaction_required",
  });
  const error = await failure(host.tokens.get(server.mcpUrl), ends);
  if (says !== undefined) expect(error.message).toMatch(says);
  expect(host.opened).toEqual([]);
  expect(server.log.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  expect(server.log.count("POST", "/token")).toBe(0);
  const visible = shown([error, host.events]);
  for (const secret of [...server.accessTokens.keys(), ...server.refreshTokens.keys()])
    expect(visible).not.toContain(secret);
}

async function runFile({ tamper, otherKey, ...each }: FileCase): Promise<void> {
  const directory = join(place, "store");
  const records = join(directory, "records");
  const key = randomBytes(32);
  const server = await signInTwice(encryptedFileStore({ key, directory }));
  const names = await readdir(records);
  const fileOf = (account: string): string =>
    join(records, names.find((name) => name.startsWith(fileNameFor(keyOf(server, account)))) ?? "");
  await tamper({ directory, own: fileOf("default"), other: fileOf("other") });
  const contents = async (): Promise<string[]> =>
    Promise.all((await readdir(records)).map((name) => readFile(join(records, name), "latin1")));
  const before = await contents();
  await expectRefused(server, encryptedFileStore({ key: otherKey === true ? randomBytes(32) : key, directory }), each);
  expect(await contents()).toEqual(before);
}

async function write(store: TokenStore, key: string, value: string): Promise<void> {
  const lock = await store.lock(key);
  await store.set(key, value, lock);
  await lock.release();
}

async function runRecord({ tamper, ...each }: RecordCase): Promise<void> {
  const store = memoryStore();
  const server = await signInTwice(store);
  const text = async (account: string): Promise<string> => (await store.get(keyOf(server, account)))?.value ?? "";
  const tampered = tamper(await text("default"), await text("other"));
  await write(store, keyOf(server, "default"), tampered);
  await expectRefused(server, store, each);
  if (each.expired !== true) expect(await text("default")).toBe(tampered);
}

async function runKeychain({ tamper, locked, ...each }: KeychainCase): Promise<void> {
  const keytar = new FakeKeytar();
  const open = (): TokenStore => keychainStore({ keytar, directory: place });
  const server = await signInTwice(open());
  const itemOf = (account: string): string => `mcp-oauth-client record-${fileNameFor(keyOf(server, account))}`;
  tamper(keytar.items, itemOf("default"), itemOf("other"));
  keytar.isLocked = locked === true;
  const before = [...keytar.items];
  await expectRefused(server, open(), each);
  expect([...keytar.items]).toEqual(before);
}

describe("a stored session that somebody else had in hand", () => {
  hostile(fileCases, runFile);
  hostile(recordCases, runRecord);
  hostile(keychainCases, runKeychain);
});
