// A host application with one contestant in it, in a process of its own: what is measured is this process and no other.
import { type PeerName, peers } from "../peers/index.ts";
import type { Connection } from "../peers/peer.ts";
import { answer } from "./answering.ts";

export interface HostSettings {
  readonly peer: PeerName;
  readonly state?: string;
  /** Connects to this server and calls one tool as soon as the program is there. */
  readonly start?: string;
}

/** When something happened, in milliseconds since the epoch with fractions, on the clock of all programs. */
export interface Span {
  readonly startedAt: number;
  readonly endedAt: number;
}

/** What came of many calls at once. */
export interface Calls extends Span {
  readonly answered: number;
  /** How many failed, by the first words of their errors. */
  readonly failures: Readonly<Record<string, number>>;
}

const now = (): number => performance.timeOrigin + performance.now();
const settings = JSON.parse(process.argv[2] ?? "") as HostSettings;
const { create } = await peers[settings.peer].load();
const peer = await create({
  openBrowser: (url) => process.send?.({ opened: url.href }),
  ...(settings.state !== undefined && { state: settings.state }),
});
let connection: Connection | undefined;

async function call(id: number): Promise<void> {
  const text = `call ${id}`;
  if ((await connection?.call(text)) !== text) throw new Error("a wrong answer");
}

/** As a laptop that sleeps: nothing in this process goes on meanwhile. */
function sleepUntil(at: number): void {
  const pause = Math.max(at - now(), 0);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause);
}

const methods = {
  async connect(server: string): Promise<Span> {
    const startedAt = now();
    connection = await peer.connect(server);
    return { startedAt, endedAt: now() };
  },

  /** Sleeps until `wakeAt` and makes so many calls at once. */
  async callsAfterSleep(count: number, wakeAt: number): Promise<Calls> {
    sleepUntil(wakeAt);
    const startedAt = now();
    const failures: Record<string, number> = {};
    let answered = 0;
    const settle = async (id: number): Promise<void> => {
      try {
        await call(id);
        answered += 1;
      } catch (error) {
        const words = String(error instanceof Error ? error.message : error).slice(0, 80);
        failures[words] = (failures[words] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: count }, (_, id) => settle(id)));
    return { startedAt, endedAt: now(), answered, failures };
  },

  async leave(): Promise<void> {
    await peer.close();
    setImmediate(() => process.exit());
  },
};

if (settings.start !== undefined) {
  connection = await peer.connect(settings.start);
  await call(0);
  process.send?.({ started: { sinceStartMs: performance.now(), answeredAt: now() } });
}
answer(methods);
process.send?.({ ready: true });

export type HostMethods = typeof methods;
