import type { Bench, BenchOptions, BenchResult, Measure } from "../bench.ts";
import { start } from "../processes.ts";
import type { StoreReport } from "../programs/store.ts";
import { Scene } from "../scene.ts";
import { summarize } from "../statistics.ts";
import { withKeychain } from "../surroundings.ts";

const KINDS = { keychain: "ours-keychain", "encrypted file": "ours" } as const;

async function run({ programs, rounds, tell }: BenchOptions): Promise<BenchResult> {
  return withKeychain(async (keychain) => {
    const scene = await Scene.open(programs, {}, keychain?.environment);
    try {
      const reports: [string, StoreReport | undefined][] = [];
      for (const [title, peer] of Object.entries(KINDS)) {
        tell(title);
        if (title === "keychain" && keychain === undefined) {
          reports.push([title, undefined]);
          continue;
        }
        const state = await scene.signedIn(peer);
        const given = [JSON.stringify({ peer, state, server: scene.servers[0], rounds })];
        const program = start(programs, "store", {
          given,
          ...(keychain !== undefined && { environment: keychain.environment }),
        });
        reports.push([title, await program.told((message) => message.report as StoreReport | undefined)]);
        await program.end();
      }
      const line = (what: string, pick: (report: StoreReport) => readonly number[]): Measure => ({
        bench: "store",
        what,
        unit: "ms",
        values: Object.fromEntries(
          reports.map(([title, report]) => [
            title,
            report === undefined ? { cannot: "no keychain here" } : summarize(pick(report)),
          ]),
        ),
      });
      const reads = Object.fromEntries(
        reports.map(([title, report]) => [
          title,
          report === undefined ? { cannot: "no keychain here" } : summarize([report.readsAtStart]),
        ]),
      );
      return {
        measures: [
          line("a read", ({ readMs }) => readMs),
          line("a write, lock included", ({ writeMs }) => writeMs),
          line("100 credentials written", ({ writeHundredMs }) => [writeHundredMs]),
          line("100 credentials read", ({ readHundredMs }) => [readHundredMs]),
          {
            bench: "store",
            what: "reads of a warm start",
            unit: "",
            values: reads,
            target: {
              must: "1",
              reached: reports.every(([, report]) => report === undefined || report.readsAtStart === 1),
            },
          },
        ],
      };
    } finally {
      await scene.close();
    }
  });
}

export const store: Bench = {
  name: "store",
  about:
    "What the stores take for a session as a sign-in has written it: the keychain is gnome-keyring on a D-Bus of its own.",
  run,
};
