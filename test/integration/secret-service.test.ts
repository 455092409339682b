import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { requires } from "../support/requires.ts";
import { type SecretService, startSecretService } from "../support/secret-service.ts";

const run = promisify(execFile);

// The tests of the keychain stores stand on this service, so it is tried with a client that is not ours.
describe.runIf(requires("secret-service"))("the private Secret Service of the tests", () => {
  let service: SecretService;
  beforeAll(async () => {
    service = await startSecretService();
  });
  afterAll(() => service.stop());

  const secretTool = async (command: string, timeout = 5000): Promise<string> => {
    const env = { PATH: process.env.PATH, ...service.env };
    const { stdout } = await run("sh", ["-c", command], { env, timeout });
    return stdout;
  };
  const store = "printf %s hunter2 | secret-tool store --label=test --collection=login service test";
  const look = "secret-tool lookup service test";

  test("keeps a secret", async () => {
    await secretTool(store);
    expect(await secretTool(look)).toBe("hunter2");
  });

  test("gives none while it is locked, and gives it again once it is unlocked", async () => {
    await service.lock();
    await expect(secretTool(look)).rejects.toThrow();
    await service.unlock();
    expect(await secretTool(look)).toBe("hunter2");
  });

  test("answers nothing while it is frozen", async () => {
    service.freeze();
    await expect(secretTool(look, 500)).rejects.toMatchObject({ killed: true });
    service.thaw();
    expect(await secretTool(look)).toBe("hunter2");
  });

  test("is gone after it was killed", async () => {
    await service.kill();
    await expect(secretTool(look)).rejects.toThrow();
  });
});
