// Starts host programs in processes and threads, and speaks with them.
import { Worker } from "node:worker_threads";
import { UserAgent } from "../../../servers/user-agent.ts";
import { type RunningProgram, run } from "../../../unit/stores/support/child.ts";
import type { HostOrder, HostReport, HostSettings } from "./host-program.ts";

/** What came of one round in one host. */
export type Round = Extract<HostReport, { outcomes: unknown }>;

export interface HostProgram {
  /** Signs in, with a person who says yes. */
  signIn(): Promise<void>;
  requests(count: number, laterMs: number): Promise<Round>;
  /** Lets it end by itself. */
  leave(): Promise<void>;
  /** Ends it in any case. */
  end(): void;
}

interface Channel {
  say(order: HostOrder): void;
  next(): Promise<HostReport>;
  readonly ended: Promise<unknown>;
  end(): void;
}

/** A host in a process. */
export function inProcess(path: string, settings: HostSettings, environment?: NodeJS.ProcessEnv): Promise<HostProgram> {
  const { child, message, ended }: RunningProgram = run(path, [JSON.stringify(settings)], environment);
  return ready({
    say: (order) => void child.send(order),
    next: () => message() as Promise<HostReport>,
    ended,
    end: () => void child.kill("SIGKILL"),
  });
}

/** A host in a worker thread. */
export function inThread(path: string, settings: HostSettings): Promise<HostProgram> {
  const worker = new Worker(path, { workerData: settings });
  const reports: HostReport[] = [];
  const waiters: ((report: HostReport) => void)[] = [];
  worker.on("message", (report: HostReport) => {
    const waiter = waiters.shift();
    if (waiter === undefined) reports.push(report);
    else waiter(report);
  });
  return ready({
    say: (order) => worker.postMessage(order),
    next: () => {
      const report = reports.shift();
      return report === undefined ? new Promise((resolve) => waiters.push(resolve)) : Promise.resolve(report);
    },
    ended: new Promise((resolve) => worker.once("exit", resolve)),
    end: () => void worker.terminate(),
  });
}

async function ready(channel: Channel): Promise<HostProgram> {
  await channel.next();
  return {
    async signIn() {
      channel.say({ signIn: true });
      for (let report = await channel.next(); !("signedIn" in report); report = await channel.next()) {
        if ("opened" in report) void new UserAgent().open(report.opened);
      }
    },
    async requests(requests, laterMs) {
      channel.say({ requests, laterMs });
      const report = await channel.next();
      if ("outcomes" in report) return report;
      throw new Error(`the host did not answer but said ${JSON.stringify(report)}`);
    },
    async leave() {
      channel.say({ leave: true });
      await channel.ended;
    },
    end: () => channel.end(),
  };
}

/** The sum of what several hosts counted. */
export function total(rounds: readonly Round[], what: "outcomes" | "events"): Record<string, number> {
  const sum: Record<string, number> = {};
  for (const round of rounds) {
    for (const [name, count] of Object.entries(round[what])) sum[name] = (sum[name] ?? 0) + count;
  }
  return sum;
}
