// The demo from its arguments to its exit code.
import { introduce } from "./introduction.ts";
import { Report } from "./report.ts";
import { openStage, type Stage } from "./stage.ts";
import { play } from "./story.ts";

const USAGE = `npm run demo               signs in for you: the demo plays the person and the browser
npm run demo -- --browser  opens your browser: you sign in, with any name and any password`;

/** @returns the exit code: 0 only if every step worked. */
export async function main(args: readonly string[], interrupted: AbortSignal): Promise<number> {
  const unknown = args.filter((argument) => argument !== "--browser");
  if (unknown.length > 0) {
    console.log(USAGE);
    return unknown.every((argument) => argument === "--help") ? 0 : 1;
  }
  const report = new Report(process.stdout);
  const isInterrupted = new Promise<never>((_resolve, reject) => {
    const stop = (): void => reject(new Interruption());
    interrupted.addEventListener("abort", stop, { once: true });
    if (interrupted.aborted) stop();
  });
  isInterrupted.catch(() => undefined);

  let stage: Stage | undefined;
  try {
    if (interrupted.aborted) throw new Interruption();
    stage = await openStage(report, args.includes("--browser") ? "real" : "played");
    introduce(report, stage);
    await Promise.race([isInterrupted, play(stage)]);
  } catch (error) {
    if (!(error instanceof Interruption)) report.fail(error);
  }
  // Also after a failure: the demo leaves nothing behind.
  await stage?.close().catch((error: unknown) => report.fail(error));
  if (interrupted.aborted) {
    report.interrupted();
    return (interrupted.reason as { exitCode: number }).exitCode;
  }
  report.conclude(stage?.journal.totals);
  return report.hasFailed ? 1 : 0;
}

class Interruption extends Error {}
