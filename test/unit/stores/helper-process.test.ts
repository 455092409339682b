import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { HelperProcess } from "../../../src/adapters/keychain/helper-process.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { inMemory, temporaryFolder } from "./support/child.ts";

/** In the place of the native library: one that answers as soon as there is a file of the item's name, as a person might. */
const SLOW_LIBRARY = `
const { existsSync } = require("node:fs");
exports.AsyncEntry = class {
  constructor(service, account) {
    this.path = account;
  }
  getPassword() {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        if (!existsSync(this.path)) return;
        clearInterval(timer);
        resolve(String(process.pid));
      }, 5);
    });
  }
};
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let clock: ManualClock;
let helper: HelperProcess;
beforeEach(async () => {
  folder = await temporaryFolder(inMemory);
  await writeFile(join(folder.path, "library.cjs"), SLOW_LIBRARY);
  clock = new ManualClock();
  helper = new HelperProcess({
    program: { command: process.execPath },
    library: join(folder.path, "library.cjs"),
    clock,
    deadlineMs: 120_000,
  });
});
afterEach(async () => {
  helper.stop();
  await folder.remove();
});

test("a request that takes longer than a helper may be idle is waited for until its deadline", async () => {
  const account = join(folder.path, "answer");
  const answer = helper.request({ operation: "get", service: "service", account });
  const { pid } = helper.start();
  clock.advance(119_000);
  await writeFile(account, "");
  // From the same helper: none was killed and started anew meanwhile.
  expect(await answer).toBe(String(pid));
  const idle = clock.timers;
  expect(idle).toEqual([expect.objectContaining({ background: true, at: clock.now() + 30_000 })]);
});

test("a request that is not answered ends with its deadline", async () => {
  const answer = helper.request({ operation: "get", service: "service", account: join(folder.path, "never") });
  clock.advance(120_000);
  await expect(answer).rejects.toMatchObject({ problem: "stuck" });
  expect(clock.timers).toEqual([]);
});
