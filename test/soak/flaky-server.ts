// A protected MCP endpoint with its authorization server, behind a faulty way, that is restarted now and then.
import { setTimeout as pause } from "node:timers/promises";
import {
  type RunningScriptedAuthorizationServer,
  scriptedAuthorizationServer,
} from "../servers/scripted-authorization-server.ts";
import type { FaultyWay } from "./faults.ts";

export interface FlakyServerOptions {
  readonly way: FaultyWay;
  readonly accessTokenSeconds: number;
}

/**
 * Refresh tokens rotate. A used one is answered again until its successor has been used, and not after that: whoever
 * comes with an older one has lost track, and the session ends.
 */
export class FlakyServer {
  /** Refreshes that were done. */
  refreshes = 0;
  /** Refresh tokens that came once more, after an answer that was lost. */
  repeats = 0;
  /** Refresh tokens that came once more after a whole answer: its client died, or did not keep what it got. */
  needlessRepeats = 0;
  /** Refresh tokens that were too old. */
  refusals = 0;
  restarts = 0;
  readonly #options: FlakyServerOptions;
  /** The token in whose place another was given. */
  readonly #predecessors = new Map<string, string>();
  readonly #used = new Set<string>();
  readonly #answered = new Set<string>();
  #running: RunningScriptedAuthorizationServer;

  private constructor(options: FlakyServerOptions, running: RunningScriptedAuthorizationServer) {
    this.#options = options;
    this.#running = running;
    this.#takeOver(running);
  }

  static async start(options: FlakyServerOptions): Promise<FlakyServer> {
    const { accessTokenSeconds } = options;
    return new FlakyServer(options, await scriptedAuthorizationServer({ accessTokenSeconds }));
  }

  get url(): string {
    return this.#running.mcpUrl.href;
  }

  /** Goes away for a moment, with every connection cut, and comes back with all that it knew. */
  async restart(awayMs: number): Promise<void> {
    const { accessTokens, refreshTokens, url } = this.#running;
    await this.#running.close();
    await pause(awayMs);
    const { accessTokenSeconds } = this.#options;
    const running = await scriptedAuthorizationServer({ accessTokenSeconds, port: Number(new URL(url).port) });
    for (const [token, grant] of accessTokens) running.accessTokens.set(token, grant);
    for (const [token, grant] of refreshTokens) running.refreshTokens.set(token, grant);
    this.#takeOver(running);
    this.restarts += 1;
  }

  close(): Promise<void> {
    return this.#running.close();
  }

  #takeOver(running: RunningScriptedAuthorizationServer): void {
    const { way } = this.#options;
    this.#running = running;
    running.options.mcp = async (_request, usual) => (await way.pass(usual)).answer;
    running.options.token = async (request, usual) => {
      const presented = request.form.get("refresh_token");
      if (presented === null) return usual();
      const { answer, isWhole } = await way.pass(() => this.#refresh(presented, usual));
      if (isWhole) this.#answered.add(presented);
      return answer;
    };
  }

  async #refresh(presented: string, usual: () => Promise<Response>): Promise<Response> {
    const { refreshTokens } = this.#running;
    const grant = refreshTokens.get(presented);
    const response = await usual();
    if (grant === undefined) {
      this.refusals += 1;
      return response;
    }
    const { refresh_token: successor } = (await response.clone().json()) as { refresh_token: string };
    this.refreshes += 1;
    if (this.#answered.has(presented)) this.needlessRepeats += 1;
    else if (this.#used.has(presented)) this.repeats += 1;
    this.#used.add(presented);
    this.#predecessors.set(successor, presented);
    refreshTokens.set(presented, grant);
    const predecessor = this.#predecessors.get(presented);
    if (predecessor !== undefined) refreshTokens.delete(predecessor);
    return response;
  }
}
