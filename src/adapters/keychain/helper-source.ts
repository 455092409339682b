/**
 * The program that talks to the operating system's keychain in a process of its own, in plain JavaScript for `node -e`.
 *
 * A native call that hangs (a prompt that nobody answers, a daemon that does not reply) cannot be cancelled, and keeps
 * the process that made it from exiting, even from `process.exit()`. A child can be killed.
 *
 * It is a text and not a file because there is then nothing to find: it works from the sources, from the package, and
 * from within an application that was bundled. Nothing secret is in it; passwords come and go over the channel only.
 *
 * Argument: the path of `@napi-rs/keyring`. Messages: `{ id, operation, service, account, password }`, answered by
 * `{ id, value }` or `{ id, problem }`.
 */
export const HELPER_SOURCE = `
"use strict";
// An interrupt from the keyboard goes to the whole group, while the parent may still have something to save.
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => {});
// process.exit() waits for native calls that hang.
const end = () => process.kill(process.pid, "SIGKILL");
process.on("disconnect", end);
const answer = (message) => { if (process.connected) process.send(message, () => {}); };

let AsyncEntry;
let problem;
try {
  ({ AsyncEntry } = require(process.argv[1]));
} catch (error) {
  problem = "cannot load: " + (error && error.message);
}

// An entry is slow to make, so it is used again, but it keeps a connection open until it is collected, of which the
// session bus allows 256 to all programs of a user together.
const entries = new Map();
const entryOf = (service, account) => {
  const name = JSON.stringify([service, account]);
  let entry = entries.get(name);
  if (entry === undefined) {
    if (entries.size >= 32) {
      entries.clear();
      globalThis.gc?.();
    }
    entry = new AsyncEntry(service, account, { linux: { store: "secret-service" } });
    entries.set(name, entry);
  }
  return entry;
};

const perform = async ({ operation, service, account, password }) => {
  const entry = entryOf(service, account);
  if (operation === "get") return (await entry.getPassword()) ?? null;
  if (operation === "set") return (await entry.setPassword(password)) ?? null;
  return await entry.deletePassword();
};

process.on("message", (message) => {
  if (problem !== undefined) return answer({ id: message.id, problem });
  perform(message).then(
    (value) => answer({ id: message.id, value }),
    (error) => answer({ id: message.id, problem: String((error && error.message) || error) }),
  );
});
`;
