// What a bench needs around it, beside servers.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSecretService } from "../support/secret-service.ts";

/** A keychain that is there for as long as a bench runs. */
export interface Keychain {
  /** What a process needs to find it. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Runs something beside a Secret Service of its own (gnome-keyring on a private D-Bus); without one where there is none. */
export async function withKeychain<Result>(run: (keychain: Keychain | undefined) => Promise<Result>): Promise<Result> {
  const service = await startSecretService().catch(() => undefined);
  try {
    return await run(service && { environment: service.env });
  } finally {
    await service?.stop();
  }
}

/** Runs something with a folder that is removed afterwards. */
export async function withFolder<Result>(run: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), "bench-"));
  try {
    return await run(folder);
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }
}
