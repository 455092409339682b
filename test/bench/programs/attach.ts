// One host application with several contestants in it, which make their calls by turns.
import { type PeerName, peers } from "../peers/index.ts";
import type { Connection } from "../peers/peer.ts";
import { byTurns } from "../statistics.ts";

/** So many calls, one after the other. */
export interface Batch {
  readonly ms: number;
  /** Of this process, all threads. */
  readonly cpuMs: number;
}

export interface AttachSettings {
  readonly server: string;
  /** The contestants, and where each has stored its session. */
  readonly states: Readonly<Record<string, string>>;
  readonly warmUpCalls: number;
  readonly batches: number;
  readonly callsPerBatch: number;
}

const settings = JSON.parse(process.argv[2] ?? "") as AttachSettings;
const contestants = Object.keys(settings.states) as PeerName[];
const connections = new Map<PeerName, Connection>();

async function batch(contestant: PeerName, calls: number): Promise<Batch> {
  const connection = connections.get(contestant);
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  for (let id = 0; id < calls; id += 1) {
    const text = `call ${id}`;
    if ((await connection?.call(text)) !== text) throw new Error("a wrong answer");
  }
  const { user, system } = process.cpuUsage(cpu);
  return { ms: performance.now() - startedAt, cpuMs: (user + system) / 1000 };
}

for (const contestant of contestants) {
  const { create } = await peers[contestant].load();
  const peer = await create({
    state: settings.states[contestant] ?? "",
    openBrowser: () => {
      throw new Error("nobody is to sign in");
    },
  });
  connections.set(contestant, await peer.connect(settings.server));
}
const turns = settings.warmUpCalls / settings.callsPerBatch;
await byTurns(turns, contestants, (contestant) => batch(contestant, settings.callsPerBatch));
const report = await byTurns(settings.batches, contestants, (contestant) => batch(contestant, settings.callsPerBatch));
process.send?.({ report });
