// kill -9 at every step of a refresh.
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import type { ServerResponse } from "node:http";
import { join } from "node:path";
import { encryptedFileStore } from "mcp-oauth-client/encrypted-file";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { TokenManager } from "../../../src/token-manager.ts";
import type { SessionKey } from "../../../src/tokens/credential.ts";
import type { RefreshStep } from "../../../src/tokens/refresh-transaction.ts";
import { type RunningAuthorizationServer, startAuthorizationServer } from "../../servers/authorization-server.ts";
import { startBetterAuthServer } from "../../servers/better-auth-server.ts";
import { type RunningProtectedMcpServer, startProtectedMcpServer } from "../../servers/protected-mcp-server.ts";
import { UserAgent } from "../../servers/user-agent.ts";
import { bundleProgram, type RunningProgram, run, temporaryFolder } from "../../unit/stores/support/child.ts";
import { openCoordinator } from "./support/coordinator.ts";
import type { RefreshSettings } from "./support/refresh-program.ts";

const HOUR = 3_600_000;
const STEPS: readonly RefreshStep[] = ["locked", "read", "journaled", "answered", "persisted", "released"];
const TIMES = 20;

let program: Awaited<ReturnType<typeof bundleProgram>>;
const closings: (() => unknown)[] = [];

beforeAll(async () => {
  program = await bundleProgram(new URL("./support/refresh-program.ts", import.meta.url));
});
afterAll(() => program.remove());
afterEach(async () => {
  for (const close of closings.splice(0).reverse()) await close();
});

/** What the next process met after a process was killed. */
interface Aftermath {
  /** The access token that it got; `undefined` when the session was lost. */
  readonly accessToken: string | undefined;
  readonly tookMs: number;
}

/** One session in a folder of its own, on which process after process dies. */
interface Lane {
  signIn(): Promise<void>;
  /** Starts a process that refreshes at a time at which the token has expired. */
  start(dieAt?: RefreshStep): RunningProgram;
  /** What the next process meets. */
  goOn(): Promise<Aftermath>;
}

async function openLane(server: URL): Promise<Lane> {
  const folder = await temporaryFolder();
  closings.push(() => folder.remove());
  const key = randomBytes(32).toString("base64");
  const directory = folder.path;
  const session: SessionKey = { server: server.href, account: "default" };
  let laterMs = 0;
  return {
    async signIn() {
      laterMs = 0;
      const tokens = new TokenManager({
        clientName: "Test",
        store: encryptedFileStore({ directory, key }),
        openBrowser: (url) => void new UserAgent().open(url),
      });
      await tokens.signIn(server);
      await tokens.close();
    },
    start(dieAt) {
      laterMs += 2 * HOUR;
      const settings: RefreshSettings = { directory, key, laterMs, session, ...(dieAt !== undefined && { dieAt }) };
      return run(program.path, [JSON.stringify(settings)]);
    },
    async goOn() {
      const coordinator = openCoordinator({ directory, key, laterMs });
      const startedAt = performance.now();
      const credential = await coordinator.credential(session).catch((error: { code: string }) => {
        if (error.code !== "sign_in_required") throw error;
      });
      const tookMs = performance.now() - startedAt;
      await coordinator.close();
      // The whole store can be read, and nothing had to be put aside.
      expect(await encryptedFileStore({ directory, key }).keys()).toContain(`session/default/${server.href}`);
      expect((await readdir(join(directory, "records"))).filter((name) => name.includes("damaged"))).toEqual([]);
      return { accessToken: credential?.accessToken.reveal(), tookMs };
    },
  };
}

/** Kills a process at a step, and says what the next one met. */
async function killAt(lane: Lane, step: RefreshStep): Promise<Aftermath> {
  expect(await lane.start(step).ended).toBe("SIGKILL");
  const aftermath = await lane.goOn();
  expect(aftermath.tookMs).toBeLessThan(5000);
  return aftermath;
}

/** Lets the server do its work, and kills the client when the answer is about to leave. */
function killBeforeEnd(response: ServerResponse, kill: () => Promise<void>, next: () => void): void {
  const end = response.end.bind(response) as (...args: unknown[]) => void;
  response.end = ((...args: unknown[]) => {
    void kill().then(() => end(...args));
    return response;
  }) as typeof response.end;
  next();
}

/** Does something so often, two at a time, each in a lane of its own. */
async function inTwoLanes(server: URL, times: number, work: (lane: Lane) => Promise<void>): Promise<void> {
  let left = times;
  const drive = async (): Promise<void> => {
    const lane = await openLane(server);
    await lane.signIn();
    for (; left > 0; ) {
      left -= 1;
      await work(lane);
    }
  };
  await Promise.all([drive(), drive()]);
}

describe("at a server that takes a used refresh token for theft", () => {
  let as: RunningAuthorizationServer;
  let mcp: RunningProtectedMcpServer;

  beforeAll(async () => {
    as = await startAuthorizationServer({ refreshTokens: "rotate" });
    mcp = await startProtectedMcpServer({
      sdk: "v1",
      verifyAccessToken: as.verifyAccessToken,
      authorizationServers: [as.issuer],
    });
  });
  afterAll(async () => {
    await mcp.close();
    await as.close();
  });

  const isLive = async (accessToken: string | undefined): Promise<boolean> =>
    accessToken !== undefined && (await as.verifyAccessToken(accessToken, mcp.resource)) !== undefined;

  it.each(STEPS.filter((step) => step !== "answered"))(
    `a process killed ${TIMES} times when it has "%s" loses nothing, and the next goes on within five seconds`,
    { timeout: 120_000 },
    async (step) => {
      let kills = 0;
      await inTwoLanes(mcp.url, TIMES, async (lane) => {
        const { accessToken } = await killAt(lane, step);
        expect(await isLive(accessToken)).toBe(true);
        kills += 1;
      });
      expect(kills).toBe(TIMES);
    },
  );

  it("the one window in which a session is lost: the server has answered, and the answer is not written yet", {
    timeout: 120_000,
  }, async () => {
    const outcomes: string[] = [];
    await inTwoLanes(mcp.url, TIMES, async (lane) => {
      const { accessToken } = await killAt(lane, "answered");
      outcomes.push(accessToken === undefined ? "lost" : "kept");
      if (accessToken === undefined) await lane.signIn();
    });
    expect(outcomes).toEqual(Array.from({ length: TIMES }, () => "lost"));
  });

  it("the same window from without: killed while the request is under way, it depends on whether the server got it", {
    timeout: 120_000,
  }, async () => {
    const outcomes: Record<string, string[]> = { "never processed": [], processed: [] };
    const lane = await openLane(mcp.url);
    await lane.signIn();
    for (let round = 0; round < 5; round++) {
      for (const fate of ["never processed", "processed"] as const) {
        let victim: RunningProgram | undefined;
        const fault = as.respond(
          "POST /token",
          async (request, response, next) => {
            const kill = async (): Promise<void> => {
              victim?.child.kill("SIGKILL");
              await victim?.ended;
            };
            if (fate === "processed") return killBeforeEnd(response, kill, next);
            await kill();
            request.socket.destroy();
          },
          { times: 1 },
        );
        onTestFinished(() => fault.remove());
        victim = lane.start();
        expect(await victim.ended).toBe("SIGKILL");
        const { accessToken, tookMs } = await lane.goOn();
        expect(tookMs).toBeLessThan(5000);
        outcomes[fate]?.push((await isLive(accessToken)) ? "kept" : "lost");
        if (accessToken === undefined) await lane.signIn();
      }
    }
    expect(new Set(outcomes["never processed"])).toEqual(new Set(["kept"]));
    expect(new Set(outcomes.processed)).toEqual(new Set(["lost"]));
  });
});

it("at a server that answers a used refresh token once more, no session is lost at all, whatever the step", {
  timeout: 120_000,
}, async () => {
  const server = await startBetterAuthServer({ refreshTokenReuseSeconds: 30 });
  closings.push(() => server.close());
  const steps = [...Array.from({ length: TIMES }, (): RefreshStep => "answered"), ...STEPS];
  const total = steps.length;
  const refreshes = (): number => server.log.find("POST").filter(({ body }) => body.includes("refresh_token")).length;
  let kept = 0;
  await inTwoLanes(server.url, total, async (lane) => {
    const step = steps.shift() ?? expect.fail();
    const { accessToken } = await killAt(lane, step);
    expect(accessToken).toBeDefined();
    kept += 1;
  });
  expect([kept, steps.length]).toEqual([total, 0]);
  expect(refreshes()).toBeGreaterThan(kept);
});
