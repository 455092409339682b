// A process that refreshes a session, and is killed at a step of that.
import type { SessionKey } from "../../../../src/tokens/credential.ts";
import type { RefreshStep } from "../../../../src/tokens/refresh-transaction.ts";
import { type CoordinatorSettings, openCoordinator } from "./coordinator.ts";

export interface RefreshSettings extends CoordinatorSettings {
  readonly session: SessionKey;
  /** Absent where somebody else kills it. */
  readonly dieAt?: RefreshStep;
}

const { session, dieAt, ...settings } = JSON.parse(process.argv[2] ?? "") as RefreshSettings;
const coordinator = openCoordinator({
  ...settings,
  onRefreshStep: (step) => {
    // The kernel ends us within this call: nothing of ours runs after it.
    if (step === dieAt) process.kill(process.pid, "SIGKILL");
  },
});
await coordinator.credential(session);
process.disconnect();
