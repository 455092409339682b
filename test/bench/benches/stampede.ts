import type { Bench, BenchOptions, BenchResult, Measure } from "../bench.ts";
import { measureOf, type Samples } from "../contestants.ts";
import type { PeerName } from "../peers/index.ts";
import { isNotificationStream } from "../round-trips.ts";
import { Scene } from "../scene.ts";
import { byTurns, summarize } from "../statistics.ts";

const CONTESTANTS = ["ours", "sdk-v1", "sdk-v2", "mcp-remote"] as const satisfies readonly PeerName[];
const SIZES = [10, 100, 1000];
const DELAY_MS = 50;
const TOKEN_SECONDS = 3;
/** What happens is the same each time; only how long it takes is not. */
const ROUNDS = 3;

/** What came of one stampede. */
export interface Stampede {
  readonly refreshes: number;
  readonly answered: number;
  readonly requests: number;
  /** How often the person was asked to sign in again. */
  readonly tabs: number;
  readonly ms: number;
  readonly failures: Readonly<Record<string, number>>;
}

async function stampedeOnce(scene: Scene, peer: PeerName, size: number): Promise<Stampede> {
  await scene.set({ delayMs: 0, accessTokenSeconds: TOKEN_SECONDS });
  const host = await scene.host({ peer, ...(peer === "mcp-remote" && { state: await scene.newState() }) });
  const { endedAt } = await host.ask("connect", scene.servers[0]);
  await scene.requests();
  await scene.set({ delayMs: DELAY_MS, accessTokenSeconds: 3600 });
  await scene.clear();
  const tabsBefore = host.opened.length;
  const calls = await host.ask("callsAfterSleep", size, endedAt + TOKEN_SECONDS * 1000 + 100);
  const requests = (await scene.requests()).filter((request) => !isNotificationStream(request));
  await host.leave();
  return {
    refreshes: requests.filter(({ grant }) => grant === "refresh_token").length,
    answered: calls.answered,
    requests: requests.length,
    tabs: host.opened.length - tabsBefore,
    ms: calls.endedAt - calls.startedAt,
    failures: calls.failures,
  };
}

function linesOf(size: number, outcomes: Readonly<Record<string, readonly Stampede[]>>): Measure[] {
  const of = (pick: (outcome: Stampede) => number): Samples =>
    Object.fromEntries(Object.entries(outcomes).map(([peer, own]) => [peer, own.map(pick)]));
  const always = (samples: Samples, value: number): boolean => (samples.ours ?? []).every((own) => own === value);
  const line = (what: string, must: number, pick: (outcome: Stampede) => number): Measure => {
    const samples = of(pick);
    return measureOf("stampede", `${what} at ${size} calls`, "", samples, {
      target: { must: String(must), reached: always(samples, must) },
    });
  };
  return [
    line("refreshes", 1, ({ refreshes }) => refreshes),
    line("answered", size, ({ answered }) => answered),
    line("requests", size + 1, ({ requests }) => requests),
    line("sign-ins asked for", 0, ({ tabs }) => tabs),
    measureOf(
      "stampede",
      `time at ${size} calls`,
      "ms",
      of(({ ms }) => ms),
    ),
  ];
}

/** The failures of one contestant, most frequent first. */
function failuresOf(outcomes: readonly Stampede[]): string | undefined {
  const counts = new Map<string, number>();
  for (const { failures } of outcomes) {
    for (const [words, count] of Object.entries(failures)) counts.set(words, (counts.get(words) ?? 0) + count);
  }
  const [most] = [...counts].sort((left, right) => right[1] - left[1]);
  return most?.[0];
}

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  const scene = await Scene.open(programs);
  const measures: Measure[] = [];
  const notes: string[] = [];
  const data: Record<string, Record<string, { refreshes: number; answered: number; tabs: number }>> = {};
  try {
    for (const size of SIZES) {
      const outcomes = await byTurns(Math.min(rounds, ROUNDS), CONTESTANTS, (peer, round) => {
        tell(`${size} calls, round ${round + 1}, ${peer}`);
        return stampedeOnce(scene, peer, size);
      });
      measures.push(...linesOf(size, outcomes));
      data[size] = Object.fromEntries(
        CONTESTANTS.map((peer) => {
          const median = (pick: (outcome: Stampede) => number): number => summarize(outcomes[peer].map(pick)).median;
          return [
            peer,
            {
              refreshes: median(({ refreshes }) => refreshes),
              answered: median(({ answered }) => answered),
              tabs: median(({ tabs }) => tabs),
            },
          ];
        }),
      );
      for (const peer of CONTESTANTS) {
        const words = failuresOf(outcomes[peer]);
        if (words !== undefined) notes.push(`${size} calls, ${peer}: most calls that failed said: ${words}`);
      }
    }
    return { measures, notes, data };
  } finally {
    await scene.close();
  }
}

export const stampede: Bench = {
  name: "stampede",
  about: `A connected client sleeps past its token's end and makes many calls at once; refresh tokens rotate, and the use of an old one ends the session. ${DELAY_MS} ms for each request.`,
  run,
};
