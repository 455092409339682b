import type { Clock } from "../../core/clock.ts";
import { KeychainFailure } from "./failure.ts";

/** Desktop sessions can ask a person to unlock the keychain, who needs time to type. */
const DEADLINE_WITH_PROMPT_MS = 30_000;
const DEADLINE_MS = 5000;

/** How long one keychain operation may take when the caller does not say, in milliseconds. */
export function defaultDeadlineMs(
  environment: Readonly<Record<string, string | undefined>> = process.env,
  platform: NodeJS.Platform = process.platform,
): number {
  const isRemote = Boolean(environment.SSH_CONNECTION || environment.SSH_TTY);
  const hasDisplay = Boolean(environment.DISPLAY || environment.WAYLAND_DISPLAY);
  const canPrompt = platform === "darwin" ? !isRemote : hasDisplay;
  return canPrompt ? DEADLINE_WITH_PROMPT_MS : DEADLINE_MS;
}

/** Rejects with a `stuck` {@link KeychainFailure} when `work` is not done in time. The work itself goes on. */
export function withDeadline<Value>(work: Promise<Value>, clock: Clock, deadlineMs: number): Promise<Value> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(() => reject(new KeychainFailure("stuck")), deadlineMs);
    work.then(resolve, reject).finally(cancel);
  });
}

/** Runs one piece of work after the other. When one is stuck, those that wait behind it fail the same way at once. */
export class OneAtATime {
  #last: Promise<unknown> = Promise.resolve();
  // Waiting work belongs to a round; a stuck call ends the round.
  #round = 0;

  run<Value>(work: () => Promise<Value>): Promise<Value> {
    const round = this.#round;
    const result = this.#last.then(async () => {
      if (round !== this.#round) throw new KeychainFailure("stuck");
      try {
        return await work();
      } catch (error) {
        if (error instanceof KeychainFailure && error.problem === "stuck") this.#round += 1;
        throw error;
      }
    });
    this.#last = result.catch(() => undefined);
    return result;
  }
}
