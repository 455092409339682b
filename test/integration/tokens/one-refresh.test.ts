// One refresh for everybody who shares a store, at an authorization server that rotates refresh tokens and takes the use
// of an old one for theft: it then revokes all that came from the same sign-in.
import { randomBytes } from "node:crypto";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type RunningAuthorizationServer, startAuthorizationServer } from "../../servers/authorization-server.ts";
import { requires } from "../../support/requires.ts";
import { startSecretService } from "../../support/secret-service.ts";
import { bundleProgram, temporaryFolder } from "../../unit/stores/support/child.ts";
import { type GuardedResource, startGuardedResource } from "./support/guarded-resource.ts";
import type { HostSettings } from "./support/host-program.ts";
import { type HostProgram, inProcess, inThread, type Round, total } from "./support/hosts.ts";

const HOUR = 3_600_000;

let program: Awaited<ReturnType<typeof bundleProgram>>;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let as: RunningAuthorizationServer;
let mcp: GuardedResource;
let hosts: HostProgram[] = [];

beforeAll(async () => {
  program = await bundleProgram(new URL("./support/host-program.ts", import.meta.url));
});
afterAll(() => program.remove());
beforeEach(async () => {
  folder = await temporaryFolder();
  as = await startAuthorizationServer({ refreshTokens: "rotate" });
  mcp = await startGuardedResource(as);
});
afterEach(async () => {
  for (const host of hosts) host.end();
  hosts = [];
  await mcp.close();
  await as.close();
  await folder.remove();
});

function settingsOf(store?: HostSettings["store"]): HostSettings {
  return {
    server: mcp.url.href,
    store: store ?? { directory: folder.path, key: randomBytes(32).toString("base64") },
  };
}

/** All hosts send their requests at once, so much later; every one is answered, and one of them has refreshed. */
async function expectOneRefresh(each: number, laterMs: number): Promise<Round[]> {
  as.log.clear();
  mcp.log.clear();
  const rounds = await Promise.all(hosts.map((host) => host.requests(each, laterMs)));
  expect(total(rounds, "outcomes")).toEqual({ 200: each * hosts.length });
  expect(as.log.find("POST", "/token").map(({ status, body }) => [status, /grant_type=(\w+)/.exec(body)?.[1]])).toEqual(
    [[200, "refresh_token"]],
  );
  return rounds;
}

/** The tokens have expired by their times: nobody even sends the old one. */
async function expectOneRefreshAtExpiry(each: number, laterMs: number): Promise<void> {
  const events = total(await expectOneRefresh(each, laterMs), "events");
  expect(mcp.log.requests.map(({ status }) => status)).toEqual(Array.from({ length: each * hosts.length }, () => 200));
  expect(events).toMatchObject({ token_refreshed: 1 });
  expect(events).not.toHaveProperty("sign_in_required");
  expect(events).not.toHaveProperty("sign_in_started");
}

describe("over encrypted files", () => {
  it("8 processes with 50 requests each meet an expired token: one refresh, 400 answers, no sign-in; 20 times [REF-5]", {
    timeout: 120_000,
  }, async () => {
    const settings = settingsOf();
    hosts = await Promise.all(Array.from({ length: 8 }, () => inProcess(program.path, settings)));
    await hosts[0]?.signIn();
    // The others have met the store before, too.
    await Promise.all(hosts.map((host) => host.requests(1, 0)));
    for (let round = 1; round <= 20; round++) await expectOneRefreshAtExpiry(50, round * 2 * HOUR);
  });

  it("8 processes that never had the token in memory meet an expired one: one refresh [REF-5]", async () => {
    const settings = settingsOf();
    const first = await inProcess(program.path, settings);
    await first.signIn();
    await first.leave();
    hosts = await Promise.all(Array.from({ length: 8 }, () => inProcess(program.path, settings)));
    await expectOneRefreshAtExpiry(50, 2 * HOUR);
  });

  it("8 processes with 10 requests each meet a token that the server refuses: one refresh, and all are sent again [REF-5]", async () => {
    const settings = settingsOf();
    hosts = await Promise.all(Array.from({ length: 8 }, () => inProcess(program.path, settings)));
    await hosts[0]?.signIn();
    await Promise.all(hosts.map((host) => host.requests(1, 0)));
    for (let round = 1; round <= 5; round++) {
      mcp.invalidateAll();
      await expectOneRefresh(10, 0);
    }
  });

  it("4 worker threads with 2 token managers each: one refresh [REF-5]", async () => {
    const settings = { ...settingsOf(), managers: 2 };
    hosts = await Promise.all(Array.from({ length: 4 }, () => inThread(program.path, settings)));
    await hosts[0]?.signIn();
    for (let round = 1; round <= 5; round++) await expectOneRefreshAtExpiry(20, round * 2 * HOUR);
  });

  it("processes and threads together: one refresh [REF-5]", async () => {
    const settings = settingsOf();
    hosts = await Promise.all([
      ...[1, 2, 3].map(() => inProcess(program.path, settings)),
      ...[1, 2, 3].map(() => inThread(program.path, settings)),
    ]);
    await hosts[0]?.signIn();
    for (let round = 1; round <= 3; round++) await expectOneRefreshAtExpiry(20, round * 2 * HOUR);
  });

  it("the server does revoke everything when an old token is used: the tests above would notice", async () => {
    const settings = settingsOf();
    hosts = [await inProcess(program.path, settings)];
    await hosts[0]?.signIn();
    await expectOneRefreshAtExpiry(1, 2 * HOUR);
    const [refresh] = as.log.find("POST", "/token");
    const replayed = await fetch(`${as.issuer}/token`, { method: "POST", body: new URLSearchParams(refresh?.body) });
    expect(await replayed.json()).toMatchObject({ error: "invalid_grant" });
    as.log.clear();
    const round = await hosts[0]?.requests(1, 4 * HOUR).catch(String);
    expect(round).toContain("opened");
    expect(as.log.find("POST", "/token").map(({ status }) => status)).toEqual([400]);
  });
});

describe.runIf(requires("secret-service"))("over the keychain", () => {
  it("8 processes with 50 requests each meet an expired token: one refresh, 400 answers, no sign-in [REF-5]", async () => {
    const service = await startSecretService();
    try {
      const settings = settingsOf({ directory: folder.path, service: "one refresh" });
      const environment = { PATH: process.env.PATH, HOME: folder.path, ...service.env };
      hosts = await Promise.all(Array.from({ length: 8 }, () => inProcess(program.path, settings, environment)));
      await hosts[0]?.signIn();
      await Promise.all(hosts.map((host) => host.requests(1, 0)));
      for (let round = 1; round <= 5; round++) await expectOneRefreshAtExpiry(50, round * 2 * HOUR);
    } finally {
      for (const host of hosts) host.end();
      await service.stop();
    }
  });
});
