// What lies in the place of a session and is none: told, and left as it is.
import { expect, it } from "vitest";
import { serializeSession } from "../../../src/tokens/session-record.ts";
import { failureOf, shown } from "../../support/failure.ts";
import { credentialAt } from "../../support/stage.ts";
import { KEY, NAME, secret, startStage } from "./stage.ts";

const issuer = "https://as.example";
const planted = credentialAt(issuer, { accessToken: secret("planted-1"), refreshToken: secret("planted-2") });
const session = { ...KEY, activeIssuer: issuer, credentials: { [issuer]: planted } };
const good = JSON.parse(serializeSession(session));

it.each<[name: string, value: string]>([
  ["a record of a newer version", JSON.stringify({ ...good, version: 2, somethingNew: true })],
  ["a record of no version", JSON.stringify({ ...good, version: undefined })],
  ["a record that is cut off", JSON.stringify(good).slice(0, -20)],
  ["an empty text", ""],
  ["the session of another server", serializeSession({ ...session, server: "https://evil.example/mcp" })],
  ["the session of another account", serializeSession({ ...session, account: "mallory" })],
  ["a client's record", JSON.stringify(good.credentials[0].client)],
  ["something of another program", "<xml/>"],
])("%s is unreadable for every operation, and stays as it is until it is signed out of", async (_name, value) => {
  const stage = await startStage();
  const lock = await stage.store.lock(NAME);
  await stage.store.set(NAME, value, lock);
  await lock.release();
  const { coordinator, events } = stage.open();
  const fresh = credentialAt(issuer, { accessToken: secret("fresh") });
  for (const operation of [
    () => coordinator.credential(KEY),
    () => coordinator.load(KEY),
    () => coordinator.reload(KEY),
    () => coordinator.renew(KEY, secret("x")),
    () => coordinator.save(KEY, fresh),
  ]) {
    const error = await failureOf(operation);
    expect(error.code).toBe("store_unreadable");
    expect(error.message).toContain("sign out");
    expect(shown(error)).not.toMatch(/planted|mallory|evil/);
  }
  expect((await stage.store.get(NAME))?.value).toBe(value);
  expect(await coordinator.list()).toEqual([KEY]);
  expect(events).toEqual([]);
  await coordinator.remove(KEY);
  await coordinator.save(KEY, fresh);
  expect(await stage.storedToken()).toBe("refresh-token-1");
});

it("a session of this version with members that nobody knows is read, and the rest of it stays", async () => {
  const stage = await startStage();
  const lock = await stage.store.lock(NAME);
  const value = { ...good, somethingNew: 1, credentials: [{ ...good.credentials[0], alsoNew: [] }] };
  await stage.store.set(NAME, JSON.stringify(value), lock);
  await lock.release();
  const session = await stage.open().coordinator.load(KEY);
  expect(session?.credential?.accessToken.reveal()).toBe("planted-1");
});
