import type { Bench, BenchOptions, BenchResult, Measure } from "../bench.ts";
import { measureOf, type Samples } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import { isNotificationStream } from "../round-trips.ts";
import { Scene } from "../scene.ts";
import { byTurns } from "../statistics.ts";

const CONTESTANTS = ["ours", "sdk-v1", "sdk-v2"] as const satisfies readonly PeerName[];
const PROCESSES = 8;
const CALLS = 25;
const DELAY_MS = 50;
/** Long enough for all processes to connect and fall asleep before a refresh is due. */
const TOKEN_SECONDS = 10;
const ROUNDS = 2;

interface Outcome {
  readonly refreshes: number;
  readonly answered: number;
  readonly tabs: number;
}

async function wakeTogether(scene: Scene, peer: PeerName): Promise<Outcome> {
  const [server] = scene.servers;
  await scene.set({ delayMs: 0, accessTokenSeconds: TOKEN_SECONDS });
  const state = await scene.newState();
  const hosts = await Promise.all(Array.from({ length: PROCESSES }, () => scene.host({ peer, state })));
  const [first] = hosts;
  // The first signs in; the others find what it has stored.
  const signedIn = await first?.ask("connect", server);
  await Promise.all(hosts.slice(1).map((host) => host.ask("connect", server)));
  await scene.requests();
  await scene.set({ delayMs: DELAY_MS, accessTokenSeconds: 3600 });
  await scene.clear();
  const tabsBefore = hosts.reduce((sum, { opened }) => sum + opened.length, 0);
  const wakeAt = (signedIn?.endedAt ?? 0) + TOKEN_SECONDS * 1000 + 200;
  const rounds = await Promise.all(hosts.map((host) => host.ask("callsAfterSleep", CALLS, wakeAt)));
  const requests = (await scene.requests()).filter((request) => !isNotificationStream(request));
  const tabs = hosts.reduce((sum, { opened }) => sum + opened.length, 0) - tabsBefore;
  for (const host of hosts) await host.leave();
  return {
    refreshes: requests.filter(({ grant }) => grant === "refresh_token").length,
    answered: rounds.reduce((sum, { answered }) => sum + answered, 0),
    tabs,
  };
}

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs);
  try {
    const outcomes = await byTurns(Math.min(rounds, ROUNDS), CONTESTANTS, (peer, round) => {
      tell(`round ${round + 1}, ${peer}`);
      return wakeTogether(scene, peer);
    });
    const line = (what: string, must: number, pick: (outcome: Outcome) => number): Measure => {
      const samples: Samples = Object.fromEntries(CONTESTANTS.map((peer) => [peer, outcomes[peer].map(pick)]));
      const reached = outcomes.ours.every((outcome) => pick(outcome) === must);
      return measureOf("processes", what, "", samples, { target: { must: String(must), reached } });
    };
    return {
      measures: [
        line("refreshes", 1, ({ refreshes }) => refreshes),
        line(`answered of ${PROCESSES * CALLS}`, PROCESSES * CALLS, ({ answered }) => answered),
        line("sign-ins asked for", 0, ({ tabs }) => tabs),
      ],
    };
  } finally {
    await scene.close();
  }
}

export const processes: Bench = {
  name: "processes",
  about: `${PROCESSES} processes with one stored session (ours: an encrypted file; the SDKs' providers: a JSON file that they read anew each time) sleep past its token's end and make ${CALLS} calls each at once.`,
  run,
};
