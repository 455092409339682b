// The client under test: main.mjs WAY URL. When the scenario ended as it must, it says so and ends with 0.
import { findMcpOAuthError } from "mcp-oauth-client";
import { scenarios } from "../scenarios.mjs";
import { CLIENT_IS_CONTENT } from "../verdict.mjs";
import { ways } from "../ways.mjs";
import { breakClient } from "./broken.ts";
import { type Run, readRun, TOOL_ANSWER } from "./context.ts";
import { startHost } from "./host.ts";
import { ownWays, peers } from "./ways.ts";

const broken = breakClient(process.env.CONFORMANCE_BROKEN);

// The referee's own deadline ends only the shell that it started, so the client watches over itself.
const { deadlineMs = 20_000 } = broken;
setTimeout(() => {
  console.error(`not finished after ${deadlineMs} ms`);
  process.exit(124);
}, deadlineMs).unref();

async function answerOf(wayName: string, run: Run): Promise<unknown> {
  const usePeer = await peers[wayName]?.();
  if (usePeer !== undefined) return usePeer(run);
  const useServer = broken.useServer ?? (await ownWays[wayName]?.());
  if (useServer === undefined) throw new Error(`unknown way: ${wayName}`);
  const tokens = startHost(run, broken.options);
  broken.watch?.(tokens);
  try {
    return await useServer(tokens, run);
  } finally {
    // What keeps the process alive after this is a leak, and the watchdog finds it.
    await tokens.close();
  }
}

/** What became of it: `answered`, the code of a refusal, or `error`. */
async function outcomeOf(wayName: string, run: Run): Promise<string> {
  try {
    const answer = await answerOf(wayName, run);
    return answer === TOOL_ANSWER ? "answered" : `answered with ${JSON.stringify(answer)}`;
  } catch (error) {
    console.error(error);
    return findMcpOAuthError(error)?.code ?? "error";
  }
}

/** What has to become of it. */
function expectedOutcome(wayName: string, { scenario }: Run): string {
  const { refusal = "answered" } = scenarios[scenario] ?? {};
  const { isPeer = false, otherErrors = [] } = ways.find(({ name }) => name === wayName) ?? {};
  return refusal !== "answered" && (isPeer || otherErrors.includes(scenario)) ? "error" : refusal;
}

const [, , wayName = ""] = process.argv;
const run = readRun();
const outcome = await outcomeOf(wayName, run);
const isExpected = outcome === expectedOutcome(wayName, run);
process.exitCode = isExpected ? 0 : 1;
await broken.atEnd?.();
console.log(isExpected ? `${CLIENT_IS_CONTENT} (${outcome})` : outcome);
