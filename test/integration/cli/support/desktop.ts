import { type PlayedBrowser, type PlayedBrowserOptions, startPlayedBrowser } from "../../../support/played-browser.ts";
import { closing } from "../../flow/support/harness.ts";
import { type CliHome, jsonOf, newHome, runCli } from "./run-cli.ts";

/** A home with a browser and somebody in front of it. */
export async function newDesktop(options?: PlayedBrowserOptions): Promise<CliHome & { browser: PlayedBrowser }> {
  const home = await newHome();
  const browser = closing(await startPlayedBrowser(options));
  return { ...home, env: { ...home.env, ...browser.env }, browser };
}

/** The sessions that a home has, as `mcp-oauth status` tells. */
export async function sessionsOf({ env }: CliHome): Promise<Record<string, unknown>[]> {
  return jsonOf<{ sessions: Record<string, unknown>[] }>(await runCli(["status", "--json"], { env })).sessions;
}
