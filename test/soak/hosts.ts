import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import type { Measure } from "./measure.ts";
import type { WorkerOrder, WorkerReport, WorkerSettings } from "./worker.ts";

/** What several hosts have met. */
export interface HostsOutcome {
  readonly outcomes: Readonly<Record<string, number>>;
  readonly events: Readonly<Record<string, number>>;
  /** Rejections and exceptions that nobody handled, warnings, and processes that did not end as they should. */
  readonly troubles: readonly string[];
  readonly kills: number;
  /** Of each host that was not killed: at its start, warm, at the end of its work, after it has closed. */
  readonly measures: readonly (readonly Measure[])[];
}

/** A closed host has nothing left to wait for. */
const ENDS_WITHIN_MS = 15_000;

interface Host {
  readonly child: ChildProcess;
  readonly measures: Measure[];
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/** Three hosts that live as long as the run, and one that is killed and replaced. */
export class Hosts {
  readonly #outcomes: Record<string, number> = {};
  readonly #events: Record<string, number> = {};
  readonly #troubles: string[] = [];
  readonly #steady: Host[];
  readonly #startMortal: () => Promise<Host>;
  #mortal: Host;
  #kills = 0;

  private constructor(steady: Host[], mortal: Host, startMortal: () => Promise<Host>) {
    this.#steady = steady;
    this.#mortal = mortal;
    this.#startMortal = startMortal;
    // Before the folder goes in which they write.
    process.prependOnceListener("exit", () => {
      for (const { child } of [...this.#steady, this.#mortal]) child.kill("SIGKILL");
    });
  }

  static async start(program: string, settingsOf: (index: number) => WorkerSettings): Promise<Hosts> {
    let count = 0;
    const reports: ((report: WorkerReport) => void)[] = [];
    const start = (): Promise<Host> =>
      startHost(program, settingsOf(count++), (report) => {
        for (const take of reports) take(report);
      });
    const [mortal, ...steady] = await Promise.all([start(), start(), start(), start()]);
    const hosts = new Hosts(steady, mortal, start);
    reports.push((report) => hosts.#take(report));
    return hosts;
  }

  get outcome(): HostsOutcome {
    return {
      outcomes: this.#outcomes,
      events: this.#events,
      troubles: this.#troubles,
      kills: this.#kills,
      measures: this.#steady.map(({ measures }) => measures),
    };
  }

  /** Kills one without a warning, in whatever it does, and starts another in its place. */
  async killOne(): Promise<void> {
    this.#mortal.child.kill("SIGKILL");
    await this.#mortal.ended;
    this.#kills += 1;
    this.#mortal = await this.#startMortal();
  }

  /** Has every steady host stand still and say what it holds. */
  async measure(): Promise<void> {
    await Promise.all(this.#steady.map((host) => order(host, "measure")));
  }

  /** Lets all hosts close, and waits until they have ended by themselves. */
  async leave(): Promise<void> {
    await Promise.all(
      [...this.#steady, this.#mortal].map(async (host) => {
        await order(host, "leave");
        const late = setTimeout(() => {
          this.#troubles.push("a host that was closed did not end");
          host.child.kill("SIGKILL");
        }, ENDS_WITHIN_MS);
        const how = await host.ended;
        clearTimeout(late);
        if (how !== 0) this.#troubles.push(`a host ended with ${how}`);
      }),
    );
  }

  #take(report: WorkerReport): void {
    if ("trouble" in report) this.#troubles.push(report.trouble);
    if (!("outcomes" in report)) return;
    add(this.#outcomes, report.outcomes);
    add(this.#events, report.events);
  }
}

function add(sum: Record<string, number>, counts: Record<string, number>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
}

/** Tells a host what to do, and waits for the measure with which it answers. */
async function order(host: Host, what: WorkerOrder): Promise<void> {
  const before = host.measures.length;
  host.child.send(what);
  await nextMeasure(host, before);
}

/** Waits until a host has sent more measures than before, or has ended. */
async function nextMeasure({ child, measures, ended }: Host, before: number): Promise<void> {
  const measured = async (): Promise<void> => {
    while (measures.length === before) await once(child, "message");
  };
  await Promise.race([measured(), ended]);
}

async function startHost(
  program: string,
  settings: WorkerSettings,
  onReport: (report: WorkerReport) => void,
): Promise<Host> {
  const child = fork(program, [JSON.stringify(settings)], { execArgv: ["--expose-gc", "--enable-source-maps"] });
  const measures: Measure[] = [];
  const ended = once(child, "exit").then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals | null);
  child.on("message", (report: WorkerReport) => {
    if ("measured" in report) measures.push(report.measured);
    onReport(report);
  });
  const host = { child, measures, ended };
  await nextMeasure(host, 0);
  if (measures.length === 0) throw new Error("a host ended before it began");
  return host;
}
