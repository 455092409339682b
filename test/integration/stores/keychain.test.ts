import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { requires } from "../../support/requires.ts";
import { type SecretService, startSecretService } from "../../support/secret-service.ts";
import { bundleProgram, type RunningProgram, run, temporaryFolder } from "../../unit/stores/support/child.ts";
import { startSilentPrompter } from "./support/silent-prompter.ts";

const shell = promisify(execFile);

interface Told {
  value?: unknown;
  code?: string;
  message?: string;
  text?: string;
  elapsedMs: number;
}

interface User {
  running: RunningProgram;
  do(action: string, ...texts: string[]): Promise<Told>;
  /** Lets the process end by itself, and waits for that. */
  leave(): Promise<unknown>;
}

let program: Awaited<ReturnType<typeof bundleProgram>>;
let state: Awaited<ReturnType<typeof temporaryFolder>>;
let service: SecretService;
let name: string;
let testCount = 0;
const started: RunningProgram[] = [];

beforeAll(async () => {
  program = await bundleProgram(new URL("./support/keychain-program.ts", import.meta.url));
});
afterAll(() => program.remove());
beforeEach(async () => {
  state = await temporaryFolder();
  testCount += 1;
  name = `mcp-oauth-client test ${testCount}`;
});
afterEach(async () => {
  for (const { child } of started.splice(0)) child.kill("SIGKILL");
  await state.remove();
});

type Backend = "native" | "keytar" | "native in this process";

function start(backend: Backend, settings: object = {}, environment: NodeJS.ProcessEnv = service.env): User {
  const json = JSON.stringify({ backend, directory: state.path, service: name, ...settings });
  const running = run(program.path, [json], { PATH: process.env.PATH, HOME: state.path, ...environment });
  started.push(running);
  return {
    running,
    do: async (action, ...texts) => {
      running.child.send([action, ...texts]);
      return (await running.message()) as Told;
    },
    leave: () => {
      running.child.send(["exit"]);
      return running.ended;
    },
  };
}

async function secretTool(words: readonly string[], input = ""): Promise<string> {
  const command = 'printf "%b" "$INPUT" | secret-tool "$@"';
  const env = { PATH: process.env.PATH, INPUT: input, ...service.env };
  const { stdout, stderr } = await shell("sh", ["-c", command, "sh", ...words], { env });
  return stdout + stderr;
}

const search = (): Promise<string> => secretTool(["search", "--all", "--unlock", "service", name]);

describe.runIf(requires("secret-service"))("a real Secret Service", () => {
  beforeAll(async () => {
    service = await startSecretService();
  });
  afterAll(() => service.stop());
  afterEach(async () => {
    service.thaw();
    await service.unlock();
  });

  const backends: Backend[] = ["native", "native in this process", "keytar"];

  describe.each(backends)("with %s", (backend) => {
    // In parts of which the longest values need some; on Windows they are shorter still.
    test.skipIf(backend === "native in this process")("the contract holds", async () => {
      const { value } = await start(backend, { longest: 40_000 }).do("contract");
      expect(value).toEqual([]);
    });

    test("secret-tool sees the entry, and the value survives the end of the process", async () => {
      const writer = start(backend);
      const value = JSON.stringify({ refresh_token: "canary-\u{1F511}-東京" });
      expect(await writer.do("set", "https://mcp.example.com", value)).toMatchObject({ value: null });
      expect(await writer.leave()).toBe(0);
      const found = await search();
      expect(found).toContain("canary-");
      expect(found).toMatch(/record-[0-9a-f]{64}/);
      const reader = start(backend);
      expect(await reader.do("get", "https://mcp.example.com")).toMatchObject({ value });
      expect(await reader.do("keys")).toMatchObject({ value: ["https://mcp.example.com"] });
      await reader.do("delete", "https://mcp.example.com");
      expect(await search()).not.toContain("canary-");
      // What is on disk beside it has no secret in it.
      for (const entry of await readdir(state.path, { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        expect(await readFile(join(entry.parentPath, entry.name), "utf8")).not.toContain("canary-");
      }
    });

    test("4 processes at once lose no update", async () => {
      const users = [1, 2, 3, 4].map(() => start(backend));
      const told = await Promise.all(users.map((user) => user.do("increment", "counter", "10")));
      expect(told.map(({ code, message }) => code && message)).toEqual([undefined, undefined, undefined, undefined]);
      expect(await users[0]?.do("get", "counter")).toMatchObject({ value: "40" });
    });

    test("locked: unreadable with a hint, never absent; readable again once it is unlocked", async () => {
      const user = start(backend);
      await user.do("set", "key", "canary-value");
      await service.lock();
      for (const someone of [user, start(backend)]) {
        const told = await someone.do("get", "key");
        expect(told).toMatchObject({ code: "store_unreadable", message: expect.stringMatching(/locked.*Unlock it/) });
        expect(told.elapsedMs).toBeLessThan(5000);
        expect(await someone.do("get", "never written")).toMatchObject({ code: "store_unreadable" });
        expect(await someone.do("keys")).toMatchObject({ code: "store_unreadable" });
        const refused = await someone.do("set", "key", "canary-other");
        expect(refused).toMatchObject({ code: "store_failed" });
        expect(refused.text).not.toContain("canary-");
        expect(await someone.do("delete", "key")).toMatchObject({ code: "store_failed" });
      }
      await service.unlock();
      expect(await user.do("get", "key")).toMatchObject({ value: "canary-value" });
    });

    test("locked from the start: cannot be used, with the hint", async () => {
      await service.lock();
      const told = await start(backend).do("get", "key");
      expect(told).toMatchObject({ code: "store_unavailable", message: expect.stringMatching(/locked/) });
    });

    test("a foreign value in the place of a record is unreadable", async () => {
      const user = start(backend);
      await user.do("set", "key", "value");
      const found = await search();
      const [, attribute, account] = found.match(/attribute\.(username|account) = (record-[0-9a-f]{64})/) ?? [];
      // keytar finds its items by libsecret's own attribute, too.
      const schema = backend === "keytar" ? ["xdg:schema", "org.freedesktop.Secret.Generic"] : [];
      const attributes = ["service", name, attribute ?? "", account ?? ""];
      await secretTool(["clear", ...attributes]);
      expect(await user.do("get", "key")).toMatchObject({ value: null });
      for (const foreign of ["a password of somebody else", "{\\042json\\042:1}", "\\0377\\0376 not UTF-8"]) {
        await secretTool(["store", "--label=foreign", ...attributes, ...schema], foreign);
        const told = await user.do("get", "key");
        expect(told, foreign).toMatchObject({ code: "store_unreadable" });
        expect(told.text).not.toContain("somebody else");
      }
      // Replaced on request, but not lost.
      expect(await user.do("set", "key", "mine")).toMatchObject({ value: null });
      expect(await user.do("get", "key")).toMatchObject({ value: "mine" });
    });

    test("a keychain that was emptied by hand is empty, not locked", async () => {
      const user = start(backend);
      await user.do("set", "key", "value");
      await secretTool(["clear", "service", name]);
      expect(await user.do("get", "key")).toMatchObject({ value: null });
      expect(await start(backend).do("get", "key")).toMatchObject({ value: null });
    });
  });

  const patient = { deadlineMs: 1000 };

  test.each(["native", "native in this process"] as const)(
    "frozen, %s: an error after the deadline, and the loop goes on",
    async (backend) => {
      const user = start(backend, patient);
      await user.do("set", "key", "value");
      service.freeze();
      const { value } = await user.do("get while watching the loop", "key");
      expect(value).toMatchObject({ code: "store_unreadable" });
      if (backend === "native") expect((value as { longestMs: number }).longestMs).toBeLessThan(300);
      const four = (await user.do("get four times at once", "key")).value as { statuses: string[]; elapsedMs: number };
      expect(four.statuses).toEqual(["rejected", "rejected", "rejected", "rejected"]);
      expect(four.elapsedMs).toBeLessThan(2500);
      service.thaw();
      await expect.poll(async () => (await user.do("get", "key")).value, { timeout: 10_000 }).toBe("value");
    },
  );

  test("a prompt that nobody answers: an error after the deadline, and nothing keeps the process from exiting", async () => {
    const dismiss = await startSilentPrompter(service.env.DBUS_SESSION_BUS_ADDRESS ?? "");
    try {
      const user = start("native", patient);
      await user.do("set", "key", "value");
      await service.lock();
      const told = await user.do("get", "key");
      expect(told).toMatchObject({
        code: "store_unreadable",
        message: expect.stringMatching(/prompt that nobody answers/),
      });
      expect(told.elapsedMs).toBeGreaterThan(900);
      expect(told.elapsedMs).toBeLessThan(4000);
      const pending = user.do("get", "key").catch(() => undefined);
      const startedAt = performance.now();
      expect(await user.leave()).toBe(0);
      expect(performance.now() - startedAt).toBeLessThan(3000);
      await pending;
    } finally {
      dismiss();
    }
  });

  test("a frozen service does not keep keytar's callers waiting for ever", async () => {
    const user = start("keytar", patient);
    await user.do("set", "key", "value");
    service.freeze();
    const told = await user.do("get", "key");
    expect(told).toMatchObject({ code: "store_unreadable", message: expect.stringMatching(/did not answer in time/) });
    expect(told.elapsedMs).toBeLessThan(3000);
    const four = (await user.do("get four times at once", "key")).value as { statuses: string[]; elapsedMs: number };
    expect(four.statuses).toEqual(["rejected", "rejected", "rejected", "rejected"]);
    expect(four.elapsedMs).toBeLessThan(1000);
    service.thaw();
    await expect.poll(async () => (await user.do("get", "key")).value, { timeout: 10_000 }).toBe("value");
  });

  test("killed in the middle of writing: the old value or the new one, never neither", async () => {
    const rounds = new Map<number, number>();
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const writer = start("native", { longest: 1200 });
      writer.running.child.send(["churn", "key", "x".repeat(5000)]);
      const { round } = (await writer.running.message()) as { round: number };
      rounds.set(attempt, round);
      await new Promise((resolve) => setTimeout(resolve, attempt * 17));
      writer.running.child.kill("SIGKILL");
      await writer.running.ended;
      const { value, code, message } = await start("native", { longest: 1200 }).do("get", "key");
      expect(code, message).toBeUndefined();
      expect(JSON.parse(value as string)).toMatchObject({ filler: "x".repeat(5000) });
    }
    // Nor is anything of the older ones left after the next write and the removal.
    const last = start("native", { longest: 1200 });
    await last.do("set", "key", "y".repeat(5000));
    await last.do("delete", "key");
    expect(await search()).not.toMatch(/record-/);
  });

  test("bundled into an application that is CommonJS, it works without a helper", async () => {
    const source = new URL("./support/keychain-program.ts", import.meta.url);
    const application = await bundleProgram(source, undefined, "cjs");
    try {
      const json = JSON.stringify({ backend: "native", directory: state.path, service: name });
      const running = run(application.path, [json], { PATH: process.env.PATH, HOME: state.path, ...service.env });
      started.push(running);
      running.child.send(["set", "key", "value"]);
      expect(await running.message()).toMatchObject({ value: null });
      expect(await childrenOf(running.child.pid ?? 0)).toEqual([]);
      expect(await start("native").do("get", "key")).toMatchObject({ value: "value" });
    } finally {
      await application.remove();
    }
  });

  test("the helper ends with its process, even when that is killed", async () => {
    const user = start("native");
    await user.do("set", "key", "value");
    const children = await childrenOf(user.running.child.pid ?? 0);
    expect(children).toHaveLength(1);
    user.running.child.kill("SIGKILL");
    await user.running.ended;
    await expect.poll(() => isRunning(children[0] ?? 0)).toBe(false);
  });

  test("a helper that is killed is replaced, and a waiting helper does not keep the process alive", async () => {
    const user = start("native");
    await user.do("set", "key", "value");
    for (const child of await childrenOf(user.running.child.pid ?? 0)) process.kill(child, "SIGKILL");
    expect(await user.do("get", "key")).toMatchObject({ value: "value" });
    expect(await user.leave()).toBe(0);
  });
});

describe.runIf(requires("secret-service"))("a Secret Service that is killed", () => {
  test.each(["native", "native in this process", "keytar"] as const)("%s: a typed error at once", async (backend) => {
    const mortal = await startSecretService();
    try {
      const user = start(backend, {}, mortal.env);
      await user.do("set", "key", "value");
      await mortal.kill();
      const told = await user.do("get", "key");
      expect(told, told.text).toMatchObject({
        code: "store_unreadable",
        message: expect.stringMatching(/No Secret Service/),
      });
      expect(told.elapsedMs).toBeLessThan(5000);
      expect(await user.do("set", "key", "other")).toMatchObject({ code: "store_failed" });
      const newcomer = start(backend, { service: "another service" }, mortal.env);
      expect(await newcomer.do("get", "key")).toMatchObject({ code: "store_unavailable" });
    } finally {
      await mortal.stop();
    }
  });
});

describe("no Secret Service", () => {
  const nowhere = { DBUS_SESSION_BUS_ADDRESS: "unix:path=/nonexistent/bus" };

  test.each(["native", "native in this process", "keytar"] as const)(
    "no bus, %s: cannot be used, with a hint",
    async (backend) => {
      for (const environment of [nowhere, {}]) {
        const told = await start(backend, {}, environment).do("get", "key");
        expect(told).toMatchObject({ code: "store_unavailable", message: expect.stringMatching(/D-Bus session/) });
        expect(told.elapsedMs).toBeLessThan(3000);
      }
    },
  );
});

describe("no keychain library", () => {
  const broken = 'throw new Error("Cannot find native binding.");';

  test.each([
    ["not installed", undefined],
    ["installed without the part for this system", broken],
  ])("%s: cannot be used, with what to install", async (_title, content) => {
    const elsewhere = await temporaryFolder();
    try {
      if (content !== undefined) {
        const folder = join(elsewhere.path, "node_modules", "@napi-rs", "keyring");
        await mkdir(folder, { recursive: true });
        await writeFile(join(folder, "package.json"), '{ "name": "@napi-rs/keyring", "main": "index.js" }');
        await writeFile(join(folder, "index.js"), content);
      }
      const { path } = await bundleProgram(new URL("./support/keychain-program.ts", import.meta.url), elsewhere.path);
      for (const backend of ["native", "native in this process"]) {
        const json = JSON.stringify({ backend, directory: state.path, service: name });
        const running = run(path, [json], { PATH: process.env.PATH, HOME: state.path });
        started.push(running);
        running.child.send(["get", "key"]);
        expect(await running.message()).toMatchObject({
          code: "store_unavailable",
          message: expect.stringMatching(/npm install @napi-rs\/keyring/),
        });
      }
    } finally {
      await elsewhere.remove();
    }
  });
});

async function childrenOf(processId: number): Promise<number[]> {
  const text = await readFile(`/proc/${processId}/task/${processId}/children`, "utf8");
  return text.trim().split(" ").filter(Boolean).map(Number);
}

/** A zombie does not run; in a container, nobody may be there to bury it. */
async function isRunning(processId: number): Promise<boolean> {
  const status = await readFile(`/proc/${processId}/stat`, "latin1").catch(() => "");
  return status !== "" && !/\) [ZX] /.test(status);
}
