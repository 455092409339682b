import type { HostsOutcome } from "./hosts.ts";
import type { Measure } from "./measure.ts";

/** All that is known at the end of a run. */
export interface Soaked extends HostsOutcome {
  readonly minutes: number;
  readonly sessions: number;
  readonly faults: Readonly<Record<string, number>>;
  readonly restarts: number;
  readonly refreshes: number;
  readonly repeats: number;
  readonly needlessRepeats: number;
  readonly refusals: number;
  readonly lost: readonly string[];
  readonly before: FileCount;
  readonly after: FileCount;
}

interface FileCount {
  readonly files: number;
  readonly damaged: number;
}

/** Something that must hold. */
export interface Bound {
  readonly what: string;
  readonly is: string;
  readonly holds: boolean;
}

/** What requests may end with while servers fail: their own answers, and errors that pass. */
const EXPECTED = new Set([
  ...["200", "token", "429", "500", "502", "503"],
  ...["TypeError", "TimeoutError", "AbortError", "aborted", "refresh_failed"],
]);
/** What says that a session is gone. */
const LOSSES = new Set(["sign_in_required", "interaction_required", "sign_in_started", "session_ended"]);
const MOST_HEAP_GROWTH = 3 * 1024 * 1024;
/** Its record, and the last generations of its lock and of the lock of its client. */
const MOST_FILES_A_SESSION = 26;

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
const written = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .sort(([, left], [, right]) => right - left)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ") || "none";

function chosen(counts: Readonly<Record<string, number>>, isChosen: (name: string) => boolean): Record<string, number> {
  return Object.fromEntries(Object.entries(counts).filter(([name]) => isChosen(name)));
}

function heapBound([, warm, end]: readonly Measure[], index: number): Bound {
  const growth = (end?.heap ?? Number.POSITIVE_INFINITY) - (warm?.heap ?? 0);
  return {
    what: `host ${index + 1}: heap after a collection grows by less than ${mebibytes(MOST_HEAP_GROWTH)}`,
    is: `${mebibytes(warm?.heap ?? 0)} -> ${mebibytes(end?.heap ?? 0)} (rss ${mebibytes(end?.rss ?? 0)})`,
    holds: growth < MOST_HEAP_GROWTH,
  };
}

/** Beside what was there before anything was done, a closed host holds nothing. */
function handleBound(measures: readonly Measure[], index: number): Bound {
  const [start, , , closed] = measures;
  const more = Object.entries(closed?.resources ?? { nothing: 1 }).filter(
    ([kind, count]) => count > (start?.resources[kind] ?? 0),
  );
  return {
    what: `host ${index + 1}: closed, no more handles or descriptors than at its start`,
    is: `${written(Object.fromEntries(more))}; ${start?.descriptors} -> ${closed?.descriptors}`,
    holds: more.length === 0 && (closed?.descriptors ?? 0) <= (start?.descriptors ?? 0),
  };
}

/** Everything that a run must keep to. */
export function boundsOf(soaked: Soaked): Bound[] {
  const { outcomes, events, troubles, lost, faults, refreshes, minutes, measures, before, after, refusals } = soaked;
  const losses = { ...chosen(outcomes, (name) => LOSSES.has(name)), ...chosen(events, (name) => LOSSES.has(name)) };
  const unexpected = chosen(outcomes, (name) => !EXPECTED.has(name));
  const missing = Object.keys(faults).filter((name) => faults[name] === 0);
  return [
    { what: "no session is lost", is: lost.join("; ") || "none", holds: lost.length === 0 },
    { what: "nobody is told of a lost session", is: written(losses), holds: Object.keys(losses).length === 0 },
    { what: "no refresh token is used that is too old", is: String(refusals), holds: refusals === 0 },
    {
      // Each may cut short what a host was about to take in.
      what: "what a host got it has kept: no more refreshes come again after a whole answer than kills and restarts",
      is: `${soaked.needlessRepeats} of ${soaked.kills + soaked.restarts}`,
      holds: soaked.needlessRepeats <= soaked.kills + soaked.restarts,
    },
    {
      what: "requests end in no other way than expected",
      is: written(unexpected),
      holds: Object.keys(unexpected).length === 0,
    },
    {
      what: "no rejection, exception or warning goes unhandled",
      is: troubles.join("\n") || "none",
      holds: troubles.length === 0,
    },
    { what: "no record was damaged", is: String(after.damaged), holds: after.damaged === 0 },
    {
      what: `the store's folder has no more than ${MOST_FILES_A_SESSION} files a session`,
      is: `${before.files} -> ${after.files} files`,
      holds: after.files <= soaked.sessions * MOST_FILES_A_SESSION,
    },
    ...measures.map(heapBound),
    ...measures.map(handleBound),
    {
      what: "every fault came",
      is: missing.length === 0 ? "yes" : `not: ${missing.join(", ")}`,
      holds: missing.length === 0,
    },
    { what: "at least 100 refreshes a minute", is: String(refreshes), holds: refreshes >= 100 * minutes },
  ];
}

/** The run in numbers. */
export function tableOf(soaked: Soaked, bounds: readonly Bound[]): string {
  const rows: [string, string | number][] = [
    ["sessions", soaked.sessions],
    ["requests", Object.values(soaked.outcomes).reduce((sum, count) => sum + count, 0)],
    ["  ended with", written(soaked.outcomes)],
    ["refreshes", soaked.refreshes],
    ["  once more after a lost answer", soaked.repeats],
    ["  once more after a whole answer", soaked.needlessRepeats],
    ["faults", Object.values(soaked.faults).reduce((sum, count) => sum + count, 0)],
    ["  of them", written(soaked.faults)],
    ["restarts of servers", soaked.restarts],
    ["processes killed", soaked.kills],
    ["events", written(soaked.events)],
  ];
  const numbers = rows.map(([name, value]) => `${name.padEnd(36)} ${value}`);
  const checks = bounds.map(({ what, is, holds }) => `${holds ? "ok    " : "BROKEN"} ${what}: ${is}`);
  return ["", ...numbers, "", ...checks].join("\n");
}
